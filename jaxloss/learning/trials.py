"""Full trainings under a loss over several seeds, for finalists and the last comparison."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss, predict, train
from jaxloss.learning.population import PopulationProgram, all_at_once, over_population
from jaxloss.losses.forms import TaskLossForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.models.model import Variables
from jaxloss.tasks.task import Split, Task


@dataclass(frozen=True)
class TrialSettings:
    """How losses are trained with for good; steps from the released EvoMAL code, rest *assumed*."""

    steps: int = 10_000
    """Training steps under each loss."""
    finalists: int = 5
    """Losses of the front that are trained again with fresh seeds before one is named."""
    finalist_seeds: int = 5
    """Fresh seeds for each of those trainings, scored on the validation split."""
    seeds: int = 10
    """Seeds of the last comparison with the task loss, scored on the test split."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"trial steps must be 1 or more, got {self.steps}")
        require(self.finalists >= 1, f"finalists must be 1 or more, got {self.finalists}")
        require(self.finalist_seeds >= 1, f"finalist_seeds must be >= 1, got {self.finalist_seeds}")
        require(self.seeds >= 2, f"a comparison needs 2 seeds or more, got {self.seeds}")


class Trials(NamedTuple):
    """What trainings under one loss reached, one row a seed, in the metric's own direction.

    Attributes:
        valid: the metric on the validation split after training.
        test: the metric on the test split after training.
        curve: the metric on the validation split along the way.
    """

    valid: Float[np.ndarray, " seeds"]
    test: Float[np.ndarray, " seeds"]
    curve: Float[np.ndarray, "seeds observations"]


class TrialRunner(NamedTuple):
    """Trains under a loss over several seeds.

    Attributes:
        run: ``(loss, key, seeds) -> trials``.
        prepare: ``(losses) -> None`` compiles for several losses at once; without it, each loss's
            first run compiles.
    """

    run: Callable[[ExampleLoss, PRNGKeyArray, int], Trials]
    prepare: Callable[[Sequence[ExampleLoss]], None]

    def __call__(self, loss: ExampleLoss, key: PRNGKeyArray, seeds: int) -> Trials:
        """Trains."""
        return self.run(loss, key, seeds)


OBSERVATIONS = 40
"""Points of a training curve."""

SEEDS_AT_ONCE = 6
"""Seeds that one call of a compiled program trains; further seeds take further calls."""


@lru_cache(maxsize=8)
def trial_runner(task: Task, optimizer: BaseOptimizerSettings, steps: int) -> TrialRunner:
    """Makes the trainings; the same arguments give the same runner, so nothing compiles twice.

    The same key gives every loss the same networks and batches, so that results can be compared in
    pairs. Each loss is compiled to its own program, which pays for long trainings of few losses.
    """
    observations = min(OBSERVATIONS, steps)

    def metric(variables: Variables, split: Split) -> Array:
        outputs = predict(task.model, variables, split.inputs)
        return task.metric.function(task.predictions(outputs), split.targets)

    @lru_cache(maxsize=32)
    def program(loss: ExampleLoss) -> PopulationProgram:
        def one(splits: tuple[Split, Split, Split], key_data: Array) -> tuple[Array, Array, Array]:
            training, valid, test = splits
            variables, curve = train(
                jax.random.wrap_key_data(key_data),
                task.model,
                optimizer,
                loss,
                training,
                steps,
                observe=lambda variables: metric(variables, valid),
                observations=observations,
            )
            return metric(variables, valid), metric(variables, test), curve

        return over_population(one, -(-SEEDS_AT_ONCE // jax.local_device_count()))

    splits = (task.train, task.valid, task.test)

    def run(loss: ExampleLoss, key: PRNGKeyArray, seeds: int) -> Trials:
        return Trials(*program(loss)(splits, jax.random.key_data(jax.random.split(key, seeds))))

    def prepare(losses: Sequence[ExampleLoss]) -> None:
        keys = jax.random.key_data(jax.random.split(jax.random.key(0), 1))
        all_at_once([partial(program(loss).prepare, splits, keys) for loss in losses])

    return TrialRunner(run, prepare)


class Finalist(NamedTuple):
    """A loss that was trained again with fresh seeds.

    Attributes:
        loss: the loss; the task loss itself if ``learned`` is false.
        fitness: validation fitness for each seed, lower is better.
        learned: whether the search found it.
    """

    loss: LearnedLoss
    fitness: Float[np.ndarray, " seeds"]
    learned: bool

    @property
    def mean(self) -> float:
        """Mean fitness; infinite if any training failed."""
        return float(np.mean(self.fitness))


def task_loss_of(task: Task, origin: tuple[tuple[str, str], ...] = ()) -> LearnedLoss:
    """Writes a task's own loss as a `LearnedLoss`."""
    return LearnedLoss(TaskLossForm(task.task_loss_name), (), task.view.name, origin)


def judge_finalists(
    task: Task,
    run_trials: TrialRunner,
    key: PRNGKeyArray,
    seeds: int,
    candidates: list[LearnedLoss],
    task_loss: LearnedLoss,
) -> list[Finalist]:
    """Trains candidates and the task loss with fresh seeds and ranks them by validation fitness.

    This is what undoes the winner's curse: the fitness that made a candidate a finalist was its
    best luck among many.

    Returns:
        Finalists, best first; at equal fitness the task loss comes before learned ones.
    """

    def judged(loss: LearnedLoss, trained: ExampleLoss, learned: bool) -> Finalist:
        values = run_trials(trained, key, seeds).valid
        fitness = np.asarray(task.metric.fitness(jnp.asarray(values)))
        return Finalist(loss, np.where(np.isfinite(fitness), fitness, np.inf), learned)

    run_trials.prepare([task.task_loss, *candidates])
    finalists = [judged(task_loss, task.task_loss, learned=False)]
    finalists += [judged(loss, loss, learned=True) for loss in candidates]
    return sorted(finalists, key=lambda finalist: (finalist.mean, finalist.learned))
