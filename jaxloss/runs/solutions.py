"""What networks trained under both losses of a comparison make of a task, for its pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.learning.compilation import steady_options
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss, predict
from jaxloss.learning.trained import train_model
from jaxloss.losses.learned import LearnedLoss
from jaxloss.models.model import Variables
from jaxloss.runs.comparison import comparison_key
from jaxloss.runs.findings import Findings
from jaxloss.tasks.task import Task

_Kind = TypeVar("_Kind")


class Solutions(NamedTuple):
    """Values on the examples of the test split: points of an equation, or images.

    Attributes:
        reference: the targets: the reference solution, or masks.
        usual: what a network trained under the task loss gives.
        learned: what one trained under the learned loss gives, from the same start.
    """

    reference: Float[np.ndarray, "examples ..."]
    usual: Float[np.ndarray, "examples ..."]
    learned: Float[np.ndarray, "examples ..."]


def solutions(
    task: Task,
    optimizer: BaseOptimizerSettings,
    steps: int,
    key: PRNGKeyArray,
    learned: LearnedLoss,
) -> Solutions:
    """Trains a network under the task loss and one under a learned loss, and predicts with both."""

    def predictions(variables: Variables) -> Array:
        return task.predictions(predict(task.model, variables, task.test.inputs))

    predicted = jax.jit(predictions, compiler_options=steady_options())

    def solved(loss: ExampleLoss) -> Float[np.ndarray, "examples ..."]:
        # As the comparison trains: a loss that goes on learning does so here.
        return np.asarray(predicted(train_model(key, task, loss, optimizer, steps).variables))

    return Solutions(np.asarray(task.test.targets), solved(task.task_loss), solved(learned))


class Solved(NamedTuple, Generic[_Kind]):
    """A task of one kind, what networks make of it, and how a report shows that.

    Attributes:
        task: the task.
        found: by the networks of the first seed of the comparison.
        path: of the picture.
        where: the task's name for a heading, empty if it is the only one.
    """

    task: _Kind
    found: Solutions
    path: Path
    where: str


def solved_tasks(
    findings: Findings, tasks: Sequence[Task], kind: type[_Kind], folder: Path, name: str
) -> Iterator[Solved[_Kind]]:
    """Trains on the tasks of one kind once more; nothing where there are none."""
    settings, several = findings.settings, len(tasks) > 1
    for number, (task, comparison) in enumerate(zip(tasks, findings.comparisons, strict=False), 1):
        if not isinstance(task, kind):
            continue
        key = jax.random.split(comparison_key(settings.seed), comparison.seeds)[0]
        optimizer, steps = settings.search.optimizer, comparison.steps
        found = solutions(task, optimizer, steps, key, comparison.learned)
        path = folder / (f"{name}-{number}.png" if several else f"{name}.png")
        yield Solved(task, found, path, f" ({task.name})" if several else "")
