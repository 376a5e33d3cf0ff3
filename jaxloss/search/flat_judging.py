"""How losses of one family are judged all at once: rejection test, partial training."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.compilation import all_at_once
from jaxloss.learning.population import PopulationProgram, over_population
from jaxloss.losses.binding import Binding
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.forms import Form
from jaxloss.losses.views import view_named
from jaxloss.search.candidate import candidate_way, rejection_examples
from jaxloss.search.plan import chunk_of
from jaxloss.search.programs import drawing
from jaxloss.search.settings import PopulationSettings
from jaxloss.search.several import Tasks, mean_of, mean_over_tasks, task_scales
from jaxloss.search.strategy_kinds import REMEMBERING
from jaxloss.tasks.task import Split


class FlatVerdicts(NamedTuple):
    """What became of each candidate.

    Attributes:
        fitness: lower is better; infinite where the training failed or a filter dropped it.
        ranking: what a strategy is told: the fitness, infinite where the training failed, and for
            rejected candidates a value behind all finite ones, the lower the less hopeless; behind
            those of later generations too, if the strategy compares with them.
        trained: whether the candidate was trained with.
        dropped: how many each filter took out.
        training_steps: steps of inner training that were taken.
    """

    fitness: Float[np.ndarray, " candidates"]
    ranking: Float[np.ndarray, " candidates"]
    trained: Bool[np.ndarray, " candidates"]
    dropped: dict[str, int]
    training_steps: int


FlatJudge = Callable[[PRNGKeyArray, Float[np.ndarray, "candidates parameters"]], FlatVerdicts]


LARGEST = 1e30
"""Fitness beyond which all candidates are as hopeless as rejected ones, far from overflow."""

HOPELESS = 1e14
"""Where rejected candidates begin that are compared with later generations: beyond all fitness that
a training of use ends with, and short of 1e15, where strategies cut off."""


class _TaskPrograms(NamedTuple):
    improve: PopulationProgram
    train: PopulationProgram
    examples: Split
    splits: tuple[Split, Split]


def flat_judge(
    tasks: Tasks, settings: PopulationSettings, form: Form, view: str, strategy: str | None = None
) -> FlatJudge:
    """Makes ``(key, parameters) -> verdicts``.

    ``key`` is the whole search's, so that all generations train from the same networks.

    Args:
        tasks: what candidates are judged on.
        settings: ``rejection.when`` other than "never" tests once, before the training.
        form: the family.
        view: what its losses see.
        strategy: name of the strategy that is told of the ranking, if one is.

    Raises:
        InvalidInputError: candidates are to race, which only trees do.
    """
    require(
        settings.fitness.rungs == 1,
        f"only trees race: expected 1 fitness rung, got {settings.fitness.rungs}",
    )
    bind = family_binding(form, view_named(view))
    parts = [_task_programs(tasks, place, settings, bind) for place in range(len(tasks))]
    scales = task_scales(tasks, settings.optimizer, settings.fitness)
    tests = settings.rejection.when != "never"
    least = HOPELESS if strategy in REMEMBERING else 0.0
    steps = len(tasks) * settings.fitness.seeds * settings.fitness.steps

    @lru_cache(maxsize=1)
    def compiled() -> None:
        """Compiles all at once, when the first generation comes."""
        key, one = jax.random.key(0), (np.zeros((1, form.parameter_count), np.float32),)
        jobs = [partial(part.train.prepare, (key, *part.splits), one) for part in parts]
        if tests:
            jobs += [partial(part.improve.prepare, (key, part.examples), one) for part in parts]
        all_at_once(jobs)

    def gains_of(key: PRNGKeyArray, parameters: np.ndarray) -> np.ndarray:
        return mean_of([part.improve((key, part.examples), (parameters,)) for part in parts])

    def judge(key: PRNGKeyArray, parameters: np.ndarray) -> FlatVerdicts:
        compiled()
        count = len(parameters)
        fitness, gains = np.full(count, np.inf, np.float32), np.full(count, np.inf)
        rows = np.arange(count)
        if tests:
            gains = gains_of(named_key(key, "untrained network"), parameters)
            rows = rows[gains > settings.rejection.threshold]
        if len(rows):
            training_key = named_key(key, "partial training")
            scores = [
                part.train((training_key, *part.splits), (parameters[rows],)) for part in parts
            ]
            fitness[rows] = mean_over_tasks(scores, scales(training_key))
        trained = np.zeros(count, bool)
        trained[rows] = True
        dropped = {
            "rejected before": count - len(rows),
            "not finite": int(np.sum(~np.isfinite(fitness[rows]))),
        }
        ranking = _behind(fitness, gains, trained, least)
        return FlatVerdicts(fitness, ranking, trained, dropped, steps * len(rows))

    return judge


def _task_programs(
    tasks: Tasks, place: int, settings: PopulationSettings, bind: Binding
) -> _TaskPrograms:
    task = tasks[place]
    way = candidate_way(task, settings)

    def lifted(name: str, part: Callable[..., PyTree]) -> PopulationProgram:
        def of_one(shared: PyTree, candidate: tuple[Array]) -> PyTree:
            return part(shared, bind, candidate[0])

        return over_population(of_one, settings.chunk or chunk_of(name, settings.population, task))

    return _TaskPrograms(
        lifted("improve", way.improve),
        drawing(way.draw_training, lifted("train", way.train)),
        rejection_examples(task, settings),
        (task.train, task.valid),
    )


def _behind(
    fitness: np.ndarray, gains: np.ndarray, trained: np.ndarray, least: float
) -> np.ndarray:
    """Puts rejected candidates behind all finite ones and ``least``, in order of their gains."""
    ends = fitness[np.isfinite(fitness)]
    worst = max(min(float(ends.max()), LARGEST), least) if len(ends) else least
    ranking = np.array(fitness, np.float64)
    rejected = np.flatnonzero(~trained)
    order = np.argsort(np.argsort(-gains[rejected], kind="stable"), kind="stable")
    ranking[rejected] = worst + (1.0 + abs(worst)) * (1.0 + order / max(len(rejected), 1))
    return ranking
