"""How each property of a loss is looked for, in double precision."""

import itertools
from collections.abc import Callable

import numpy as np
import scipy.special
from zoo_inputs import MANY, WHOLE, Inputs, drawn, evaluated, replaced

from jaxloss import zoo
from jaxloss.losses.zoo import ZooLoss

UNSCALED = ("probability", "nonnegative", "nonnegative_vectors", "log_probabilities", "boxes")
"""Kinds whose predictions have a range, or a unit, of their own."""
TARGETED = (
    "real",
    "nonnegative",
    "score",
    "probability",
    "vectors",
    "nonnegative_vectors",
    "boxes",
    "log_probabilities",
    "list",
)
"""Kinds whose predictions can be the targets themselves."""
MIRRORED = ("real", "vectors", "score", "logit")
LINE = 30
"""Places on a line where examples belong together."""
SIMPLEX = ("real", "logits", "logits_and_classes", "log_probabilities", "energies")
SIMPLEX += ("log_probabilities_and_classes", "logit", "vectors")
"""Kinds that know class probabilities."""


def values(entry: ZooLoss, inputs: Inputs) -> np.ndarray:
    return evaluated(entry.name, *inputs)[0]


def predictions(entry: ZooLoss, inputs: Inputs) -> list[np.ndarray]:
    return [inputs[place] for place in entry.inputs.predictions]


def scaled(entry: ZooLoss, scale: float, seed: int = 0) -> Inputs:
    inputs = drawn(entry.kind, seed=seed)
    if entry.kind in UNSCALED:
        return inputs
    return replaced(entry, inputs, *(scale * part for part in predictions(entry, inputs)))


def everywhere(entry: ZooLoss) -> np.ndarray:
    """Values at predictions small and large, at the targets, and with one large alone."""
    found = [scaled(entry, scale) for scale in (1e-3, 1.0, 10.0, 1e3)]
    if entry.kind in TARGETED:
        found.append(perfect(entry))
    if entry.kind == "boxes":
        found += [tuple(scale * array for array in drawn("boxes")) for scale in (1e-3, 1e3)]
    if entry.kind not in UNSCALED:
        found += one_scaled(entry, 1e3)
    return np.concatenate([values(entry, inputs).ravel() for inputs in found])


def one_scaled(entry: ZooLoss, scale: float) -> list[Inputs]:
    """Inputs with one prediction scaled, for each prediction."""
    inputs = drawn(entry.kind)
    return [
        tuple(scale * array if i == place else array for i, array in enumerate(inputs))
        for place in entry.inputs.predictions
    ]


def nonnegative(entry: ZooLoss) -> bool:
    return bool(np.all(everywhere(entry) >= -1e-9))


def perfect(entry: ZooLoss) -> Inputs:
    """Inputs whose predictions are the targets."""
    inputs = drawn(entry.kind)
    target = np.log(inputs[1]) if entry.kind == "log_probabilities" else inputs[1]
    return replaced(entry, inputs, target)


def zero_at_target(entry: ZooLoss) -> bool:
    return np.allclose(values(entry, perfect(entry)), 0.0, atol=1e-9)


def minimum_at_target(entry: ZooLoss) -> bool:
    best, inputs = values(entry, perfect(entry)), drawn(entry.kind)
    others = [drawn(entry.kind, seed=seed)[0] for seed in range(1, 6)]
    if entry.kind not in UNSCALED:
        others += [scale * inputs[1] for scale in (0.5, 1.1, 100.0)]
    found = [values(entry, replaced(entry, inputs, other)) for other in others]
    return bool(np.all(np.min(found, 0) >= best - 1e-9))


def convex(entry: ZooLoss) -> bool:
    inputs = drawn(entry.kind)
    shifts = (0.0,) if entry.kind in UNSCALED else (0.0, -4.0)
    for seed, scale, shift in itertools.product(range(1, 6), (1.0, 4.0), shifts):
        ends = [
            [part + shift for part in predictions(entry, scaled(entry, scale, s))]
            for s in (seed, seed + 10)
        ]
        middle = [(a + b) / 2 for a, b in zip(*ends, strict=True)]
        low, high, half = (
            values(entry, replaced(entry, inputs, *part)) for part in (*ends, middle)
        )
        if np.any(half > (low + high) / 2 + 1e-9 * (1 + np.abs(low) + np.abs(high))):
            return False
    return True


def symmetric(entry: ZooLoss) -> bool:
    f, y = drawn(entry.kind)[:2]
    mirrored = {"score": (-f, -y), "logit": (-f, 1 - y)}.get(entry.kind, (2 * y - f, y))
    return np.allclose(values(entry, (f, y)), values(entry, mirrored), rtol=1e-9, atol=1e-12)


def bounded(entry: ZooLoss) -> bool:
    if entry.kind in UNSCALED:
        # Only probabilities are bounded themselves.
        return entry.kind in ("probability", "boxes") and bool(
            np.all(np.abs(everywhere(entry)) < 4)
        )
    near, far = (np.max(np.abs(values(entry, scaled(entry, s)))) for s in (1e3, 1e6))
    return bool(far <= 1.01 * near + 1e-9)


def bounded_gradient(entry: ZooLoss) -> bool:
    def steepest(scale: float) -> float:
        gradients = evaluated(entry.name, *scaled(entry, scale))[1]
        return max(float(np.max(np.abs(gradient))) for gradient in gradients)

    return max(steepest(scale) for scale in (1e-4, 10.0, 1e2, 1e5)) <= 10 * max(steepest(1.0), 0.1)


def jump(entry: ZooLoss, seed: int, step: float) -> float:
    """The largest change of the gradient between neighbours on a line through the predictions."""
    together = entry.kind in WHOLE
    count = LINE if together else MANY
    parts = [array if together else array[:1] for array in drawn(entry.kind, seed=seed)]
    generator = np.random.default_rng(seed)
    ways = [generator.normal(size=part.shape) for part in predictions(entry, tuple(parts))]

    def at(distances: np.ndarray) -> tuple[np.ndarray, ...]:
        moved = [
            part + distances.reshape(-1, *[1] * (part.ndim - 1)) * way
            for part, way in zip(predictions(entry, tuple(parts)), ways, strict=True)
        ]
        inputs = tuple(np.repeat(part, len(distances), axis=0) for part in parts)
        return evaluated(entry.name, *replaced(entry, inputs, *moved))[1]

    if not together:
        return max(np.max(np.abs(np.diff(part, axis=0))) for part in at(np.arange(count) * step))
    line = [at(np.array([place * step])) for place in range(count)]
    return max(np.max(np.abs(np.diff(part, axis=0))) for part in zip(*line, strict=True))


def proper(entry: ZooLoss) -> bool:
    """The expected loss has its minimum over logits where softmax is the class distribution."""
    if entry.kind == "vectors" and "softmax" not in zoo.views_of(entry):
        return False
    if entry.kind == "logit":
        return all(best_at(entry, np.array(p)) for p in ((0.6, 0.4), (0.97, 0.03)))
    return all(best_at(entry, np.array(p)) for p in ((0.55, 0.3, 0.15), (0.96, 0.03, 0.01)))


def best_at(entry: ZooLoss, probabilities: np.ndarray) -> bool:
    best = np.log(probabilities)
    generator = np.random.default_rng(0)
    others = best + generator.normal(size=(8, len(best)))
    step = 1e-5 * np.concatenate([np.eye(len(best)), -np.eye(len(best))])
    expected = by_class(entry, np.concatenate([[best], best + step, others])) @ probabilities
    least, near, far = expected[0], expected[1 : 1 + len(step)], expected[1 + len(step) :]
    slopes = (near[: len(best)] - near[len(best) :]) / 2e-5
    return bool(np.allclose(slopes, 0.0, atol=1e-8) and np.min(far) > least)


def noise_tolerant(entry: ZooLoss) -> bool:
    classes = 2 if entry.kind == "logit" else 3
    found = by_class(entry, drawn("logits")[0][:5, :classes]).sum(-1)
    return np.allclose(found, found[0], rtol=1e-9)


def by_class(entry: ZooLoss, logits: np.ndarray) -> np.ndarray:
    """The loss of each row of logits, for each class that may be the true one."""
    rows, classes = logits.shape
    if entry.kind == "logit":
        scores = np.repeat(logits[:, :1] - logits[:, 1:], 2, axis=1)
        return batched(entry, scores.ravel(), np.tile([1.0, 0.0], rows)).reshape(rows, 2)
    f = {
        "real": lambda x: scipy.special.softmax(x, -1),
        "vectors": lambda x: scipy.special.softmax(x, -1),
        "energies": np.negative,
        "log_probabilities": lambda x: scipy.special.log_softmax(x, -1),
        "log_probabilities_and_classes": lambda x: scipy.special.log_softmax(x, -1),
    }.get(entry.kind, lambda x: x)(np.repeat(logits, classes, axis=0))
    if "and_classes" in entry.kind:
        labels = np.tile(np.arange(classes), rows)
    else:
        labels = np.tile(np.eye(classes), (rows, 1))
    if entry.kind == "real":
        found = batched(entry, f.ravel(), labels.ravel()).reshape(f.shape).sum(-1)
    else:
        found = batched(entry, f, labels)
    return found.reshape(rows, classes)


def batched(entry: ZooLoss, *inputs: np.ndarray) -> np.ndarray:
    """Values of any number of examples, in batches of the size that is compiled."""
    count = len(inputs[0])
    places = np.resize(np.arange(count), -(-count // MANY) * MANY).reshape(-1, MANY)
    parts = [values(entry, tuple(array[part] for array in inputs)) for part in places]
    return np.concatenate(parts)[:count]


def unbounded_below(entry: ZooLoss) -> bool:
    def lowest(scale: float) -> float:
        return min(float(np.min(values(entry, inputs))) for inputs in one_scaled(entry, scale))

    return lowest(1e2) < -1 and lowest(1e4) < 10 * lowest(1e2) and lowest(1e6) < 10 * lowest(1e4)


def flat(entry: ZooLoss) -> bool:
    found = (evaluated(entry.name, *scaled(entry, scale))[1] for scale in (0.1, 1.0))
    return not any(np.any(part) for gradients in found for part in gradients)


ALL = frozenset(zoo.KINDS)
TESTS: dict[str, tuple[Callable[[ZooLoss], bool], frozenset[str]]] = {
    "nonnegative": (nonnegative, ALL),
    "zero_at_target": (zero_at_target, frozenset(TARGETED)),
    "minimum_at_target": (minimum_at_target, frozenset(TARGETED)),
    "convex": (convex, ALL),
    "symmetric": (symmetric, frozenset(MIRRORED)),
    "bounded": (bounded, ALL),
    "bounded_gradient": (bounded_gradient, ALL - {*UNSCALED}),
    "proper": (proper, frozenset(SIMPLEX)),
    "noise_tolerant": (noise_tolerant, frozenset(SIMPLEX)),
    "unbounded_below": (unbounded_below, ALL - {*UNSCALED}),
    "flat": (flat, ALL),
}
"""How each property is looked for, and on which kinds of inputs it means something."""
