"""Strategies minimise, keep what is not finite out of their states, and fit any capacity."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.errors import InvalidInputError
from jaxloss.search.flat_judging import HOPELESS
from jaxloss.search.padded_strategies import padded_strategy
from jaxloss.search.strategies import Strategy, strategy
from jaxloss.search.strategy_kinds import REMEMBERING, STRATEGY_NAMES

POPULATION = 10
MEAN = jnp.array([1.0, -1.0, 2.0])
SIGMA = 0.5
FROM_POPULATION = (
    "differential_evolution",
    "gesmr_ga",
    "learned_ga",
    "mr15_ga",
    "pso",
    "samr_ga",
    "simple_ga",
)
GUARDED = ("cma_es", "open_es", "ars", "snes", "iamalgam_full", "differential_evolution", "pso")
# evosax's optimiser of PGPE calls an old name of optax; not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore:optax.global_norm:DeprecationWarning")


def quadratic(solutions: Float[Array, "population dimensions"]) -> Float[Array, " population"]:
    return jnp.sum(solutions**2, axis=1)


def searched(used: Strategy, generations: int, state: PyTree, seed: int = 0) -> PyTree:
    for generation in range(generations):
        key = jax.random.fold_in(jax.random.key(seed), generation)
        solutions, state = used.ask(key, state)
        state = used.tell(key, solutions, quadratic(solutions), state)
    return state


@cache
def counted(name: str) -> tuple[Strategy, list[str]]:
    """Compiles a strategy for all tests, and writes down each time that JAX traces it."""
    used = strategy(name, POPULATION, MEAN.size, SIGMA)
    traced: list[str] = []

    def ask(key: PRNGKeyArray, state: PyTree) -> tuple[Array, PyTree]:
        traced.append("ask")
        return used.ask(key, state)

    def tell(key: PRNGKeyArray, solutions: Array, fitness: Array, state: PyTree) -> PyTree:
        traced.append("tell")
        return used.tell(key, solutions, fitness, state)

    return Strategy(used.init, jax.jit(ask), jax.jit(tell)), traced


def kinds(state: PyTree) -> list[tuple[tuple[int, ...], np.dtype, bool]]:
    return [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]


def assert_same(one: PyTree, other: PyTree):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("name", STRATEGY_NAMES)
def test_a_quadratic_improves_and_nothing_recompiles(name: str):
    used, traced = counted(name)
    first = used.init(jax.random.key(0), MEAN)
    last = searched(used, 25, first)
    # The same noise before and after: what differs is where it is added.
    before, after = (quadratic(used.ask(jax.random.key(1), state)[0]) for state in (first, last))
    assert float(jnp.median(after)) < float(jnp.median(before))
    assert kinds(last) == kinds(first)
    assert not any(weak for _, _, weak in kinds(first))
    # A checkpoint's way: numpy arrays.
    resumed = jax.tree.map(jnp.asarray, jax.tree.map(np.asarray, last))
    assert_same(searched(used, 1, resumed), searched(used, 1, last))
    assert sorted(traced) == ["ask", "tell"]


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_fitness_that_is_not_finite_counts_as_the_worst(name: str, bad: float):
    used, _ = counted(name)
    state = searched(used, 2, used.init(jax.random.key(0), MEAN))
    key = jax.random.key(5)
    solutions, state = used.ask(key, state)
    fitness = quadratic(solutions)
    told = used.tell(key, solutions, fitness.at[3].set(bad), state)
    spread = jnp.delete(fitness, 3).max() - jnp.delete(fitness, 3).min()
    worst = jnp.delete(fitness, 3).max()
    instead = 1e15 if name in REMEMBERING else worst + spread + 1e-3 * (1 + worst)
    expected = used.tell(key, solutions, fitness.at[3].set(instead), state)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), told, expected)
    assert not jax.tree.all(jax.tree.map(jnp.array_equal, told, state))


def remembered(state: PyTree) -> float:
    """Finds the highest fitness that a strategy goes on comparing with."""
    named = jax.tree_util.tree_flatten_with_path(state)[0]
    values = [
        np.max(value)
        for path, value in named
        if "fitness" in (last := jax.tree_util.keystr(path[-1:])) and last != ".best_fitness"
    ]
    return float(max(values, default=-np.inf))


@pytest.mark.parametrize("name", sorted(REMEMBERING))
@pytest.mark.parametrize("failed", ["rejected", "not finite"])
def test_nothing_that_failed_is_preferred_to_what_comes_later(name: str, failed: str):
    used, _ = counted(name)
    key = jax.random.key(5)
    solutions, state = used.ask(key, used.init(jax.random.key(0), MEAN))
    hopeless = jnp.linspace(2 * HOPELESS, 3 * HOPELESS, POPULATION)
    # One has been trained, else the strategy would not be told.
    first = hopeless if failed == "rejected" else jnp.full(POPULATION, jnp.inf).at[0].set(1.0)
    state = used.tell(key, solutions, first, state)
    for number in range(3):
        solutions, state = used.ask(jax.random.key(number), state)
        state = used.tell(key, solutions, 50 + quadratic(solutions), state)
    assert remembered(state) < HOPELESS


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_generation_without_finite_fitness_changes_nothing(name: str, bad: float):
    used, _ = counted(name)
    fresh = used.init(jax.random.key(0), MEAN)
    for state in (fresh, searched(used, 2, fresh)):
        key = jax.random.key(5)
        solutions, state = used.ask(key, state)
        assert_same(used.tell(key, solutions, jnp.full(POPULATION, bad), state), state)


@pytest.mark.parametrize("name", [*GUARDED, "learned_ga", "pgpe", "esmc"])
def test_enormous_fitness_leaves_the_next_candidates_finite(name: str):
    used, _ = counted(name)
    state = searched(used, 2, used.init(jax.random.key(0), MEAN))
    for number in range(3):
        key = jax.random.key(number)
        solutions, state = used.ask(key, state)
        signs = jnp.where(jnp.arange(POPULATION) % 3 == 0, 1e38, -1e38)
        state = used.tell(key, solutions, signs.at[1].set(jnp.nan), state)
        assert jnp.all(jnp.isfinite(used.ask(key, state)[0]))


@pytest.mark.parametrize("name", FROM_POPULATION)
def test_the_first_population_counts_only_once_it_is_judged(name: str):
    used, _ = counted(name)
    state = used.init(jax.random.key(0), MEAN)
    first, state = used.ask(jax.random.key(1), state)
    # Not judged, so there is nothing to build on: another key draws another first population.
    other, _ = used.ask(jax.random.key(2), state)
    assert not jnp.array_equal(first, other)
    state = used.tell(jax.random.key(1), first, quadratic(first), state)
    np.testing.assert_array_equal(state.inner.population, first)
    np.testing.assert_array_equal(state.inner.fitness, quadratic(first))
    np.testing.assert_array_equal(state.inner.best_solution, first[quadratic(first).argmin()])


@pytest.mark.parametrize("name", ["cma_es", "xnes", "open_es", "ars", "snes", "pso", "samr_ga"])
def test_sigma_is_the_spread_of_the_first_candidates(name: str):
    for sigma in (0.1, 3.0):
        used = strategy(name, 500, MEAN.size, sigma)
        solutions, _ = used.ask(jax.random.key(1), used.init(jax.random.key(0), MEAN))
        # The spread of 1500 normal numbers has a standard error of 2 %.
        assert float(jnp.std(solutions - MEAN[None])) == pytest.approx(sigma, rel=0.08)


@pytest.mark.parametrize("name", ["cma_es", "rm_es", "pgpe", "evotf_es", "learned_ga", "pso"])
def test_a_padded_strategy_is_the_plain_one(name: str):
    padded = padded_strategy(name, POPULATION, 5, SIGMA)
    shapes = kinds(padded.init(jax.random.key(0), jnp.zeros(5)))
    for size in (1, 5):
        plain = strategy(name, POPULATION, size, SIGMA)
        mean = jnp.arange(1.0, size + 1)
        state, expected_state = (one.init(jax.random.key(0), mean) for one in (padded, plain))
        for generation in range(3):
            key = jax.random.key(generation)
            solutions, state = padded.ask(key, state, size)
            expected, expected_state = plain.ask(key, expected_state)
            np.testing.assert_allclose(solutions, expected, rtol=1e-4, atol=1e-5)
            state = padded.tell(key, solutions, quadratic(solutions), state, size)
            expected_state = plain.tell(key, expected, quadratic(expected), expected_state)
        assert kinds(state) == shapes


@pytest.mark.parametrize("name", ["cma_es", "simulated_annealing", "gesmr_ga"])
def test_the_key_decides_alone(name: str):
    used, _ = counted(name)
    one, same, other = (
        searched(used, 3, used.init(jax.random.key(0), MEAN), seed) for seed in (0, 0, 1)
    )
    assert_same(one, same)
    asked = [used.ask(jax.random.key(9), state)[0] for state in (one, other)]
    assert not jnp.array_equal(asked[0], asked[1])


@pytest.mark.parametrize(
    ("name", "population", "dimensions", "sigma", "message"),
    [
        ("cmaes", 8, 3, None, "unknown strategy 'cmaes'; valid, nearest first: cma_es"),
        ("open_es", 7, 3, None, "population: 7; open_es expects an even number, at least 2"),
        ("differential_evolution", 3, 3, None, "expects at least 4"),
        ("gesmr_ga", 8, 3, None, "one more than a product"),
        ("cma_es", 8, 0, None, "dimensions: 0; expected at least 1"),
        ("cma_es", 8, 3, 0.0, "sigma: 0.0; expected above 0"),
    ],
)
def test_what_cannot_work_is_refused(
    name: str, population: int, dimensions: int, sigma: float | None, message: str
):
    with pytest.raises(InvalidInputError, match=message):
        strategy(name, population, dimensions, sigma)


def test_more_dimensions_than_the_capacity_are_refused():
    padded = padded_strategy("cma_es", POPULATION, 4, SIGMA)
    with pytest.raises(InvalidInputError, match="dimensions: 5; expected 1 to 4"):
        padded.init(jax.random.key(0), jnp.zeros(5))
