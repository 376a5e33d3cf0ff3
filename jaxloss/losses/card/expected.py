"""Minimises expected losses: what a model would predict that knew the class probabilities."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.probe import BATCH, Probe
from jaxloss.losses.card.study import Study

THREE = np.array(
    [
        (0.5, 0.3, 0.2),
        (0.45, 0.35, 0.2),
        (0.4, 0.3, 0.3),
        (0.6, 0.25, 0.15),
        (0.7, 0.2, 0.1),
        (0.8, 0.1, 0.1),
        (0.9, 0.07, 0.03),
        (0.96, 0.03, 0.01),
        (0.2, 0.5, 0.3),
        (0.15, 0.25, 0.6),
        (0.03, 0.9, 0.07),
    ]
)
"""True probabilities of three classes."""
TWO = np.stack([1 - np.arange(1, 40) / 40, np.arange(1, 40) / 40], -1)
"""True probabilities of two classes, of label 1 last."""
_TIE = 1e-6
"""By how much the highest output has to lead."""


@dataclass(frozen=True, eq=False)
class Expected:
    """What minimises the expected loss, for several class probabilities.

    Attributes:
        truth: true class probabilities.
        predicted: softmax or sigmoid of the outputs with the least expected loss.
        least: the expected loss there.
        at_truth: the expected loss of the outputs whose softmax is the truth.
        misled: the least expected loss of outputs whose highest is not the most probable class.
        spread: how much the expected loss varies near its minimum, the measure of differences.
    """

    truth: Float[np.ndarray, "problems classes"]
    predicted: Float[np.ndarray, "problems classes"]
    least: Float[np.ndarray, " problems"]
    at_truth: Float[np.ndarray, " problems"]
    misled: Float[np.ndarray, " problems"]
    spread: Float[np.ndarray, " problems"]


def by_class(
    probe: Probe, outputs: Float[np.ndarray, "points width"]
) -> Float[np.ndarray, "points classes"]:
    """Evaluates the loss for every class that may be the right one."""
    width = outputs.shape[1]
    classes = max(width, 2)
    labels = np.arange(width) if width > 1 else np.array([[0.0], [1.0]])
    # Of the gradients of all points, each of many classes for every class, memory would run out.
    most = max(1, BATCH // classes)
    parts = [outputs[start : start + most] for start in range(0, len(outputs), most)]
    values = [
        probe(np.repeat(part, classes, axis=0), np.concatenate([labels] * len(part))).values
        for part in parts
    ]
    return np.concatenate(values).reshape(-1, classes)


def is_invariant(study: Study) -> bool:
    """Whether adding a number to all outputs changes nothing: only then softmax says it all."""
    if study.subject.view == "sigmoid":
        return not study.subject.scores
    outputs = drawn_outputs(64, 3)
    values, moved = (by_class(study.probe, part) for part in (outputs, outputs + 1.5))
    return bool(np.allclose(values, moved, rtol=1e-7, atol=1e-9))


def drawn_outputs(count: int, width: int) -> Float[np.ndarray, "count width"]:
    """Draws outputs; the first are all 0, a tie."""
    outputs = 3.0 * np.random.default_rng(2).normal(size=(count, width))
    outputs[0] = 0.0
    return outputs


def expected_minimisers(study: Study) -> Expected:
    """Minimises the expected loss over a grid of outputs, then over finer ones."""
    probe = study.probe
    if study.subject.view == "sigmoid":
        return _searched(probe, np.linspace(-12.0, 12.0, 481)[:, None], TWO, 0.05)
    if is_invariant(study):
        axis = np.arange(-12.0, 12.01, 0.25)
        pairs = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        return _searched(probe, np.pad(pairs, ((0, 0), (0, 1))), THREE, 0.25)
    axis = np.arange(-4.0, 4.01, 0.5)
    triples = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    return _searched(probe, triples, THREE, 0.5)


def _searched(
    probe: Probe,
    outputs: Float[np.ndarray, "points width"],
    truth: Float[np.ndarray, "problems classes"],
    step: float,
) -> Expected:
    width = outputs.shape[1]
    fixed = width > 1 and not np.any(outputs[:, -1])
    best, least, misled, spread = _least(by_class(probe, outputs), outputs, truth)
    free = width - 1 if fixed else width
    sides = {1: 41, 2: 21, 3: 9}[free]
    offsets = np.linspace(-1.0, 1.0, sides)
    mesh = np.stack(np.meshgrid(*[offsets] * free, indexing="ij"), -1).reshape(-1, free)
    mesh = np.pad(mesh, ((0, 0), (0, width - free)))
    for _ in range(2):
        near = best[:, None] + step * mesh
        found = by_class(probe, near.reshape(-1, width)).reshape(*near.shape[:2], -1)
        for place in range(len(truth)):
            one = _least(found[place], near[place], truth[place : place + 1])
            if one[1][0] <= least[place]:
                best[place], least[place] = one[0][0], one[1][0]
        step *= 2.0 / (sides - 1)
    exact = np.log(truth) if width > 1 else np.log(truth[:, 1:] / truth[:, :1])
    at_truth = np.sum(truth * by_class(probe, exact), -1)
    return Expected(truth, _probabilities(best), least, at_truth, misled, spread)


def _least(
    values: Float[np.ndarray, "points classes"],
    outputs: Float[np.ndarray, "points width"],
    truth: Float[np.ndarray, "problems classes"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Finds the best of some outputs for each truth, and the best that names the wrong class."""
    expected = np.where(np.isnan(values), np.inf, values) @ truth.T
    expected = np.where(np.isnan(expected), np.inf, expected)
    best = np.argmin(expected, 0)
    least = np.take_along_axis(expected, best[None], 0)[0]
    scores = outputs if outputs.shape[1] > 1 else np.concatenate([-outputs, outputs], 1)
    right = np.argmax(truth, 1)
    others = np.stack([np.max(np.delete(scores, one, 1), 1) for one in range(scores.shape[1])], 1)
    leads = scores[:, right] > others[:, right] + _TIE
    wrong = np.where(leads, np.inf, expected)
    finite = np.where(np.isfinite(expected), expected, np.nan)
    return outputs[best].copy(), least, np.min(wrong, 0), np.nanmedian(finite, 0) - least


def _probabilities(
    outputs: Float[np.ndarray, "problems width"],
) -> Float[np.ndarray, "problems classes"]:
    logits = outputs if outputs.shape[1] > 1 else np.pad(outputs, ((0, 0), (1, 0)))
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)
