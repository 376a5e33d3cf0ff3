"""Strategies whose number of dimensions is known only at run time, in states of one shape."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.search.strategies import Strategy, strategy


class PaddedStrategy(NamedTuple):
    """A `Strategy` whose number of dimensions may differ from state to state, up to a capacity.

    Every state has the shapes of the one with ``capacity`` dimensions. Each number of dimensions
    is compiled once.

    Attributes:
        init: ``(key, mean) -> state``; the mean's length is the number of dimensions.
        ask: ``(key, state, dimensions) -> (solutions, state)``.
        tell: ``(key, solutions, fitness, state, dimensions) -> state``.
    """

    init: Callable[[PRNGKeyArray, Float[Array, " dimensions"]], PyTree]
    ask: Callable[[PRNGKeyArray, PyTree, int], tuple[Float[Array, "population dimensions"], PyTree]]
    tell: Callable[
        [
            PRNGKeyArray,
            Float[Array, "population dimensions"],
            Float[Array, " population"],
            PyTree,
            int,
        ],
        PyTree,
    ]


@lru_cache(maxsize=64)
def padded_strategy(
    name: str, population: int, capacity: int, sigma: float | None = None
) -> PaddedStrategy:
    """Makes a strategy for any number of dimensions from 1 to ``capacity``.

    Args:
        name: see `strategy`.
        population: see `strategy`.
        capacity: the most dimensions.
        sigma: see `strategy`.

    Raises:
        InvalidInputError: see `strategy`; also, in the functions made, too many dimensions.
    """
    full = _shapes(strategy(name, population, capacity, sigma), capacity)

    def of(dimensions: int) -> Strategy:
        require(
            1 <= dimensions <= capacity,
            f"dimensions: {dimensions}; expected 1 to {capacity}, the capacity",
        )
        return strategy(name, population, dimensions, sigma)

    def init(key: PRNGKeyArray, mean: Float[Array, " dimensions"]) -> PyTree:
        return jax.tree.map(_padded, of(mean.shape[0]).init(key, mean), full)

    def ask(key: PRNGKeyArray, state: PyTree, dimensions: int) -> tuple[Array, PyTree]:
        used = of(dimensions)
        state = jax.tree.map(_sliced, state, _shapes(used, dimensions))
        solutions, state = used.ask(key, state)
        return solutions, jax.tree.map(_padded, state, full)

    def tell(
        key: PRNGKeyArray, solutions: Array, fitness: Array, state: PyTree, dimensions: int
    ) -> PyTree:
        used = of(dimensions)
        state = jax.tree.map(_sliced, state, _shapes(used, dimensions))
        return jax.tree.map(_padded, used.tell(key, solutions, fitness, state), full)

    return PaddedStrategy(
        jax.jit(init),
        jax.jit(ask, static_argnums=2),
        jax.jit(tell, static_argnums=4),
    )


def _shapes(used: Strategy, dimensions: int) -> PyTree:
    return jax.eval_shape(used.init, jax.random.key(0), jnp.zeros(dimensions))


def _padded(leaf: Array, full: jax.ShapeDtypeStruct) -> Array:
    return jnp.zeros(full.shape, full.dtype).at[tuple(map(slice, leaf.shape))].set(leaf)


def _sliced(leaf: Array, used: jax.ShapeDtypeStruct) -> Array:
    return leaf[tuple(map(slice, used.shape))]
