"""Programs and inputs that the tests of the zoo share."""

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxloss import zoo
from jaxloss.losses.zoo import ZooLoss, draws

FEW = 6
MANY = 60
WHOLE = ("labelled", "positive_pairs", "anchored", "anchors")
"""Kinds whose examples do not stand alone."""
HUGE = (0.0, 1e-30, 1.0, -1.0, 1e4, -1e4, 1e30, -1e30)


def slopes(entry: ZooLoss, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """The gradient of the summed values by each prediction."""

    def added(*inputs: Array) -> Array:
        return jnp.sum(entry.function(*inputs))

    return jax.grad(added, entry.inputs.predictions)(*inputs)


@functools.cache
def program(name: str) -> Callable[..., tuple[Array, tuple[Array, ...]]]:
    """Values and gradient as one compiled program, for each shape and precision."""
    entry = zoo.get(name)
    return jax.jit(lambda *inputs: (entry.function(*inputs), slopes(entry, inputs)))


def cast(inputs: tuple[Array, ...], dtype: Any) -> tuple[Array, ...]:
    return tuple(
        array if jnp.issubdtype(array.dtype, jnp.integer) else array.astype(dtype)
        for array in inputs
    )


def drawn(
    kind: str, dtype: Any = jnp.float64, seed: int = 5, batch: int | None = None
) -> tuple[Array, ...]:
    """Examples: `MANY`, always as many so that a loss compiles once; `FEW` that belong together."""
    batch = batch or (FEW if kind in WHOLE else MANY)
    return cast(zoo.example_inputs(kind, jax.random.key(seed), batch), dtype)


def replaced(entry: ZooLoss, inputs: tuple[Array, ...], *predictions: Array) -> tuple[Array, ...]:
    """Puts other predictions in."""
    new = list(inputs)
    for place, prediction in zip(entry.inputs.predictions, predictions, strict=True):
        new[place] = prediction
    return tuple(new)


def takes(entry: ZooLoss, keyword: str) -> bool:
    return keyword in inspect.signature(entry.function).parameters


def rows_of(*values: float) -> np.ndarray:
    """Vectors of four: one number all over, and one that stands out."""
    flat = [[value] * draws.FEATURES for value in values]
    return np.array([*flat, *([value, 0.0, -value, 0.0] for value in values)])


LOGITS = np.array(
    [[0, 0, 0], [1e4, -1e4, 0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4], [-1e4, -1e4, 0]], float
)
ONE_HOT = np.eye(draws.CLASSES)
MAPS = np.array(
    [np.full((draws.SIDE, draws.SIDE), value) for value in (0.0, 1e4, -1e4)]
    + [np.where(np.eye(draws.SIDE) > 0, 1e4, -1e4)]
)
MASKS = np.array(
    [
        np.zeros((draws.SIDE, draws.SIDE)),
        np.ones((draws.SIDE, draws.SIDE)),
        np.eye(draws.SIDE),
    ]
)
BOXES = np.array(
    [
        [0, 0, 0, 0],
        [0, 0, 10, 10],
        [10, 0, 20, 10],
        [0, 0, 10, 0],
        [10, 10, 0, 0],
        [0, 0, 1e4, 1e4],
        [-1e4, 5, -1e4, 9],
        [0, 0, 1e-4, 1e4],
    ],
    float,
)
ANCHORS = np.array(
    [
        np.zeros((draws.CLASSES, draws.FEATURES)),
        np.ones((draws.CLASSES, draws.FEATURES)),
        1e4 * np.eye(draws.CLASSES, draws.FEATURES),
    ]
)
POOLS: dict[Any, np.ndarray] = {
    draws.numbers: np.array(HUGE),
    draws.nonnegative: np.array([0.0, 1e-30, 1.0, 1e4, 1e30]),
    draws.fractions: np.array([0.0, 1e-30, 0.5, 1.0]),
    draws.bits: np.array([0.0, 1.0]),
    draws.signs: np.array([-1.0, 1.0]),
    draws.rows: rows_of(0.0, 1e-20, 1e4, -1e4),
    draws.nonnegative_rows: np.abs(rows_of(0.0, 1e-20, 1e4)),
    draws.spreads: np.array([[1e-4], [1.0], [1e4]]),
    draws.logits: LOGITS,
    draws.log_probabilities: np.array(jax.nn.log_softmax(LOGITS)),
    draws.distributions: np.array([*ONE_HOT, np.full(draws.CLASSES, 1 / draws.CLASSES)]),
    draws.classes: np.arange(draws.CLASSES),
    draws.one_hot: ONE_HOT,
    draws.boxes: BOXES,
    draws.maps: MAPS,
    draws.masks: MASKS,
}
"""Values at the end of each argument's range, ties and zeros among them."""

MOST = 200


def extremes(entry: ZooLoss) -> list[tuple[np.ndarray, ...]]:
    """Combines extreme values of all arguments; at most `MOST` examples, spread evenly."""
    arguments = entry.inputs.arguments
    pools = [POOLS[argument.draw] for argument in arguments if argument.draw != draws.anchors]
    choices = np.array(list(itertools.product(*(range(len(pool)) for pool in pools))))
    choices = choices[:: -(-len(choices) // MOST)]
    arrays = [pool[chosen] for pool, chosen in zip(pools, choices.T, strict=True)]
    if arguments[-1].draw != draws.anchors:
        return [tuple(arrays)]
    return [(*arrays, anchors) for anchors in ANCHORS]
