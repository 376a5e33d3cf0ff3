"""Classification, regression and boxes: a network, rows divided in three, and a metric."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, Shaped

from jaxloss.errors import require
from jaxloss.losses import zoo
from jaxloss.losses.boxes import decoded_boxes
from jaxloss.losses.views import View, view_named
from jaxloss.models.model import Model
from jaxloss.tasks.boxes import as_boxes
from jaxloss.tasks.fitting import fitting_model
from jaxloss.tasks.metrics import DEFAULT_METRIC, Direction, Kind, Metric, as_metric
from jaxloss.tasks.options import usual_loss
from jaxloss.tasks.preparation import (
    as_inputs,
    as_values,
    code_classes,
    require_finite,
    standardised,
)
from jaxloss.tasks.splitting import SplitSettings, split_rows
from jaxloss.tasks.task import Split

VIEWS_OF: dict[Kind, tuple[str, ...]] = {
    "classification": ("softmax", "sigmoid"),
    "regression": ("identity",),
    "boxes": ("boxes",),
}
"""What a loss can be shown in each kind of task, the default first."""

TASK_LOSS_OF = {
    "softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "identity": "mse",
    "boxes": "giou",
}
"""The usual loss beside each view."""


@dataclasses.dataclass(frozen=True, eq=False)
class SupervisedTask:
    """A task with one target for each example; fulfils `jaxloss.tasks.task.ReusableTask`.

    Two tasks are equal only if they are the same object, so that a task can be a static argument.

    Attributes:
        name: how reports call the task.
        kind: ``"classification"``, ``"regression"`` or ``"boxes"``.
        model: the network that is trained.
        train: moves the model's parameters.
        valid: steers the meta-gradient and the fitness.
        test: is seen by the final comparison only.
        view: turns outputs and targets into the variables of a loss.
        metric: what a person wants to be good.
        task_loss_name: a loss of the zoo, perhaps with parameters, as `jaxloss.zoo.spelled` writes.
        class_names: the classes in the order of their numbers; empty without classes.
    """

    name: str
    kind: Kind
    model: Model
    train: Split
    valid: Split
    test: Split
    view: View
    metric: Metric
    task_loss_name: str
    class_names: tuple[str, ...] = ()

    def with_model(self, model: Any) -> "SupervisedTask":
        """Gives the data to another network; see `supervised_task` for what it can be.

        Raises:
            InvalidInputError: the network does not fit the data.
        """
        network = _network(model, self.view, self.class_names, self.train)
        return dataclasses.replace(self, model=network)

    def task_loss(
        self, outputs: Float[Array, "batch ..."], targets: Num[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """The usual loss, one value for each example.

        Unless another was chosen, cross-entropy in nats for classification, squared error for
        regression, both summed over the outputs of an example as every loss here is; generalised
        IoU loss for boxes.
        """
        return zoo.read_task_loss(self.task_loss_name, self.view.name)(outputs, targets)

    def predictions(self, outputs: Float[Array, "examples ..."]) -> Float[Array, "examples ..."]:
        """What the metric takes.

        Returns:
            Class probabilities ``[examples, classes]``; values: ``[examples]`` for one output,
            ``[examples, outputs]`` for several; or boxes ``[examples, 4]`` in pixels.
        """
        if self.view.name == "boxes":
            return decoded_boxes(outputs)
        if self.view.name == "softmax":
            return jax.nn.softmax(outputs, axis=-1)
        single = outputs.ndim == 2 and outputs.shape[-1] == 1
        values = outputs[:, 0] if single else outputs
        if self.view.name == "sigmoid":
            return jnp.stack([jax.nn.sigmoid(-values), jax.nn.sigmoid(values)], axis=-1)
        return values


def supervised_task(
    name: str,
    inputs: Shaped[np.ndarray, "..."],
    targets: Shaped[np.ndarray, "..."],
    kind: Kind,
    *,
    model: Any = "mlp:50-50",
    metric: str | Metric | None = None,
    direction: Direction | None = None,
    view: str | View | None = None,
    task_loss: str | None = None,
    split: SplitSettings | None = None,
    test: tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]] | None = None,
    class_names: Sequence[str] = (),
) -> SupervisedTask:
    """Makes a task from arrays: checks, divides and standardises them.

    Inputs are standardised by mean and standard deviation of the training rows alone: tables
    column by column, images (three axes or more) over all pixels; what is constant becomes 0.
    **Regression targets are standardised likewise**, so mse, mae and pinball are reported in
    (squared) standard deviations of the training targets. Classes are in each split in proportion;
    boxes stay in pixels.

    Args:
        name: how reports call the task.
        inputs: numbers, one row for each example.
        targets: classes as text or numbers ``[rows]``; values ``[rows]``, ``[rows, outputs]``; or
            boxes ``[rows, 4]``, ``x1, y1, x2, y2`` in pixels of an image of 64x64.
        kind: ``"classification"``, ``"regression"`` or ``"boxes"``.
        model: a spec for `jaxloss.models.create_model`, or anything `jaxloss.models.adapt` takes.
        metric: a spec for `jaxloss.tasks.metric_named` or a `Metric`; by default the error rate,
            the mean squared error, or one minus the mean IoU.
        direction: which values of a metric ``module:function`` are better.
        view: what a loss sees: ``"softmax"`` (default), ``"sigmoid"`` (two classes, one output)
            ``"identity"`` (regression) or ``"boxes"``.
        task_loss: the usual loss, which learned ones are to beat and which drives meta-gradients:
            what `jaxloss.zoo.read` takes, ``"huber:delta=0.5"``; by default cross-entropy, the
            squared error, or the generalised IoU loss.
        split: fractions and seed; by default 0.6, 0.2, 0.2 and 0.
        test: inputs and targets of a test set that is given; then the rows are divided in two.
        class_names: names of the classes 0, 1, ... if the targets are such numbers.

    Returns:
        The task, its arrays in the precision of JAX.

    Raises:
        InvalidInputError: the data are too few, not finite, all of one class or value, or do not
            fit each other, or the model, metric, view or usual loss does not fit them.
    """
    require(kind in VIEWS_OF, f"kind must be one of {', '.join(VIEWS_OF)}, got {kind!r}")
    inputs, targets = _checked_pair(inputs, targets, "inputs")
    rows = len(inputs)
    held = None if test is None else _checked_pair(*test, "test inputs")
    if held is not None:
        for what, own, known in (("inputs", held[0], inputs), ("targets", held[1], targets)):
            require(
                own.shape[1:] == known.shape[1:],
                f"test {what} of shape {own.shape} do not fit {what} of shape {known.shape}",
            )
        targets = np.concatenate([targets, held[1]])
    names: tuple[str, ...] = ()
    if kind == "classification":
        coded, names = code_classes(targets, class_names)
        unseen = sorted(set(coded[rows:].tolist()) - set(coded[:rows].tolist()))
        require(
            not unseen,
            f"the test set has classes that training lacks: {[names[one] for one in unseen]}",
        )
    else:
        coded = as_boxes(targets) if kind == "boxes" else as_values(targets)
    chosen = split_rows(
        coded[:rows] if names else None, rows, split or SplitSettings(), names, held is not None
    )
    parts = [inputs[part] for part in chosen]
    answers = [coded[:rows][part] for part in chosen]
    if held is not None:
        parts[2], answers[2] = held[0], coded[rows:]
    if kind == "regression":
        require(
            bool(np.all(np.ptp(answers[0], axis=0) > 0)),
            "regression targets are all alike in the training split: there is nothing to learn",
        )
        answers = standardised(*answers)
    else:
        precision = np.int32 if names else np.dtype(jnp.result_type(float))
        answers = [part.astype(precision) for part in answers]
    train, valid, last = (
        Split(jnp.asarray(part), jnp.asarray(answer))
        for part, answer in zip(standardised(*parts), answers, strict=True)
    )
    seen = _fitting_view(view, kind, len(names))
    network = _network(model, seen, names, train)
    metric = as_metric(metric, DEFAULT_METRIC[kind], kind, direction)
    usual = usual_loss(task_loss or TASK_LOSS_OF[seen.name], seen.name)
    return SupervisedTask(name, kind, network, train, valid, last, seen, metric, usual, names)


def _network(model: Any, view: View, names: tuple[str, ...], train: Split) -> Model:
    outputs = 1 if view.name == "sigmoid" else len(names) or int(np.prod(train.targets.shape[1:]))
    return fitting_model(model, train.inputs, outputs)


def _checked_pair(inputs: Any, targets: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = as_inputs(inputs), np.asarray(targets)
    require_finite(inputs, what)
    require(
        targets.ndim >= 1 and len(targets) == len(inputs),
        f"{what} have {len(inputs)} rows but their targets have shape {targets.shape}",
    )
    return inputs, targets


def _fitting_view(view: str | View | None, kind: Kind, classes: int) -> View:
    allowed = VIEWS_OF[kind]
    if view is None:
        view = allowed[0]
    found = view if isinstance(view, View) else view_named(view)
    require(
        found.name in allowed,
        f"view {found.name!r} does not fit {kind}; valid: {', '.join(allowed)}",
    )
    require(
        found.name != "sigmoid" or classes == 2,
        f"the sigmoid view is for two classes, got {classes}; use 'softmax'",
    )
    return found
