"""Two trainings from one network, and what lies around both ends."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxloss.keys import named_key
from jaxloss.learning.compilation import all_at_once
from jaxloss.learning.curvature import Eigenvalues, loss_curvature
from jaxloss.learning.fitness import network_score
from jaxloss.learning.inner import ExampleLoss
from jaxloss.learning.landscape import (
    Landscape,
    LandscapeSettings,
    centre_of,
    loss_landscape,
    loss_lines,
    prepare_landscape,
    rises,
)
from jaxloss.learning.trained import TrainedModel, train_model
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.online import OnlineForm
from jaxloss.runs.landscape.settings import LandscapeRunSettings
from jaxloss.tasks.task import Task


class NamedLoss(NamedTuple):
    """A loss, and how a person calls it."""

    name: str
    loss: LearnedLoss


class Side(NamedTuple):
    """What lies around the network that was trained under one of the losses.

    Attributes:
        name: how the loss is called.
        formula: what the loss is.
        plane: a plane through the network; of ``losses`` only that of the training.
        lines: the same along several directions.
        untrained: mean of the loss over the training split before the training.
        trained: the same after it.
        usual: mean of the task's usual loss over the training split after it.
        untrained_metric: the metric on the validation split before the training.
        valid: the same after it.
        test: the metric on the test split.
        curvature: of the loss.
        usual_curvature: of the usual loss.
        rises: how far the loss lies above ``trained`` at half of the extent, on each line.
        worsening: how much worse the metric is there, likewise.
    """

    name: str
    formula: str
    plane: Landscape
    lines: Landscape
    untrained: float
    trained: float
    usual: float
    untrained_metric: float
    valid: float
    test: float
    curvature: Eigenvalues
    usual_curvature: Eigenvalues
    rises: Float[np.ndarray, " lines"]
    worsening: Float[np.ndarray, " lines"]

    @property
    def progress(self) -> float:
        """By how much the training lowered the loss; NaN if it did not."""
        gained = self.untrained - self.trained
        return gained if np.isfinite(gained) and gained > 0 else float("nan")

    @property
    def undone(self) -> Float[np.ndarray, " lines"]:
        """The rises as shares of the progress: a sharpness without a unit."""
        return self.rises / self.progress


class Landscapes(NamedTuple):
    """Both sides of the picture.

    Attributes:
        task: what was trained.
        sides: under the loss asked for, and under the one that it is set against.
        seconds: what computing the slices took, compilation not counted.
    """

    task: Task
    sides: tuple[Side, Side]
    seconds: float


_Curvatures = dict[tuple[ExampleLoss, int], Eigenvalues]
"""For a loss, and the number of the network."""


def compute_landscapes(
    settings: LandscapeRunSettings,
    task: Task,
    pair: tuple[NamedLoss, NamedLoss],
    usual: LearnedLoss,
) -> Landscapes:
    """Trains under both losses from the same network on the same batches, and looks around.

    The slices go along the same random directions, each fitted to its own network's filters.

    Raises:
        InvalidInputError: the network has no filters.
    """
    key = jax.random.key(settings.seed)
    train = partial(train_model, named_key(key, "training"), task)
    recipe = (settings.optimizer, settings.steps)
    models = all_at_once(partial(train, one.loss, *recipe) for one in pair)
    losses = tuple(dict.fromkeys([*(model.loss for model in models), usual]))
    # The slices compile beside the curvature, which takes a program for each loss.
    measure = partial(_curvatures, named_key(key, "curvature"), task, models, usual)
    jobs: list[Callable[[], _Curvatures | None]] = [partial(measure, loss) for loss in losses]
    jobs.append(partial(prepare_landscape, task, losses, models[0].variables))
    found = [part for part in all_at_once(jobs) if part is not None]
    curvatures = {place: one for part in found for place, one in part.items()}
    began = time.perf_counter()
    slices = [
        _slices(named_key(key, "slices"), task, losses, model, settings.slices) for model in models
    ]
    seconds = time.perf_counter() - began
    first, second = (
        _side(
            task,
            losses,
            usual,
            named,
            model,
            around,
            (curvatures[model.loss, place], curvatures[usual, place]),
        )
        for place, (named, model, around) in enumerate(zip(pair, models, slices, strict=True))
    )
    return Landscapes(task, (first, second), seconds)


def _curvatures(
    key: PRNGKeyArray,
    task: Task,
    models: Sequence[TrainedModel],
    usual: LearnedLoss,
    loss: ExampleLoss,
) -> _Curvatures:
    """Measures a loss's curvature at the networks trained under it; the usual loss's at all."""
    return {
        (loss, place): jax.device_get(loss_curvature(key, task, loss, model.variables))
        for place, model in enumerate(models)
        if loss in (model.loss, usual)
    }


class _Slices(NamedTuple):
    plane: Landscape
    lines: Landscape


def _slices(
    key: PRNGKeyArray,
    task: Task,
    losses: Sequence[ExampleLoss],
    model: TrainedModel,
    settings: LandscapeSettings,
) -> _Slices:
    """Slices the loss of the training alone."""
    own = losses.index(model.loss)
    arguments = (key, task, losses, model.variables, settings)
    plane, lines = loss_landscape(*arguments), loss_lines(*arguments)
    return _Slices(
        plane._replace(losses=plane.losses[own][None]),
        lines._replace(losses=lines.losses[own][None]),
    )


def _side(
    task: Task,
    losses: Sequence[ExampleLoss],
    usual: LearnedLoss,
    named: NamedLoss,
    model: TrainedModel,
    slices: _Slices,
    curvatures: tuple[Eigenvalues, Eigenvalues],
) -> Side:
    own = losses.index(model.loss)
    before, untrained_metric = centre_of(task, losses, model.start)
    after, valid = centre_of(task, losses, model.variables)
    lines = slices.lines
    half = lines.places[-1] / 2
    sign = -1.0 if task.metric.higher_is_better else 1.0
    return Side(
        named.name,
        _described(named.loss),
        *slices,
        float(before[own]),
        float(after[own]),
        float(after[losses.index(usual)]),
        untrained_metric,
        valid,
        float(network_score(task, model.variables, task.test)),
        *curvatures,
        rises(lines.places, lines.losses[0], float(after[own]), half),
        rises(lines.places, sign * lines.metric, sign * valid, half),
    )


def _described(loss: LearnedLoss) -> str:
    adapts = isinstance(loss.form, OnlineForm)
    return loss.formula() + (" (drawn and measured as it ended)" if adapts else "")
