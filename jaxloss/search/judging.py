"""The way of a candidate: filters drop it, local search tunes it, partial training scores it."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from jaxloss.keys import named_key
from jaxloss.learning.compilation import all_at_once
from jaxloss.learning.filters import Archive, look_alike, look_up, record
from jaxloss.learning.racing import behind_finishers
from jaxloss.learning.unroll import LocalSearchSettings
from jaxloss.search.programs import candidate_programs
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols.genome import Alphabet
from jaxloss.tasks.task import Split, Task

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
    """

    weights: Float[np.ndarray, "trees edges"]
    fitness: Float[np.ndarray, " trees"]
    trained: np.ndarray
    dropped: dict[str, int]


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
    races = settings.fitness.rungs > 1

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

        def outruns(work: _Work, rows: np.ndarray) -> np.ndarray:
            scores, finished = programs.race((fitness_key, *splits), work.candidates(rows))
            means = scores.mean(axis=1)
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
            jobs.append(partial(programs.tune.prepare, (key, *splits), one))
        training = programs.race if races else programs.train
        jobs.append(partial(training.prepare, (key, *splits), one))
        if when != "never":
            jobs.append(partial(programs.improve.prepare, (key, examples), one))
        if tolerance is not None:
            jobs.append(partial(programs.norms.prepare, (key, examples), one))
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
