"""The compiled parts of a candidate's way, each for a whole population."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from jaxloss.learning.compilation import jit_brief, steady_options
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.population import PopulationProgram, over_population
from jaxloss.learning.racing import race
from jaxloss.learning.structures import over_structures
from jaxloss.losses.binding import interpreted_binding, specialised_binding
from jaxloss.losses.tree import fresh_weights
from jaxloss.losses.views import View
from jaxloss.search.candidate import candidate_way, tuning_way
from jaxloss.search.plan import Execution, execution_plan
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols.genome import Alphabet, canonical_hash
from jaxloss.tasks.task import Task


class CandidatePrograms(NamedTuple):
    """The compiled parts of the way; all but the first are ``(shared, candidates) -> results``.

    Candidates are genomes with their edge weights.

    Attributes:
        describe: ``(key, genomes) -> (hashes, fresh weights)``.
        improve: the rejection test's improvement of the metric; shares a key and examples.
        norms: gradient norms on examples; shares what ``improve`` does.
        train: fitness for each seed after partial training; shares a key and the train and valid
            splits.
        race: the same with some who leave before the end, and who did not; shares likewise.
    """

    describe: Callable[[PRNGKeyArray, Int[np.ndarray, "trees capacity"]], tuple[Array, Array]]
    improve: PopulationProgram
    norms: PopulationProgram
    train: PopulationProgram
    race: PopulationProgram


def candidate_programs(
    task: Task,
    settings: GeneticSettings,
    tuning: LocalSearchSettings | None,
    alphabet: Alphabet,
) -> CandidatePrograms:
    """Makes the compiled parts that `tree_judge` runs one after the other on a task."""
    way = candidate_way(task, settings)
    plan = execution_plan(task, settings, tuning)

    @jit_brief
    def describe(key: PRNGKeyArray, genomes: np.ndarray) -> tuple[Array, Array]:
        hashes = jax.vmap(lambda genome: canonical_hash(alphabet, genome))(genomes)
        edges, trees = alphabet.capacity - 1, genomes.shape[0]
        if tuning is None:
            return hashes, jnp.ones((trees, edges))
        # fold_in, not split: a tree's weights do not depend on how many trees there are.
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(trees))
        return hashes, jax.vmap(lambda key: fresh_weights(key, edges))(keys)

    def lifted(name: str, carries: bool = False) -> PopulationProgram:
        return over_trees(getattr(way, name), plan[name], alphabet, task.view, carries)

    return CandidatePrograms(
        describe,
        improve=lifted("improve"),
        norms=lifted("norms"),
        train=drawing(way.draw_training, lifted("train")),
        race=race(
            settings.fitness,
            jax.jit(way.draw_training, compiler_options=steady_options()),
            lifted("advance", carries=True),
        ),
    )


def tuning_program(
    tasks: Sequence[Task],
    settings: GeneticSettings,
    tuning: LocalSearchSettings | None,
    alphabet: Alphabet,
) -> PopulationProgram:
    """Makes local search: ``((key, splits of each task), candidates) -> weights``.

    ``tuning`` is None where weights stay as they are; then nobody runs it.
    """
    way = tuning_way(tasks, settings, tuning or LocalSearchSettings(meta_steps=0))
    plan = execution_plan(tasks[0], settings, tuning)["tune"]
    return drawing(way.draw, over_trees(way.tune, plan, alphabet, tasks[0].view))


def over_trees(
    part: Callable[..., PyTree],
    execution: Execution,
    alphabet: Alphabet,
    view: View,
    carries: bool = False,
) -> PopulationProgram:
    """Lifts a part of the way to a population of trees, ``(genomes, weights, ...)``."""

    def interpreted(shared: PyTree, candidate: PyTree) -> PyTree:
        genome, *inputs = candidate
        return part(shared, interpreted_binding(alphabet, view, genome), *inputs)

    def specialised(genome: np.ndarray) -> Callable[..., PyTree]:
        bind = specialised_binding(view, alphabet.decode(genome))
        return lambda shared, *inputs: part(shared, bind, *inputs)

    if execution.way == "specialised":
        return over_structures(specialised)
    return over_population(interpreted, execution.chunk, carries=carries)


def drawing(
    draw: Callable[[PRNGKeyArray, Any], PyTree], program: PopulationProgram
) -> PopulationProgram:
    """Draws once for all calls what chance decides, where the program would each time.

    Args:
        draw: ``(key, examples) -> draws``.
        program: shares ``(draws, examples, *others)``.

    Returns:
        A program that shares ``(key, examples, *others)``.
    """
    compiled = jax.jit(draw, compiler_options=steady_options())

    def drawn(shared: PyTree) -> PyTree:
        key, examples, *others = shared
        # The examples stay beside the draws: what a compiled function returns is a copy.
        return compiled(key, examples), examples, *others

    return PopulationProgram(
        lambda shared, candidates: program.run(drawn(shared), candidates),
        lambda shared, candidates: program.prepare(drawn(shared), candidates),
    )
