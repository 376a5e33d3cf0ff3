"""What a loss sees: from a model's raw outputs and the targets to the variables of a formula.

In EvoMAL (https://arxiv.org/abs/2209.08907) a classification loss sees probabilities beside one-hot
labels and a regression loss sees raw outputs beside raw targets. In CSE-Autoloss
(https://arxiv.org/abs/2102.04700) a class loss sees logits and a box loss sees areas. Each such
arrangement is a `View`, found by its name so that a saved loss can say which one it was learned
with.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxloss.errors import InvalidInputError, unknown_name
from jaxloss.losses import cells
from jaxloss.losses.anchors import anchor_distances
from jaxloss.losses.boxes import areas, decoded_boxes
from jaxloss.losses.targets import one_hot_targets, same_shape_targets


class View(NamedTuple):
    """How outputs and targets become the variables of a loss.

    Attributes:
        name: the key under which a saved loss remembers the view.
        variables: names of the variables, those that depend on the outputs first.
        see: ``(outputs, targets) -> variables``, arrays of one common shape ``[batch, ...]``.
        weigh: ``(outputs, targets) -> weights`` of an example's elements, the first axes of the
            variables, where not all count alike.
        formulas: name of another view whose formulas are over the same variables, if there is one.
        averages: whether an example's value is the mean over its elements; else it is their sum,
            weighted where not all count alike.
    """

    name: str
    variables: tuple[str, ...]
    see: Callable[[Float[Array, "batch ..."], Num[Array, "batch ..."]], tuple[Array, ...]]
    weigh: Callable[[Float[Array, "batch ..."], Num[Array, "batch ..."]], Array] | None = None
    formulas: str | None = None
    averages: bool = False

    @property
    def written(self) -> str:
        """Name of the view that formulas are written for: this one, unless `formulas` says."""
        return self.formulas or self.name

    def per_example(
        self,
        values: Float[Array, "batch ..."],
        outputs: Float[Array, "batch ..."],
        targets: Num[Array, "batch ..."],
        averages: bool = False,
    ) -> Float[Array, " batch"]:
        """Sums the values of an example's elements, perhaps weighted, or averages them.

        Args:
            values: one for each element.
            outputs: what the view saw.
            targets: likewise.
            averages: whether the loss is a mean over elements in every view; where they are
                weighted it is their weighted mean, 0 if none counts.
        """
        if self.averages:
            return jnp.mean(values, axis=tuple(range(1, values.ndim)))
        if self.weigh is None:
            total = per_example(values)
            return total / max(math.prod(values.shape[1:]), 1) if averages else total
        weights = self.weigh(outputs, targets)
        weights = weights.reshape(*weights.shape, *(1,) * (values.ndim - weights.ndim))
        # A value that does not count may be of any size.
        total = per_example(jnp.where(weights == 0, 0, values) * weights)
        if not averages:
            return total
        weight = per_example(jnp.broadcast_to(weights, values.shape))
        return total / jnp.where(weight > 0, weight, 1)


def _softmax(outputs: Array, targets: Array) -> tuple[Array, Array]:
    return jax.nn.softmax(outputs, axis=-1), one_hot_targets(outputs, targets)


def _sigmoid(outputs: Array, targets: Array) -> tuple[Array, Array]:
    return jax.nn.sigmoid(outputs), same_shape_targets(outputs, targets)


def _identity(outputs: Array, targets: Array) -> tuple[Array, Array]:
    return outputs, same_shape_targets(outputs, targets)


def _logits(outputs: Array, targets: Array) -> tuple[Array, Array]:
    if outputs.ndim < 2 or outputs.shape[-1] < 2:
        raise InvalidInputError(
            f"the logits view needs a logit for each of two classes or more, got outputs of shape "
            f"{outputs.shape}; let a task with two classes have two outputs (softmax view)"
        )
    return outputs, one_hot_targets(outputs, targets)


def _boxes(outputs: Array, targets: Array) -> tuple[Array, Array, Array]:
    seen = areas(decoded_boxes(outputs), same_shape_targets(outputs, targets))
    return seen.intersection, seen.union, seen.enclosing


def _anchors(outputs: Array, targets: Array) -> tuple[Array, Array]:
    distances = anchor_distances(outputs)
    return distances, one_hot_targets(distances, targets)


def _masks(outputs: Array, targets: Array) -> tuple[Array, Array]:
    if outputs.ndim != 3 or targets.shape != outputs.shape:
        raise InvalidInputError(
            "the masks view needs outputs and masks of one shape [batch, height, width], got "
            f"{outputs.shape} and {targets.shape}"
        )
    return _sigmoid(outputs, targets)


def _cell_classes(outputs: Array, targets: Array) -> tuple[Array, Array]:
    return cells.class_logits(outputs), cells.cell_labels(outputs, targets)


def _cell_boxes(outputs: Array, targets: Array) -> tuple[Array, Array, Array]:
    seen = areas(*cells.cell_boxes(outputs, targets))
    return seen.intersection, seen.union, seen.enclosing


VIEWS = {
    view.name: view
    for view in (
        View("softmax", ("f", "y"), _softmax),
        View("sigmoid", ("f", "y"), _sigmoid),
        View("identity", ("f", "y"), _identity),
        View("logits", ("x", "y"), _logits),
        View("boxes", ("i", "u", "e"), _boxes),
        View("anchors", ("d", "y"), _anchors),
        View("cell_classes", ("x", "y"), _cell_classes, cells.class_weights, "logits"),
        View("cell_boxes", ("i", "u", "e"), _cell_boxes, cells.box_weights, "boxes"),
        View("masks", ("f", "y"), _masks, formulas="sigmoid", averages=True),
    )
}
"""Every view by its name.

``softmax`` and ``sigmoid`` show probabilities f and labels y, ``identity`` outputs f and targets y,
``logits`` raw outputs x and one-hot labels y, all of the outputs' shape. ``boxes`` shows areas in
squared pixels, ``[batch]``: intersection i and union u of the predicted with the true box, and e of
the smallest box around both; all three depend on the outputs.

``anchors`` shows the distance d of an embedding to each class anchor, ``[batch, classes]``, and y
of 1 for the anchor of its own class and 0 for the others. Over these, Class Anchor Margin's
attractor (https://arxiv.org/abs/2306.00630) is ``0.5 y d^2``. Its repeller acts between anchors,
which a loss of single embeddings does not see; ``0.5 (1 - y) max(0, 2 m - d)^2`` is the same where
embeddings lie on their anchors, up to the factor of how frequent a class is.

``cell_classes`` and ``cell_boxes`` show the two branches of a detector: what ``logits`` and
``boxes`` show, for each cell of an image. An example's value is the sum over its cells, or over
those with a true box, divided by the number of those.

``masks`` shows the probability f that a pixel belongs to the foreground, and y of 1 or 0,
``[batch, height, width]``; an example's value is the mean over its pixels.
"""


def view_named(name: str) -> View:
    """Finds a view by name.

    Raises:
        InvalidInputError: no view has that name.
    """
    if name not in VIEWS:
        raise unknown_name("view", name, VIEWS)
    return VIEWS[name]


def shows(task_view: str, loss_view: str) -> bool:
    """Says whether a task can show a loss what it was written for.

    Args:
        task_view: name of the view of the task.
        loss_view: name of the view of the loss.

    Returns:
        True for equal views, and for losses of logits on tasks of the softmax view, whose outputs
        are logits.

    Raises:
        InvalidInputError: no view has such a name.
    """
    task, loss = view_named(task_view).name, view_named(loss_view).name
    return task == loss or (task, loss) == ("softmax", "logits")


def per_example(values: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    """Sums elementwise loss values over all axes but the first."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)))
