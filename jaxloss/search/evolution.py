"""The evolution that EvoMAL and GP-LFL share: vary, judge, keep the best of each size."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.compilation import jit_brief
from jaxloss.learning.filters import Archive, empty_archive
from jaxloss.learning.finalists import Finalist
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.losses.forms import TreeForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.search.finals import fittest_first, judged_again, origin_of
from jaxloss.search.judging import Verdicts, tree_judge
from jaxloss.search.search import FrontEntry, Info, Search, unbeaten
from jaxloss.search.seeds import seed_trees, with_numbers_of
from jaxloss.search.settings import GeneticSettings
from jaxloss.search.several import Tasks
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.genome import PAD, Alphabet
from jaxloss.symbols.primitives import PrimitiveSet
from jaxloss.symbols.variation import first_population, next_generation
from jaxloss.tasks.task import Task


class SizeTable(NamedTuple):
    """The best tree of each size; row ``s`` belongs to trees of ``s`` nodes."""

    genomes: Int[np.ndarray, "sizes capacity"]
    weights: Float[np.ndarray, "sizes edges"]
    fitness: Float[np.ndarray, " sizes"]


class EvolutionState(NamedTuple):
    """All that the next generation needs.

    Attributes:
        key: of the whole search; generations fold their number in.
        generation: how many generations have been judged.
        genomes: the population.
        fitness: its fitness; infinite before the first judgement.
        archive: every tree judged so far.
        best_of_size: what the front is read from.
    """

    key: PRNGKeyArray
    generation: Int[np.ndarray, ""]
    genomes: Int[np.ndarray, "population capacity"]
    fitness: Float[np.ndarray, " population"]
    archive: Archive
    best_of_size: SizeTable


def evolution(
    method: str, tasks: Tasks, settings: GeneticSettings, tuning: LocalSearchSettings | None
) -> Search:
    """Makes a genetic search; ``tuning`` is None where weights stay at 1."""
    alphabet = alphabet_of(tasks[0], settings)
    grow = jit_brief(grower(tasks[0], alphabet, settings))
    vary = jit_brief(varier(alphabet, settings))
    judge = tree_judge(tasks, settings, tuning, alphabet)

    def init(key: PRNGKeyArray) -> EvolutionState:
        rows = settings.population * settings.generations
        compared = settings.equivalence_tolerance is not None
        examples = min(settings.rejection.examples, tasks[0].train.inputs.shape[0])
        sizes = alphabet.capacity + 1
        return EvolutionState(
            key=key,
            generation=np.array(0, np.int32),
            genomes=np.asarray(grow(key)),
            fitness=np.full(settings.population, np.inf, np.float32),
            archive=empty_archive(rows, examples if compared else 0),
            best_of_size=SizeTable(
                np.full((sizes, alphabet.capacity), PAD, np.int32),
                np.ones((sizes, alphabet.capacity - 1), np.float32),
                np.full(sizes, np.inf, np.float32),
            ),
        )

    def step(state: EvolutionState) -> tuple[EvolutionState, Info]:
        number = int(state.generation)
        require(
            number < settings.generations,
            f"the search has gone through its {settings.generations} generations",
        )
        genomes = state.genomes
        if number > 0:
            genomes = np.asarray(vary(state.key, number, state.genomes, state.fitness))
        verdicts, archive = judge(state.key, genomes, state.archive, number)
        state = state._replace(
            generation=np.array(number + 1, np.int32),
            genomes=genomes,
            fitness=verdicts.fitness,
            archive=archive,
            best_of_size=_renewed(state.best_of_size, genomes, verdicts),
        )
        return state, report(state, verdicts)

    def report(state: EvolutionState, verdicts: Verdicts) -> Info:
        table = state.best_of_size
        row = int(np.argmin(table.fitness))
        found = bool(np.isfinite(table.fitness[row]))
        return Info(
            generation=int(state.generation) - 1,
            best_fitness=float(table.fitness[row]),
            best=loss_of_size(method, tasks, alphabet, table, row) if found else None,
            candidates=settings.population,
            trained=int(verdicts.trained.sum()),
            dropped=verdicts.dropped,
            training_steps=verdicts.training_steps,
        )

    def front(state: EvolutionState) -> list[FrontEntry]:
        return front_of(method, tasks, alphabet, state.best_of_size)

    def finalists(state: EvolutionState) -> list[Finalist]:
        losses = fittest_first(front(state))
        normalize = settings.fitness.normalize
        return judged_again(method, tasks, settings, state.key, losses, normalize)

    def best(state: EvolutionState) -> LearnedLoss:
        return finalists(state)[0].loss

    return Search(init, step, best, front, finalists, settings.generations, settings.population)


def alphabet_of(task: Task, settings: GeneticSettings) -> Alphabet:
    """Makes the alphabet of a search: the usual primitives over what the loss of a task sees.

    Constants of the losses that it starts from join the usual ones.
    """
    primitives = with_numbers_of(_primitives(task), _seeds(task, settings))
    alphabet = Alphabet(primitives, settings.max_nodes)
    settings.variation.check(alphabet)
    return alphabet


def grower(
    task: Task, alphabet: Alphabet, settings: GeneticSettings
) -> Callable[[PRNGKeyArray], Array]:
    """Makes ``(key) -> genomes``: the first population, with the losses to start from in front.

    The key, here and in `varier`, is the whole search's.
    """
    seeds = [alphabet.encode(tree) for tree in _seeds(task, settings)]
    require(
        len(seeds) <= settings.population,
        f"seed_from has {len(seeds)} losses for a population of {settings.population}",
    )

    def grow(key: PRNGKeyArray) -> Array:
        key = named_key(key, "first population")
        genomes = first_population(key, alphabet, settings.variation, settings.population)
        return genomes.at[: len(seeds)].set(np.array(seeds)) if seeds else genomes

    return grow


def varier(alphabet: Alphabet, settings: GeneticSettings) -> Callable[..., Array]:
    """Makes ``(key, generation, genomes, fitness) -> genomes``: the population that follows."""

    def vary(key: PRNGKeyArray, generation: Array, genomes: Array, fitness: Array) -> Array:
        key = jax.random.fold_in(named_key(key, "variation"), generation)
        return next_generation(key, alphabet, settings.variation, genomes, fitness)

    return vary


def loss_of_size(
    method: str, tasks: Tasks, alphabet: Alphabet, table: SizeTable, size: int
) -> LearnedLoss:
    """Reads the best loss of a size; there has to be one."""
    tree = alphabet.decode(table.genomes[size])
    weights = table.weights[size, : tree.size - 1]
    form = TreeForm(tree, alphabet.primitives.variables)
    origin = origin_of(method, tasks)
    return LearnedLoss(form, tuple(weights.tolist()), tasks[0].view.name, origin)


def front_of(method: str, tasks: Tasks, alphabet: Alphabet, table: SizeTable) -> list[FrontEntry]:
    """Reads the losses that no smaller one beats, smallest first."""
    return unbeaten(
        FrontEntry(loss_of_size(method, tasks, alphabet, table, size), size, fitness)
        for size, fitness in enumerate(table.fitness.tolist())
        if np.isfinite(fitness)
    )


def _primitives(task: Task) -> PrimitiveSet:
    return PrimitiveSet(variables=task.view.variables)


def _seeds(task: Task, settings: GeneticSettings) -> list[Expression]:
    """Reads the losses that are to stand in the first population."""
    tallest = settings.variation.max_height
    trees = seed_trees(settings.seed_from, task.view, _primitives(task), tallest)
    for tree in trees:
        missing = set(task.view.variables) - set(tree.variables)
        require(
            not missing,
            f"seed_from: {tree.infix()!r} lacks {', '.join(sorted(missing))}; a loss needs all",
        )
    return trees


def _renewed(table: SizeTable, genomes: np.ndarray, verdicts: Verdicts) -> SizeTable:
    """Enters trained trees that beat the best of their size; at a tie the earlier one stays."""
    new = SizeTable(*(np.array(part) for part in table))
    sizes = np.sum(genomes != PAD, axis=1)
    for i in np.flatnonzero(verdicts.trained):
        if verdicts.fitness[i] < new.fitness[sizes[i]]:
            new.genomes[sizes[i]] = genomes[i]
            new.weights[sizes[i]] = verdicts.weights[i]
            new.fitness[sizes[i]] = verdicts.fitness[i]
    return new
