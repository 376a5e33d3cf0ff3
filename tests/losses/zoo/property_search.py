"""How each property of a loss is looked for, in double precision."""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from zoo_inputs import MANY, WHOLE, program, replaced, slopes
from zoo_inputs import drawn as newly_drawn

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
SIMPLEX = ("real", "logits", "logits_and_classes", "log_probabilities", "energies")
SIMPLEX += ("log_probabilities_and_classes", "logit", "vectors")
"""Kinds that know class probabilities."""


@functools.cache
def drawn(kind: str, seed: int = 0) -> tuple[Array, ...]:
    return newly_drawn(kind, seed=seed)


def values(entry: ZooLoss, inputs: tuple[Array, ...]) -> np.ndarray:
    return np.asarray(program(entry.name)(*inputs)[0])


def predictions(entry: ZooLoss, inputs: tuple[Array, ...]) -> list[Array]:
    return [inputs[place] for place in entry.inputs.predictions]


def scaled(entry: ZooLoss, scale: float, seed: int = 0) -> tuple[Array, ...]:
    inputs = drawn(entry.kind, seed)
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


def one_scaled(entry: ZooLoss, scale: float) -> list[tuple[Array, ...]]:
    """Inputs with one prediction scaled, for each prediction."""
    inputs = drawn(entry.kind)
    return [
        tuple(scale * array if i == place else array for i, array in enumerate(inputs))
        for place in entry.inputs.predictions
    ]


def nonnegative(entry: ZooLoss) -> bool:
    return bool(np.all(everywhere(entry) >= -1e-9))


def perfect(entry: ZooLoss) -> tuple[Array, ...]:
    """Inputs whose predictions are the targets."""
    inputs = drawn(entry.kind)
    target = jnp.log(inputs[1]) if entry.kind == "log_probabilities" else inputs[1]
    return replaced(entry, inputs, target)


def zero_at_target(entry: ZooLoss) -> bool:
    return np.allclose(values(entry, perfect(entry)), 0.0, atol=1e-9)


def minimum_at_target(entry: ZooLoss) -> bool:
    best, inputs = values(entry, perfect(entry)), drawn(entry.kind)
    others = [drawn(entry.kind, seed)[0] for seed in range(1, 6)]
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
        gradients = program(entry.name)(*scaled(entry, scale))[1]
        return max(float(jnp.max(jnp.abs(gradient))) for gradient in gradients)

    return max(steepest(scale) for scale in (1e-4, 10.0, 1e2, 1e5)) <= 10 * max(steepest(1.0), 0.1)


@functools.cache
def along(name: str) -> Callable[..., tuple[Array, ...]]:
    """The gradients of batches side by side."""
    entry = zoo.get(name)
    return jax.jit(jax.vmap(lambda *inputs: slopes(entry, inputs)))


def jump(entry: ZooLoss, seed: int, step: float) -> float:
    """The largest change of the gradient between neighbours on a line through the predictions."""
    alone = entry.kind not in WHOLE
    parts = [array[0] if alone else array for array in drawn(entry.kind, seed)]
    inputs = tuple(jnp.broadcast_to(part, (MANY, *part.shape)) for part in parts)
    generator = np.random.default_rng(seed)
    moved = []
    for part in predictions(entry, inputs):
        distances = (jnp.arange(MANY) * step).reshape(-1, *[1] * (part.ndim - 1))
        moved.append(part + distances * generator.normal(size=(1, *part.shape[1:])))
    inputs = replaced(entry, inputs, *moved)
    gradients = program(entry.name)(*inputs)[1] if alone else along(entry.name)(*inputs)
    return max(float(jnp.max(jnp.abs(jnp.diff(part, axis=0)))) for part in gradients)


def proper(entry: ZooLoss) -> bool:
    """The expected loss has its minimum over logits where softmax is the class distribution."""
    if entry.kind == "vectors" and "softmax" not in zoo.views_of(entry):
        return False
    if entry.kind == "logit":
        return all(best_at(entry, np.array(p)) for p in ((0.6, 0.4), (0.97, 0.03)))
    return all(best_at(entry, np.array(p)) for p in ((0.55, 0.3, 0.15), (0.96, 0.03, 0.01)))


def best_at(entry: ZooLoss, probabilities: np.ndarray) -> bool:
    expected = jax.jit(
        jax.value_and_grad(lambda logits: jnp.dot(probabilities, by_class(entry, logits)))
    )
    best = jnp.log(probabilities)
    least, gradient = expected(best)
    generator = np.random.default_rng(0)
    others = [expected(best + generator.normal(size=best.shape))[0] for _ in range(8)]
    return bool(np.allclose(gradient, 0.0, atol=1e-9) and min(others) > least)


def noise_tolerant(entry: ZooLoss) -> bool:
    classes = 2 if entry.kind == "logit" else 3
    sums = jax.jit(jax.vmap(lambda logits: jnp.sum(by_class(entry, logits))))
    found = sums(drawn("logits")[0][:5, :classes])
    return np.allclose(found, found[0], rtol=1e-9)


def by_class(entry: ZooLoss, logits: Array) -> Array:
    """The loss for each class that may be the true one, of one example's logits."""
    if entry.kind == "logit":
        return entry.function(logits[:1] - logits[1:] * jnp.ones(2), jnp.array([1.0, 0.0]))
    f = {
        "real": jax.nn.softmax,
        "vectors": jax.nn.softmax,
        "energies": jnp.negative,
        "log_probabilities": jax.nn.log_softmax,
        "log_probabilities_and_classes": jax.nn.log_softmax,
    }.get(entry.kind, lambda x: x)(logits)
    labels = jnp.arange(3) if "and_classes" in entry.kind else jnp.eye(3)
    found = entry.function(jnp.broadcast_to(f, (3, 3)), labels)
    return found.sum(-1) if found.ndim == 2 else found


def unbounded_below(entry: ZooLoss) -> bool:
    def lowest(scale: float) -> float:
        return min(float(np.min(values(entry, inputs))) for inputs in one_scaled(entry, scale))

    return lowest(1e2) < -1 and lowest(1e4) < 10 * lowest(1e2) and lowest(1e6) < 10 * lowest(1e4)


def flat(entry: ZooLoss) -> bool:
    return all(not np.any(part) for part in program(entry.name)(*drawn(entry.kind))[1])


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
