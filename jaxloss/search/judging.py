"""The way of a candidate: filters drop it, local search tunes it, partial training scores it."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from jaxloss.keys import named_key
from jaxloss.learning.filters import (
    Archive,
    gradient_norms,
    improvement,
    look_alike,
    look_up,
    record,
)
from jaxloss.learning.fitness import partial_training
from jaxloss.learning.inner import ExampleLoss, predict
from jaxloss.learning.population import (
    PopulationProgram,
    all_at_once,
    jit_brief,
    over_population,
)
from jaxloss.learning.unroll import LocalSearchSettings, local_search
from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.losses.tree import fresh_weights
from jaxloss.losses.views import per_example
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols.genome import Alphabet, Genome, canonical_hash
from jaxloss.tasks.task import Split, Task

FILTERS: tuple[str, ...] = (
    "archive",
    "rejected before",
    "rejected after",
    "equivalent",
    "not finite",
)
"""Names under which `Verdicts.dropped` counts, in running order."""


class Verdicts(NamedTuple):
    """What became of each tree of a generation.

    Attributes:
        weights: edge weights after local search; for trained trees only.
        fitness: lower is better; infinite for what a filter dropped.
        trained: whether the tree went through partial training.
        dropped: how many each filter took out.
    """

    weights: Float[np.ndarray, "trees edges"]
    fitness: Float[np.ndarray, " trees"]
    trained: np.ndarray
    dropped: dict[str, int]


class CandidatePrograms(NamedTuple):
    """The compiled parts of the way, each ``(shared, candidates) -> results``."""

    describe: Callable[[PRNGKeyArray, Int[np.ndarray, "trees capacity"]], tuple[Array, Array]]
    improve: PopulationProgram
    tune: PopulationProgram
    norms: PopulationProgram
    train: PopulationProgram


Judge = Callable[
    [PRNGKeyArray, Int[np.ndarray, "trees capacity"], Archive, int], tuple[Verdicts, Archive]
]


class _Work(NamedTuple):
    """A generation under judgement; stages write into the rows of the trees they see."""

    trees: Int[np.ndarray, "trees capacity"]
    weights: Float[np.ndarray, "trees edges"]
    norms: Float[np.ndarray, "trees examples"]
    fitness: Float[np.ndarray, " trees"]

    def candidates(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.trees[rows], self.weights[rows]


Stage = Callable[[_Work, np.ndarray], np.ndarray]
"""``(work, rows) -> passed``: treats some rows and says which of them go on."""


def tree_judge(
    task: Task,
    settings: GeneticSettings,
    tuning: LocalSearchSettings | None,
    alphabet: Alphabet,
) -> Judge:
    """Makes ``(key, genomes, archive, generation) -> (verdicts, archive)``.

    ``key`` is the whole search's: partial training starts from the same networks in every
    generation, so that archived fitness stays comparable; local search draws new ones in each.

    Args:
        task: what candidates are judged on.
        settings: of the search.
        tuning: of local search; None keeps all weights at 1 (GP-LFL).
        alphabet: of the genomes.
    """
    programs = candidate_programs(task, settings, tuning, alphabet)
    examples = Split(*(part[: settings.rejection.examples] for part in task.train))
    splits = (task.train, task.valid)
    when, tolerance = settings.rejection.when, settings.equivalence_tolerance

    def stages(key: PRNGKeyArray, archive: Archive, generation: int) -> dict[str, Stage]:
        network_key = named_key(key, "untrained network")
        tuning_key = jax.random.fold_in(named_key(key, "local search"), generation)
        fitness_key = named_key(key, "partial training")

        def improves(work: _Work, rows: np.ndarray) -> np.ndarray:
            gains = programs.improve((network_key, examples), work.candidates(rows))
            return gains > settings.rejection.threshold

        def tune(work: _Work, rows: np.ndarray) -> np.ndarray:
            work.weights[rows] = programs.tune((tuning_key, *splits), work.candidates(rows))
            return np.ones(len(rows), bool)

        def differs(work: _Work, rows: np.ndarray) -> np.ndarray:
            work.norms[rows] = programs.norms((network_key, examples), work.candidates(rows))
            twins = [look_alike(archive, work.norms[row], tolerance or 0.0) for row in rows]
            work.fitness[rows] = [
                np.inf if twin is None else archive.fitness[twin] for twin in twins
            ]
            return np.array([twin is None for twin in twins])

        def score(work: _Work, rows: np.ndarray) -> np.ndarray:
            scores = programs.train((fitness_key, *splits), work.candidates(rows))
            work.fitness[rows] = scores.mean(axis=1)
            return np.isfinite(work.fitness[rows])

        way: dict[str, Stage] = {}
        if when in ("before", "both"):
            way["rejected before"] = improves
        if tuning is not None:
            way["tuned"] = tune
        # Without tuning the second test would repeat the first.
        if when == "after" or (when == "both" and tuning is not None):
            way["rejected after"] = improves
        if tolerance is not None:
            way["equivalent"] = differs
        return {**way, "not finite": score}

    @lru_cache(maxsize=1)
    def compiled() -> None:
        """Compiles all that the way needs at once, when the first generation enters it."""
        key, edges = jax.random.key(0), alphabet.capacity - 1
        one = np.zeros((1, alphabet.capacity), np.int32), np.ones((1, edges), np.float32)
        jobs = []
        if tuning is not None:  # First, because it takes longest.
            jobs.append(partial(programs.tune.prepare, (key, *splits), one))
        jobs.append(partial(programs.train.prepare, (key, *splits), one))
        if when != "never":
            jobs.append(partial(programs.improve.prepare, (key, examples), one))
        all_at_once(jobs)

    def judge(
        key: PRNGKeyArray, trees: np.ndarray, archive: Archive, generation: int
    ) -> tuple[Verdicts, Archive]:
        compiled()
        weights_key = jax.random.fold_in(named_key(key, "fresh weights"), generation)
        hashes, weights = (np.array(part) for part in programs.describe(weights_key, trees))
        norms = np.full((len(trees), archive.norms.shape[1]), np.nan, np.float32)
        work = _Work(trees, weights, norms, np.full(len(trees), np.inf, np.float32))
        known = look_up(archive, hashes)
        new = np.array([i for i in _first_of_each(hashes) if known[i] is None], int)
        dropped = {**dict.fromkeys(FILTERS, 0), "archive": len(trees) - len(new)}

        rows, trained = new, np.zeros(len(trees), bool)
        for name, stage in stages(key, archive, generation).items():
            if not len(rows):
                break
            trained[rows] = name == "not finite"
            passed = stage(work, rows)
            if name in FILTERS:
                dropped[name] = int(np.sum(~passed))
            rows = rows[passed]

        archive = record(archive, hashes[new], work.fitness[new], norms[new])
        for i, row in enumerate(look_up(archive, hashes)):
            if row is not None:
                work.fitness[i] = archive.fitness[row]
        return Verdicts(weights, work.fitness, trained, dropped), archive

    return judge


def _first_of_each(hashes: np.ndarray) -> list[int]:
    """Finds where each distinct hash occurs first."""
    seen: dict[tuple[int, ...], int] = {}
    for i, row in enumerate(hashes):
        seen.setdefault(tuple(row), i)
    return list(seen.values())


def candidate_programs(
    task: Task,
    settings: GeneticSettings,
    tuning: LocalSearchSettings | None,
    alphabet: Alphabet,
) -> CandidatePrograms:
    """Makes the compiled parts that `tree_judge` runs one after the other; same arguments."""
    see = task.view.see

    def bind(genome: Genome) -> Callable[[Array], ExampleLoss]:
        program = assemble(alphabet, genome)

        def with_weights(weights: Array) -> ExampleLoss:
            def loss(outputs: Array, targets: Array) -> Array:
                variables = see(outputs, targets)
                return per_example(interpret(alphabet, program, weights, *variables))

            return loss

        return with_weights

    @jit_brief
    def describe(key: PRNGKeyArray, genomes: np.ndarray) -> tuple[Array, Array]:
        hashes = jax.vmap(lambda genome: canonical_hash(alphabet, genome))(genomes)
        edges, trees = alphabet.capacity - 1, genomes.shape[0]
        if tuning is None:
            return hashes, jnp.ones((trees, edges))
        # fold_in, not split: a tree's weights do not depend on how many trees there are.
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(trees))
        return hashes, jax.vmap(lambda key: fresh_weights(key, edges))(keys)

    def untrained_outputs(key: PRNGKeyArray, examples: Split) -> Array:
        variables = task.model.init(key, examples.inputs[:1])
        return predict(task.model, variables, examples.inputs)

    def improve(shared: PyTree, candidate: PyTree) -> Array:
        (key, examples), (genome, weights) = shared, candidate
        outputs = untrained_outputs(key, examples)
        loss = bind(genome)(weights)
        return improvement(task, settings.rejection, loss, outputs, examples.targets)

    def tune(shared: PyTree, candidate: PyTree) -> Array:
        (key, train, valid), (genome, weights) = shared, candidate
        if tuning is None:
            return weights
        tuned, _ = local_search(
            key,
            task.model,
            settings.optimizer,
            tuning,
            task.task_loss,
            bind(genome),
            train,
            valid,
            weights,
        )
        return tuned

    def norms(shared: PyTree, candidate: PyTree) -> Array:
        (key, examples), (genome, weights) = shared, candidate
        outputs = untrained_outputs(key, examples)
        return gradient_norms(bind(genome)(weights), outputs, examples.targets)

    def train(shared: PyTree, candidate: PyTree) -> Array:
        (key, training, valid), (genome, weights) = shared, candidate
        loss = bind(genome)(weights)
        return partial_training(
            key, task, settings.optimizer, settings.fitness, loss, training, valid
        )

    chunk = settings.chunk or default_chunk(settings.population)
    lifted = (over_population(part, chunk) for part in (improve, tune, norms, train))
    return CandidatePrograms(describe, *lifted)


def default_chunk(population: int) -> int:
    """Chooses how many candidates run at once: few on a CPU, so that few are mere copies."""
    return min(population, 4) if jax.default_backend() == "cpu" else population
