"""Findings about classification: what a loss predicts of class probabilities, and noisy labels.

Proper and calibrated: https://doi.org/10.1198/016214506000001437 and
https://www.jmlr.org/papers/v5/zhang04b.html; tolerance of label noise:
https://arxiv.org/abs/1712.09482; label smoothing: https://arxiv.org/abs/1512.00567.
"""

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.expected import (
    Expected,
    by_class,
    drawn_outputs,
    expected_minimisers,
    is_invariant,
)
from jaxloss.losses.card.finding import Finding, share, written
from jaxloss.losses.card.minimum import Minimum
from jaxloss.losses.card.study import Study

_TOLERANCE = 1e-7
_NEAR = 5e-3
"""How far from the true probabilities a minimiser may lie; the grid is ten times as fine."""
_FEWEST, _MOST = 40, 400
"""At how many outputs the loss is summed over the labels: fewer where there are many labels, since
each of them is one more evaluation of outputs that are as many (*assumed*)."""
_SUMMANDS = 40_000
"""How many evaluations that may take before outputs become fewer."""


def simplex_findings(study: Study, own: Minimum) -> tuple[Finding, ...]:
    """Says how a loss treats class probabilities.

    Args:
        study: the loss.
        own: its minimum for an example of one class, the others alike.
    """
    expected = expected_minimisers(study)
    calibrated = _calibrated(study, expected)
    if study.subject.scores and not is_invariant(study):
        return (calibrated, _noise_tolerant(study))
    return (
        _proper(expected),
        calibrated,
        _smoothing(study, own),
        _noise_tolerant(study),
    )


def _vector(values: Float[np.ndarray, " classes"]) -> str:
    return f"({', '.join(written(value, 3) for value in values)})"


def _problems(expected: Expected) -> str:
    count, classes = expected.truth.shape
    return f"{count} distributions over {classes} classes"


def _proper(expected: Expected) -> Finding:
    away = np.max(np.abs(expected.predicted - expected.truth), 1)
    lower = expected.at_truth - expected.least > _TOLERANCE * (expected.spread + 1e-12)
    wrong = lower | (away > _NEAR)
    if not np.any(wrong):
        worst, words = 0, "The expected loss is least at the true class probabilities."
    else:
        worst = int(np.argmax(np.where(wrong, away, -1.0)))
        words = "The expected loss is less elsewhere than at the true class probabilities."
    return Finding(
        "proper",
        "Is it proper: does it learn true class probabilities?",
        words,
        f"the expected loss minimised over a grid of predictions, for {_problems(expected)}",
        holds=not np.any(wrong),
        counterexample=None
        if not np.any(wrong)
        else f"for true probabilities {_vector(expected.truth[worst])} it predicts "
        f"{_vector(expected.predicted[worst])}",
    )


def _calibrated(study: Study, expected: Expected) -> Finding:
    gaps = expected.misled - expected.least
    wrong = gaps <= 1e-6 * (expected.spread + 1e-12)
    tied = np.isclose(np.sort(expected.truth, 1)[:, -1], np.sort(expected.truth, 1)[:, -2])
    wrong &= ~tied
    what = "outputs" if study.subject.scores else "predictions"
    worst = int(np.argmin(np.where(wrong, expected.truth.max(1), np.inf)))
    return Finding(
        "calibrated",
        "Is it calibrated: does the most probable class win?",
        "The expected loss is least where the most probable class has the highest output."
        if not np.any(wrong)
        else "The expected loss can be as low where another class wins, or none does.",
        f"the least expected loss over a grid of {what} with and without that, for "
        f"{_problems(expected)}",
        holds=not np.any(wrong),
        counterexample=None
        if not np.any(wrong)
        else f"for true probabilities {_vector(expected.truth[worst])}",
    )


def _smoothing(study: Study, own: Minimum) -> Finding:
    """Reads the smoothing ξ from the minimiser p = 1 − ξ + ξ/C for an example of one class."""
    classes = 2 if study.subject.view == "sigmoid" else study.width
    question = "Which label smoothing does it imply?"
    how = (
        f"the minimiser for one class of {classes}, p = 1 - xi + xi/{classes}, the others alike, "
        f"found {study.where}"
    )
    if own.kind in ("limit", "flat") and own.high == np.inf:
        words = "None: for a certain label it asks for certainty."
        if own.kind == "flat":
            words = "None: for a certain label it is content with any p that is high enough."
        return Finding("smoothing", question, words, how, numbers={"xi": 0.0, "probability": 1.0})
    if own.kind != "point":
        return Finding("smoothing", question, "It has no one best prediction.", how)
    probability = study.probability(own.low)
    xi = (1.0 - probability) * classes / (classes - 1)
    words = (
        f"xi = {written(xi)}: for a certain label it asks for p = {share(probability)}, as label "
        f"smoothing with this xi does for {classes} classes."
    )
    if probability * classes <= 1.0:
        words = f"None: the right class would get p = {written(probability)}, no more than others."
    return Finding(
        "smoothing", question, words, how, numbers={"xi": xi, "probability": probability}
    )


def _noise_tolerant(study: Study) -> Finding:
    classes = 2 if study.subject.view == "sigmoid" else study.width
    count = max(_FEWEST, min(_MOST, _SUMMANDS // classes))
    outputs = drawn_outputs(count, study.width)
    values = by_class(study.probe, outputs)
    sums = np.sum(values, 1)
    known = sums[np.isfinite(sums)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)
    spread = float(np.ptp(values[np.isfinite(values)])) if len(known) else np.nan
    # The sum itself may be 0.
    holds = bool(len(known) and high - low <= 1e-7 * max(abs(high), spread))
    share_of_one = (high - low) / spread if spread > 0 else 0.0
    return Finding(
        "noise_tolerant",
        "Is it tolerant of noisy labels?",
        f"Summed over the labels that an example may have, it is always {written(high)}: labels "
        "flipped evenly at random do not move its minimum, as long as the right one stays the most "
        "frequent."
        if holds
        else f"Summed over the labels that an example may have, it varies from {written(low)} to "
        f"{written(high)}, {written(100 * share_of_one, 3)} % of what it varies by for one label: "
        "labels flipped at random can move its minimum.",
        f"the sum over all {classes} labels at outputs of 0 and {count - 1} random ones",
        holds=holds,
        numbers={"variation": 0.0 if holds else share_of_one},
    )
