"""Trainings whose network is kept, to look at it afterwards."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.learning.compilation import steady_options
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss, draw, follow
from jaxloss.learning.online import draw_online, train_online
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.forms import OnlineForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.views import view_named
from jaxloss.models.model import Variables
from jaxloss.tasks.task import Split, Task


class TrainedModel(NamedTuple):
    """A network before and after a training.

    Attributes:
        start: the variables that the training began with.
        variables: those that it ended with.
        loss: what it was trained under; for a loss that goes on learning, as it was at the end.
    """

    start: Variables
    variables: Variables
    loss: ExampleLoss


def train_model(
    key: PRNGKeyArray,
    task: Task,
    loss: ExampleLoss,
    optimizer: BaseOptimizerSettings | None = None,
    steps: int = 2000,
) -> TrainedModel:
    """Trains a task's network and keeps it.

    Args:
        key: draws the network, the batches and dropout; the same for every loss.
        task: gives the network and the examples.
        loss: what is minimised, ``(outputs, targets) -> per-example values``.
        optimizer: of the training; `BaseOptimizerSettings` as they are by default.
        steps: of the training; the default, *assumed*, is that of ``jaxloss evaluate``.

    Raises:
        InvalidInputError: there is no step.
    """
    require(steps >= 1, f"steps must be 1 or more, got {steps}")
    program = _program(task, loss, optimizer or BaseOptimizerSettings(), steps)
    start, variables, parameters = program(key, task.train, task.valid)
    if isinstance(loss, LearnedLoss) and isinstance(loss.form, OnlineForm):
        learned = tuple(np.asarray(parameters, np.float64).tolist())
        loss = LearnedLoss(loss.form.base, learned, loss.view, loss.origin)
    return TrainedModel(start, variables, loss)


@lru_cache(maxsize=32)
def _program(
    task: Task, loss: ExampleLoss, optimizer: BaseOptimizerSettings, steps: int
) -> Callable[..., tuple[Variables, Variables, Float[Array, " parameters"]]]:
    def plainly(
        key: PRNGKeyArray, train: Split, valid: Split
    ) -> tuple[Variables, Variables, Array]:
        del valid
        drawn = draw(key, task.model, optimizer, train, steps)
        variables, _ = follow(drawn, task.model, optimizer, loss, train)
        return drawn.learner.variables, variables, jnp.zeros(0)

    def adapting(
        key: PRNGKeyArray, train: Split, valid: Split
    ) -> tuple[Variables, Variables, Array]:
        assert isinstance(loss, LearnedLoss)
        assert isinstance(loss.form, OnlineForm)
        drawn = draw_online(key, task, optimizer, train, valid, steps)
        variables, _, parameters = train_online(
            drawn,
            task,
            optimizer,
            loss.form.learning_rate,
            family_binding(loss.form.base, view_named(loss.view)),
            jnp.asarray(loss.parameters),
            train,
            valid,
            observe=lambda _: jnp.zeros(()),
            observations=1,
        )
        return drawn.training.learner.variables, variables, parameters

    adapts = isinstance(loss, LearnedLoss) and isinstance(loss.form, OnlineForm)
    return jax.jit(adapting if adapts else plainly, compiler_options=steady_options())
