"""How the loss of a cell is judged: by trainings as they are, and by tuned ones."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxloss.keys import named_key
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss
from jaxloss.learning.trials import TrialRunner, Trials, even_observations
from jaxloss.learning.tuning import TunedTraining, trained_with, tune_training
from jaxloss.learning.tuning_settings import TuningSettings
from jaxloss.losses.tunable import TunableLoss
from jaxloss.runs.grid.budget import GridBudget
from jaxloss.tasks.task import Task

_OBSERVATIONS = 10
"""How many lengths of training tuning compares, at most (*assumed*)."""


class Tuned(NamedTuple):
    """What tuned trainings reached, and what they were tuned to."""

    trials: Trials
    training: TunedTraining


def evaluated(runner: TrialRunner, loss: ExampleLoss, seed: int, budget: GridBudget) -> Trials:
    """Trains with a loss as it is; the seed gives all losses the same networks and batches."""
    return runner(loss, named_key(jax.random.key(seed), "evaluation"), budget.trainings)


def tuned(
    task: Task,
    optimizer: BaseOptimizerSettings,
    loss: TunableLoss,
    seed: int,
    budget: GridBudget,
) -> Tuned:
    """Tunes a training on the validation split and trains anew, with the networks of `evaluated`.

    Args:
        task: what is trained.
        optimizer: the training that tuning starts from.
        loss: what is minimised.
        seed: gives all losses the same networks, batches and configurations.
        budget: its ``tuning`` is above 0.
    """
    key = jax.random.key(seed)
    found = tune_training(task, optimizer, tuning_settings(budget), named_key(key, "tuning"), loss)
    trials = trained_with(
        task,
        optimizer,
        found,
        loss,
        budget.steps,
        named_key(key, "evaluation"),
        budget.trainings,
    )
    return Tuned(trials, found)


def tuning_settings(budget: GridBudget) -> TuningSettings:
    """Divides what tuning may spend."""
    return TuningSettings(
        budget=budget.tuning,
        steps=budget.steps,
        observations=even_observations(budget.steps, _OBSERVATIONS),
    )


def tuned_data(training: TunedTraining) -> dict[str, Any]:
    """Writes what was chosen in JSON's terms."""
    data = training._asdict()
    finite = {name: value for name, value in data.items() if not isinstance(value, float)}
    return finite | {
        name: float(value) if np.isfinite(value) else None
        for name, value in data.items()
        if isinstance(value, float)
    }


def values(metric: Float[np.ndarray, " trainings"]) -> tuple[float | None, ...]:
    """Writes what trainings reached; None is one that failed."""
    return tuple(float(value) if np.isfinite(value) else None for value in metric)
