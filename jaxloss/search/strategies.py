"""Evolution strategies and genetic algorithms over real vectors: evosax's, as pure functions.

https://arxiv.org/abs/2212.04180 (evosax); the algorithms' own papers are named there.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from jaxloss.search.strategy_kinds import FROM_MEAN, KINDS, REMEMBERING, groups_of, require_usable


class Strategy(NamedTuple):
    """A search over vectors by asking for candidates and telling what they are worth.

    Attributes:
        init: ``(key, mean) -> state``; the state is a pytree of arrays whose shapes and dtypes
            never change.
        ask: ``(key, state) -> (solutions, state)``, solutions of ``[population, dimensions]``.
        tell: ``(key, solutions, fitness, state) -> state``; lower fitness is better. A fitness
            that is not finite counts as worse than the worst finite one, and for algorithms that
            compare with earlier generations as 1e15; one beyond ±1e15 as that. Where none is
            finite, or the update would make the state not finite, the state stays as it was.
    """

    init: Callable[[PRNGKeyArray, Float[Array, " dimensions"]], PyTree]
    ask: Callable[[PRNGKeyArray, PyTree], tuple[Float[Array, "population dimensions"], PyTree]]
    tell: Callable[
        [PRNGKeyArray, Float[Array, "population dimensions"], Float[Array, " population"], PyTree],
        PyTree,
    ]


class PopulationState(NamedTuple):
    """The state of an algorithm that starts from a population instead of a mean.

    Attributes:
        inner: evosax's state; means nothing before the first population has been judged.
        mean: where the first population is drawn around.
        started: whether the first population has been judged.
    """

    inner: PyTree
    mean: Float[Array, " dimensions"]
    started: Bool[Array, ""]


# Some algorithms standardise fitness: the sum of its squares has to stay within float32.
_LARGEST_FITNESS = 1e15


@lru_cache(maxsize=256)
def strategy(name: str, population: int, dimensions: int, sigma: float | None = None) -> Strategy:
    """Makes a strategy; the same arguments give the same, already compiled, functions.

    Not on offer: DiffusionEvolution (its schedule needs the number of generations beforehand and
    contracts towards the origin), GuidedES (needs surrogate gradients), LM_MA_ES (evosax 0.3.2
    adapts its matrix to candidates in the order of drawing instead of fitness, and to NaN with
    populations of twice the dimensions), RandomSearch (has no mean), SV_CMA_ES and SV_Open_ES
    (run several populations at once).

    Args:
        name: one of `jaxloss.search.strategy_kinds.STRATEGY_NAMES`. Those that start from a
            population ask for it first: points around the mean, which count for nothing until their
            fitness has been told.
        population: how many candidates a generation has.
        dimensions: the length of a candidate.
        sigma: the initial step size; None: evosax's own. ``gradientless_descent`` takes it as its
            largest radius, the iAMaLGaMs add its square to a model of unit variance, ``asebo``
            divides it by √dimensions. For ``differential_evolution`` and ``pso`` it is but the
            spread of the first population, which for all of their like is 1 where sigma is None.

    Raises:
        InvalidInputError: an unknown name, a population that the algorithm cannot work with, no
            dimensions, or a step size that is not positive.
    """
    require_usable(name, population, dimensions, sigma)
    with jax.numpy_rank_promotion("allow"), jax.ensure_compile_time_eval():
        algorithm, parameters = _algorithm(KINDS[name].algorithm, population, dimensions, sigma)
    if name in FROM_MEAN:
        plain = Strategy(
            lambda key, mean: algorithm.init(key, mean, parameters),
            lambda key, state: algorithm.ask(key, state, parameters),
            lambda *told: algorithm.tell(*told, parameters)[0],
        )
    else:
        spread = 1.0 if sigma is None else sigma
        plain = _from_population(algorithm, parameters, population, spread)
    return _guarded(plain, name in REMEMBERING)


def _algorithm(name: str, population: int, dimensions: int, sigma: float | None) -> tuple[Any, Any]:
    """Makes evosax's object and its parameters; the step size stands in one of three places."""
    # Importing evosax starts JAX's devices, which nobody has asked for yet.
    from evosax import algorithms

    make = getattr(algorithms, name)
    settings: dict[str, Any] = {}
    if sigma is not None and "std_schedule" in inspect.signature(make).parameters:
        settings["std_schedule"] = optax.constant_schedule(sigma)
    if name == "GESMR_GA":
        settings["num_groups"] = groups_of(population)
    algorithm = make(population_size=population, solution=jnp.zeros(dimensions), **settings)
    parameters = algorithm.default_params
    if sigma is not None and hasattr(parameters, "radius_max"):
        shrunk = sigma * parameters.radius_min / parameters.radius_max
        parameters = parameters.replace(radius_max=sigma, radius_min=shrunk)
    elif sigma is not None and hasattr(parameters, "std_init"):
        # xNES multiplies its step size with a matrix that starts with the step size in it too.
        start = sigma**0.5 if name == "xNES" else sigma
        parameters = parameters.replace(std_init=jnp.float32(start))
    return algorithm, parameters


def _from_population(algorithm: Any, parameters: Any, population: int, spread: float) -> Strategy:
    """Starts from a population that is drawn when first asked, and judged before it counts."""

    def init(key: PRNGKeyArray, mean: Array) -> PopulationState:
        unknown = jnp.full(population, jnp.inf, mean.dtype)
        everyone = jnp.tile(mean, (population, 1))
        inner = algorithm.init(key, everyone, unknown, parameters)
        return PopulationState(inner, mean, jnp.asarray(False))

    def ask(key: PRNGKeyArray, state: PopulationState) -> tuple[Array, PopulationState]:
        solutions, inner = algorithm.ask(key, state.inner, parameters)
        first = state.mean + spread * jax.random.normal(key, solutions.shape, solutions.dtype)
        inner = _where(state.started, inner, state.inner)
        return jnp.where(state.started, solutions, first), state._replace(inner=inner)

    def tell(
        key: PRNGKeyArray, solutions: Array, fitness: Array, state: PopulationState
    ) -> PopulationState:
        first = algorithm.init(key, solutions, fitness, parameters)
        later, _ = algorithm.tell(key, solutions, fitness, state.inner, parameters)
        inner = _where(state.started, later, first)
        return PopulationState(inner, state.mean, jnp.asarray(True))

    return Strategy(init, ask, tell)


def _guarded(plain: Strategy, remembers: bool) -> Strategy:
    """Keeps a state's dtypes, and everything that is not finite out of it."""

    def init(key: PRNGKeyArray, mean: Array) -> PyTree:
        # evosax adds vectors to matrices, whatever the caller thinks of that.
        with jax.numpy_rank_promotion("allow"):
            return jax.tree.map(_strong, plain.init(key, jnp.asarray(mean)))

    def ask(key: PRNGKeyArray, state: PyTree) -> tuple[Array, PyTree]:
        with jax.numpy_rank_promotion("allow"):
            solutions, new = plain.ask(key, state)
            return solutions, _where(True, new, state)

    def tell(key: PRNGKeyArray, solutions: Array, fitness: Array, state: PyTree) -> PyTree:
        with jax.numpy_rank_promotion("allow"):
            new = plain.tell(key, solutions, _finite_fitness(fitness, remembers), state)
            usable = jnp.any(jnp.isfinite(fitness)) & ~_spoilt(new, state)
            return _where(usable, new, state)

    return Strategy(jax.jit(init), jax.jit(ask), jax.jit(tell))


def _finite_fitness(
    fitness: Float[Array, " population"], remembers: bool
) -> Float[Array, " population"]:
    """Puts candidates without a finite fitness behind the others, or all to come."""
    finite = jnp.isfinite(fitness)
    bounded = jnp.clip(fitness, -_LARGEST_FITNESS, _LARGEST_FITNESS)
    worst = jnp.max(bounded, initial=-_LARGEST_FITNESS, where=finite)
    best = jnp.min(bounded, initial=_LARGEST_FITNESS, where=finite)
    margin = (worst - best) + 1e-3 * (1 + jnp.abs(worst))
    return jnp.where(finite, bounded, _LARGEST_FITNESS if remembers else worst + margin)


def _spoilt(new: PyTree, old: PyTree) -> Bool[Array, ""]:
    """Finds numbers that stopped being finite; a best fitness of +∞ says that there is none yet."""

    def is_spoilt(path: tuple[Any, ...], after: Array, before: Array) -> Array:
        if not jnp.issubdtype(after.dtype, jnp.floating):
            return jnp.asarray(False)
        forgotten = "fitness" in jax.tree_util.keystr(path[-1:])
        lost = jnp.isnan(after) | jnp.isneginf(after) if forgotten else ~jnp.isfinite(after)
        return jnp.any(lost & jnp.isfinite(before))

    leaves = jax.tree.leaves(jax.tree_util.tree_map_with_path(is_spoilt, new, old))
    return jnp.any(jnp.stack(leaves))


def _where(condition: Any, new: PyTree, old: PyTree) -> PyTree:
    """Chooses between states, in the dtypes of the old one."""
    return jax.tree.map(
        lambda after, before: jnp.where(condition, jnp.asarray(after, before.dtype), before),
        new,
        old,
    )


def _strong(leaf: Array) -> Array:
    """Fixes a dtype that JAX took from a Python number, as a checkpoint would."""
    return jnp.asarray(leaf, jnp.asarray(leaf).dtype)
