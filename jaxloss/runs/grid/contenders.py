"""What a row of a comparison is on one problem: a search, a hand-made loss, or nothing."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import ExampleLoss
from jaxloss.learning.joint import JointTask, online_adaptive
from jaxloss.losses import zoo
from jaxloss.losses.tunable import TunableLoss, fixed
from jaxloss.losses.zoo.tunable import tunable
from jaxloss.runs.grid.budget import widened
from jaxloss.runs.grid.cells import Row
from jaxloss.runs.grid.names import JOINT
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.search.registry import method_named
from jaxloss.search.search import Search
from jaxloss.search.settings import MethodSettings
from jaxloss.tasks.fitting import output_shape
from jaxloss.tasks.task import Task


class Unfit(NamedTuple):
    """A row that cannot serve the problem, and why."""

    reason: str


class HandMade(NamedTuple):
    """A loss that is trained as it is, and tuned with its own parameters, starting from them.

    Attributes:
        loss: with its usual parameters.
        tunable: the same as a function of them.
        task: the problem's own, or one whose network holds the loss's numbers beside its own.
    """

    loss: ExampleLoss
    tunable: TunableLoss
    task: Task


class Searching(NamedTuple):
    """A method with its settings; made once, so that all seeds share its compiled programs."""

    search: Search
    settings: MethodSettings


Contender = Unfit | HandMade | Searching


class Example(NamedTuple):
    """The shapes of what a problem's network gives for two examples, and of their targets."""

    outputs: jax.ShapeDtypeStruct
    targets: Array


def example_of(task: Task) -> Example:
    """Traces the network of a problem, once for all rows."""
    shape = output_shape(task.model, task.train.inputs)
    outputs = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    return Example(outputs, task.train.targets[:2])


def contender(row: Row, settings: GridSettings, task: Task, example: Example) -> Contender:
    """Prepares a row for a problem; computes nothing yet.

    Args:
        row: a method or a hand-made loss.
        settings: of the comparison.
        task: the problem's.
        example: what `example_of` says of it.
    """
    try:
        if row.learned:
            own = widened(settings.search(row.name), settings.usual(row.name), settings.budget)
            return Searching(method_named(row.name).make(task, own), own)
        if row.name == JOINT:
            return HandMade(online_adaptive, fixed(online_adaptive), JointTask(task))
        (entry, parameters), view = zoo.read(row.name), task.view.name
        loss = zoo.as_task_loss(entry, view, **parameters)
        # It may refuse outputs of such a shape.
        jax.eval_shape(loss, *example)
        return HandMade(loss, tunable(entry, view, **parameters), task)
    except InvalidInputError as error:
        if row.name == task.task_loss_name:
            return HandMade(task.task_loss, fixed(task.task_loss), task)
        return Unfit(str(error))
