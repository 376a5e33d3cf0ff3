"""A whole search as one pure function of a key, so that independent seeds are a ``vmap``.

It is the search of `evolution`, by the same keys, with no host in between: from the first
population to the last generation it runs as one compiled program. It pays the full arithmetic for
candidates that a filter drops (see `masked_judging`), so this way is for small searches over many
seeds; a host's search skips what it drops, runs in chunks, and can be interrupted.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.losses.learned import LearnedLoss
from jaxloss.search.evolution import SizeTable, alphabet_of, front_of, grower, varier
from jaxloss.search.masked_judging import (
    MaskedArchive,
    MaskedVerdicts,
    empty_masked_archive,
    masked_judge,
)
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols.genome import PAD, Alphabet, size
from jaxloss.tasks.task import Task


class WholeResult(NamedTuple):
    """What a whole search found; under ``vmap`` each array has a leading axis of seeds.

    Row ``s`` of the first three belongs to trees of ``s`` nodes, as in `SizeTable`; where none was
    trained, its fitness is infinite.

    Attributes:
        genomes: the best tree of each size.
        weights: its edge weights in preorder, the root left out.
        fitness: its fitness, lower is better.
        best_fitness: lowest fitness so far, after each generation.
        dropped: how many trees each of `judging.FILTERS` dropped, in each generation.
    """

    genomes: Int[Array, "sizes capacity"]
    weights: Float[Array, "sizes edges"]
    fitness: Float[Array, " sizes"]
    best_fitness: Float[Array, " generations"]
    dropped: Int[Array, "generations filters"]


WholeSearch = Callable[[PRNGKeyArray], WholeResult]
"""``(key) -> result``, pure, for ``jit`` and ``vmap``."""


class _Table(NamedTuple):
    """A `SizeTable` on the device."""

    genomes: Int[Array, "sizes capacity"]
    weights: Float[Array, "sizes edges"]
    fitness: Float[Array, " sizes"]


class _State(NamedTuple):
    """What the next generation needs, as in `EvolutionState`."""

    genomes: Int[Array, "population capacity"]
    fitness: Float[Array, " population"]
    archive: MaskedArchive
    best_of_size: _Table


def whole_search(
    task: Task, settings: GeneticSettings, tuning: LocalSearchSettings | None
) -> WholeSearch:
    """Makes a search that can be jitted whole.

    For one key it finds what `evolution` finds for it, to rounding. (Training under some losses, as
    ``sqrt(abs(f*y))``, amplifies rounding until another tree wins: there two programs differ, these
    as any.) Several seeds in one program: ``jax.jit(jax.vmap(search))(jax.random.split(key,
    seeds))``; on a CPU `jit_brief` instead compiles in half the time, for a program that runs
    three times as long. The task's examples become constants of the program, and all candidates of
    all seeds are in memory at once.

    Args:
        task: what candidates are judged on.
        settings: of the search; those of trials are not read.
        tuning: of local search; None keeps all weights at 1 (GP-LFL).

    Raises:
        InvalidInputError: a chunk, a race, normalised fitness or specialised trees are asked for,
            which a whole search cannot do; or a formula to start from cannot be read or is not in
            the alphabet.
    """
    require(
        settings.chunk is None,
        f"a whole search runs all candidates at once: expected no chunk, got {settings.chunk}; "
        "the search of the method (evomal, gp_lfl) runs in chunks",
    )
    require(
        settings.fitness.rungs == 1,
        "a whole search trains all candidates to the end: expected 1 fitness rung, got "
        f"{settings.fitness.rungs}; the search of the method (evomal, gp_lfl) races",
    )
    require(
        not settings.fitness.normalize,
        "a whole search takes scores as they are: expected fitness normalize off; the search of "
        "the method (evomal, gp_lfl) divides them by the usual loss's",
    )
    require(
        settings.way != "specialised",
        "a whole search is one program for all trees: expected way auto or interpreted, got "
        f"{settings.way}; the search of the method (evomal, gp_lfl) compiles each tree",
    )
    alphabet = alphabet_of(task, settings)
    grow, vary = grower(task, alphabet, settings), varier(alphabet, settings)
    judge = masked_judge(task, settings, tuning, alphabet)

    def search(key: PRNGKeyArray) -> WholeResult:
        def generation(state: _State, number: Array) -> tuple[_State, tuple[Array, Array]]:
            genomes = jax.lax.cond(
                number > 0,
                lambda: vary(key, number, state.genomes, state.fitness),
                lambda: state.genomes,
            )
            verdicts, archive = judge(key, genomes, state.archive, number)
            table = _renewed(state.best_of_size, genomes, verdicts)
            history = jnp.min(table.fitness), verdicts.dropped
            return _State(genomes, verdicts.fitness, archive, table), history

        start = _first_state(task, settings, alphabet, grow(key))
        numbers = jnp.arange(settings.generations, dtype=jnp.int32)
        state, history = jax.lax.scan(generation, start, numbers)
        return WholeResult(*state.best_of_size, *history)

    return search


def best_losses(
    method: str, task: Task, settings: GeneticSettings, result: WholeResult
) -> list[LearnedLoss]:
    """Decodes the losses of a search that no smaller one beats: smallest first, fittest last.

    Args:
        method: the losses' origin names it.
        task: what the search was made with.
        settings: likewise.
        result: of one key; that of seed ``i`` among several is
            ``jax.tree.map(lambda leaf: leaf[i], results)``.

    Returns:
        The losses; none if nothing got through the filters.

    Raises:
        InvalidInputError: the result has an axis of seeds.
    """
    require(
        result.fitness.ndim == 1,
        f"expected the result of one search, got an axis of {result.fitness.shape[0]} seeds; take "
        "seed i by jax.tree.map(lambda leaf: leaf[i], results)",
    )
    host = jax.tree.map(np.asarray, result)
    table = SizeTable(host.genomes, host.weights, host.fitness)
    return [entry.loss for entry in front_of(method, (task,), alphabet_of(task, settings), table)]


def _first_state(
    task: Task, settings: GeneticSettings, alphabet: Alphabet, genomes: Array
) -> _State:
    rows, sizes = settings.population * settings.generations, alphabet.capacity + 1
    compared = settings.equivalence_tolerance is not None
    examples = min(settings.rejection.examples, task.train.inputs.shape[0])
    return _State(
        genomes,
        jnp.full(settings.population, jnp.inf, jnp.float32),
        empty_masked_archive(rows, examples if compared else 0),
        _Table(
            jnp.full((sizes, alphabet.capacity), PAD, jnp.int32),
            jnp.ones((sizes, alphabet.capacity - 1), jnp.float32),
            jnp.full(sizes, jnp.inf, jnp.float32),
        ),
    )


def _renewed(table: _Table, genomes: Array, verdicts: MaskedVerdicts) -> _Table:
    """Enters trained trees that beat the best of their size; at a tie the earlier one stays."""
    own = jax.vmap(size)(genomes)[None] == jnp.arange(len(table.fitness))[:, None]
    entered = jnp.where(own & verdicts.trained[None], verdicts.fitness[None], jnp.inf)
    winner = jnp.argmin(entered, axis=1)
    weights = verdicts.weights.astype(table.weights.dtype)
    better = jnp.min(entered, axis=1) < table.fitness
    return _Table(
        jnp.where(better[:, None], genomes[winner], table.genomes),
        jnp.where(better[:, None], weights[winner], table.weights),
        jnp.where(better, verdicts.fitness[winner], table.fitness),
    )
