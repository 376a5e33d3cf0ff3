"""Programs and inputs that the tests of the zoo share.

To compile each loss by itself would take most of the time. So the losses of a kind are one program
and everything is evaluated with one size of batch.
"""

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
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses.zoo import ZooLoss, draws

FEW = 6
MANY = 60
WHOLE = ("labelled", "positive_pairs", "anchored", "anchors")
"""Kinds whose examples do not stand alone."""
HUGE = (0.0, 1e-30, 1.0, -1.0, 1e4, -1e4, 1e30, -1e30)

Inputs = tuple[np.ndarray, ...]
Found = tuple[np.ndarray, tuple[np.ndarray, ...]]
MEMBERS = {kind: [entry for entry in zoo.ZOO.values() if entry.kind == kind] for kind in zoo.KINDS}


def slopes(entry: ZooLoss, inputs: tuple[Array, ...], **settings: Any) -> tuple[Array, ...]:
    """The gradient of the summed values by each prediction."""

    def added(*inputs: Array) -> Array:
        return jnp.sum(entry.function(*inputs, **settings))

    return jax.grad(added, entry.inputs.predictions)(*inputs)


def both(entry: ZooLoss, *inputs: Array, **settings: Any) -> tuple[Array, tuple[Array, ...]]:
    """Values and gradient."""
    return entry.function(*inputs, **settings), slopes(entry, inputs, **settings)


@functools.cache
def _of_kind(kind: str, side_by_side: bool) -> Callable[..., Any]:
    parts = [functools.partial(both, entry) for entry in MEMBERS[kind]]
    if side_by_side:
        parts = [jax.vmap(part) for part in parts]
    return jit_brief(lambda *inputs: [part(*inputs) for part in parts])


def evaluated(name: str, *inputs: Any, side_by_side: bool = False) -> Found:
    """Values and gradient, compiled; side by side, of each example (or batch) under ``vmap``."""
    entry = zoo.get(name)
    found = _of_kind(entry.kind, side_by_side)(*inputs)
    values, gradients = found[MEMBERS[entry.kind].index(entry)]
    return np.asarray(values), tuple(map(np.asarray, gradients))


def cast(inputs: Inputs, dtype: Any) -> Inputs:
    return tuple(
        array if np.issubdtype(array.dtype, np.integer) else array.astype(dtype) for array in inputs
    )


MOST_ARGUMENTS = 4


def named(draw: Callable[..., Array], whole: bool) -> str:
    return f"{getattr(draw, '__name__', '')} {whole}"


DRAWS = {
    (argument.draw, kind in WHOLE) for kind in zoo.KINDS for argument in zoo.KINDS[kind].arguments
}
"""Every way of drawing an argument, and whether its examples belong together."""


@functools.cache
def _drawing() -> Callable[[Array], dict[str, Array]]:
    def draw(key: Array) -> dict[str, Array]:
        keys = jax.random.split(key, MOST_ARGUMENTS)
        return {
            named(one, whole): jax.vmap(
                lambda key, one=one, size=FEW if whole else MANY: one(key, size)
            )(keys)
            for one, whole in DRAWS
        }

    return jit_brief(draw)


@functools.cache
def _drawn(seed: int) -> dict[str, np.ndarray]:
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, _drawing()(jax.random.key(seed)))


def drawn(kind: str, dtype: Any = np.float64, seed: int = 5) -> Inputs:
    """Examples: `MANY`, always as many so that a loss compiles once; `FEW` that belong together."""
    parts = _drawn(seed)
    found = [
        parts[named(argument.draw, kind in WHOLE)][place]
        for place, argument in enumerate(zoo.KINDS[kind].arguments)
    ]
    return cast(tuple(found), dtype)


def replaced(entry: ZooLoss, inputs: Inputs, *predictions: np.ndarray) -> Inputs:
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
WITH_ZEROS = np.array([*ONE_HOT, np.full(draws.CLASSES, 1 / draws.CLASSES)])
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
with np.errstate(divide="ignore"):
    LOG_PROBABILITIES = np.array([*np.array(jax.nn.log_softmax(LOGITS)), *np.log(WITH_ZEROS)])
POOLS: dict[Any, np.ndarray] = {
    draws.numbers: np.array(HUGE),
    draws.nonnegative: np.array([0.0, 1e-30, 1.0, 1e4, 1e30]),
    draws.fractions: np.array([0.0, 1e-30, 0.5, 1.0]),
    draws.bits: np.array([0.0, 1.0]),
    draws.signs: np.array([-1.0, 1.0]),
    draws.rows: rows_of(0.0, 1e-20, 1e4, -1e4),
    draws.nonnegative_rows: np.abs(rows_of(0.0, 1e-20, 1e4, 1e30)),
    draws.spreads: np.array([[1e-4], [1.0], [1e4]]),
    draws.logits: LOGITS,
    draws.log_probabilities: LOG_PROBABILITIES,
    draws.distributions: WITH_ZEROS,
    draws.classes: np.arange(draws.CLASSES),
    draws.one_hot: ONE_HOT,
    draws.boxes: BOXES,
    draws.maps: MAPS,
    draws.masks: MASKS,
}
"""Values at the end of each argument's range, ties and zeros among them."""

MOST = 216


def _any_between(pool: np.ndarray, largest: float) -> np.ndarray:
    sizes = np.abs(pool.reshape(len(pool), -1))
    return np.any((sizes > largest) & (sizes < np.inf), axis=1)


def extremes(kind: str, largest: float = np.inf) -> list[Inputs]:
    """Batches that combine extreme values of all arguments, at most `MOST` of them in all.

    Numbers of more than the largest size are left out, but infinite ones are not.
    """
    arguments = zoo.KINDS[kind].arguments
    pools = [POOLS[argument.draw] for argument in arguments if argument.draw != draws.anchors]
    if kind == "vectors":
        pools = [np.concatenate([pool, rows_of(1e30)]) for pool in pools]
    pools = [pool[~_any_between(pool, largest)] for pool in pools]
    choices = np.array(list(itertools.product(*(range(len(pool)) for pool in pools))))
    choices = choices[:: -(-len(choices) // MOST)]
    size = FEW if kind in WHOLE else MANY
    # The last batch begins anew: one size of batch is compiled.
    rows = np.resize(np.arange(len(choices)), -(-len(choices) // size) * size)
    batches = [choices[part] for part in rows.reshape(-1, size)] if pools else [choices]
    found = [
        tuple(pool[chosen] for pool, chosen in zip(pools, batch.T, strict=True))
        for batch in batches
    ]
    if arguments[-1].draw != draws.anchors:
        return found
    return [(*arrays, anchors) for arrays in found for anchors in ANCHORS]
