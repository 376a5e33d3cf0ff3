"""The way of a candidate: filters drop it, local search tunes it, partial training scores it."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.compilation import all_at_once
from jaxloss.learning.filters import Archive, look_alike, look_up, record
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.racing import behind_finishers
from jaxloss.search.candidate import rejection_examples
from jaxloss.search.programs import candidate_programs, tuning_program
from jaxloss.search.settings import GeneticSettings
from jaxloss.search.several import Tasks, mean_of, mean_over_tasks, task_scales
from jaxloss.symbols.genome import Alphabet
from jaxloss.tasks.task import Split

FILTERS: tuple[str, ...] = (
    "archive",
    "rejected before",
    "rejected after",
    "equivalent",
    "outrun",
    "not finite",
)
"""Names under which `Verdicts.dropped` counts, in running order; what only some settings ask for
counts 0 elsewhere."""


class Verdicts(NamedTuple):
    """What became of each tree of a generation.

    Attributes:
        weights: edge weights after local search; for trained trees only.
        fitness: lower is better; infinite for what a filter dropped, and behind all that were
            trained to the end for what was outrun, see `racing.behind_finishers`.
        trained: whether the tree went through partial training to its end, or until the training
            failed.
        dropped: how many each filter took out.
        training_steps: steps of inner training that were taken.
    """

    weights: Float[np.ndarray, "trees edges"]
    fitness: Float[np.ndarray, " trees"]
    trained: np.ndarray
    dropped: dict[str, int]
    training_steps: int


Judge = Callable[
    [PRNGKeyArray, Int[np.ndarray, "trees capacity"], Archive, int], tuple[Verdicts, Archive]
]


class _Shared(NamedTuple):
    """What all candidates share on one task."""

    examples: Split
    splits: tuple[Split, Split]


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
    tasks: Tasks,
    settings: GeneticSettings,
    tuning: LocalSearchSettings | None,
    alphabet: Alphabet,
) -> Judge:
    """Makes ``(key, genomes, archive, generation) -> (verdicts, archive)``.

    ``key`` is the whole search's: partial training starts from the same networks in every
    generation, so that archived fitness stays comparable; local search draws new ones in each.

    Args:
        tasks: what candidates are judged on.
        settings: of the search.
        tuning: of local search; None keeps all weights at 1 (GP-LFL).
        alphabet: of the genomes.

    Raises:
        InvalidInputError: candidates are to race on several tasks.
    """
    parts = [candidate_programs(task, settings, tuning, alphabet) for task in tasks]
    tuner = tuning_program(tasks, settings, tuning, alphabet)
    of_tasks = [
        _Shared(rejection_examples(task, settings), (task.train, task.valid)) for task in tasks
    ]
    all_splits = [shared.splits for shared in of_tasks]
    when, tolerance = settings.rejection.when, settings.equivalence_tolerance
    races = settings.fitness.rungs > 1
    require(
        not races or len(tasks) == 1,
        f"candidates race on one task only, got {len(tasks)}; set fitness rungs to 1",
    )
    scales = task_scales(tasks, settings.optimizer, settings.fitness)

    def stages(key: PRNGKeyArray, archive: Archive, generation: int) -> dict[str, Stage]:
        network_key = named_key(key, "untrained network")
        tuning_key = jax.random.fold_in(named_key(key, "local search"), generation)
        fitness_key = named_key(key, "partial training")

        def improves(work: _Work, rows: np.ndarray) -> np.ndarray:
            gains = [
                programs.improve((network_key, shared.examples), work.candidates(rows))
                for programs, shared in zip(parts, of_tasks, strict=True)
            ]
            return mean_of(gains) > settings.rejection.threshold

        def tune(work: _Work, rows: np.ndarray) -> np.ndarray:
            work.weights[rows] = tuner((tuning_key, all_splits), work.candidates(rows))
            return np.ones(len(rows), bool)

        def differs(work: _Work, rows: np.ndarray) -> np.ndarray:
            # What looks alike on the first task's examples is taken for alike.
            shared = network_key, of_tasks[0].examples
            work.norms[rows] = parts[0].norms(shared, work.candidates(rows))
            twins = [look_alike(archive, work.norms[row], tolerance or 0.0) for row in rows]
            work.fitness[rows] = [
                np.inf if twin is None else archive.fitness[twin] for twin in twins
            ]
            return np.array([twin is None for twin in twins])

        def score(work: _Work, rows: np.ndarray) -> np.ndarray:
            scores = [
                programs.train((fitness_key, *shared.splits), work.candidates(rows))
                for programs, shared in zip(parts, of_tasks, strict=True)
            ]
            work.fitness[rows] = mean_over_tasks(scores, scales(fitness_key))
            return np.isfinite(work.fitness[rows])

        def outruns(work: _Work, rows: np.ndarray) -> np.ndarray:
            shared = fitness_key, *of_tasks[0].splits
            scores, finished = parts[0].race(shared, work.candidates(rows))
            means = mean_over_tasks([scores], scales(fitness_key))
            work.fitness[rows] = behind_finishers(means, finished)
            # A training that failed on the way has nowhere to go.
            return finished | ~np.isfinite(means)

        def is_finite(work: _Work, rows: np.ndarray) -> np.ndarray:
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
        if races:
            return {**way, "outrun": outruns, "not finite": is_finite}
        return {**way, "not finite": score}

    @lru_cache(maxsize=1)
    def compiled() -> None:
        """Compiles all that the way needs at once, when the first generation enters it."""
        key, edges = jax.random.key(0), alphabet.capacity - 1
        one = np.zeros((1, alphabet.capacity), np.int32), np.ones((1, edges), np.float32)
        jobs = []
        if tuning is not None:  # First, because it takes longest.
            jobs.append(partial(tuner.prepare, (key, all_splits), one))
        for programs, shared in zip(parts, of_tasks, strict=True):
            training = programs.race if races else programs.train
            jobs.append(partial(training.prepare, (key, *shared.splits), one))
            if when != "never":
                jobs.append(partial(programs.improve.prepare, (key, shared.examples), one))
        if tolerance is not None:
            jobs.append(partial(parts[0].norms.prepare, (key, of_tasks[0].examples), one))
        all_at_once(jobs)

    steps_of = _steps_of(settings, tuning)

    def judge(
        key: PRNGKeyArray, trees: np.ndarray, archive: Archive, generation: int
    ) -> tuple[Verdicts, Archive]:
        compiled()
        weights_key = jax.random.fold_in(named_key(key, "fresh weights"), generation)
        hashes, weights = (np.array(part) for part in parts[0].describe(weights_key, trees))
        norms = np.full((len(trees), archive.norms.shape[1]), np.nan, np.float32)
        work = _Work(trees, weights, norms, np.full(len(trees), np.inf, np.float32))
        known = look_up(archive, hashes)
        new = np.array([i for i in _first_of_each(hashes) if known[i] is None], int)
        dropped = {**dict.fromkeys(FILTERS, 0), "archive": len(trees) - len(new)}

        rows, trained, steps = new, np.zeros(len(trees), bool), 0
        for name, stage in stages(key, archive, generation).items():
            if not len(rows):
                break
            trained[rows] = name == "not finite"
            if name in steps_of:
                steps += len(tasks) * steps_of[name](len(rows))
            passed = stage(work, rows)
            if name in FILTERS:
                dropped[name] = int(np.sum(~passed))
            rows = rows[passed]

        archive = record(archive, hashes[new], work.fitness[new], norms[new])
        for i, row in enumerate(look_up(archive, hashes)):
            if row is not None:
                work.fitness[i] = archive.fitness[row]
        return Verdicts(weights, work.fitness, trained, dropped, steps), archive

    return judge


def _steps_of(
    settings: GeneticSettings, tuning: LocalSearchSettings | None
) -> dict[str, Callable[[int], int]]:
    """Makes ``candidates -> steps`` for each stage with inner training, on one task.

    A candidate whose training fails on the way counts as if it had gone on.
    """
    last = "outrun" if settings.fitness.rungs > 1 else "not finite"
    counts = {last: settings.fitness.training_steps}
    if tuning is not None:
        of_one = tuning.meta_steps * tuning.inner_steps
        counts["tuned"] = lambda candidates: candidates * of_one
    return counts


def _first_of_each(hashes: np.ndarray) -> list[int]:
    """Finds where each distinct hash occurs first."""
    seen: dict[tuple[int, ...], int] = {}
    for i, row in enumerate(hashes):
        seen.setdefault(tuple(row), i)
    return list(seen.values())
