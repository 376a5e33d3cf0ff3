"""Losses of the zoo as training losses: on a network's raw outputs, one value for each example."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxloss.errors import InvalidInputError, unknown_name
from jaxloss.losses import cells
from jaxloss.losses.views import (
    decoded_boxes,
    one_hot_targets,
    same_shape_targets,
    view_named,
)
from jaxloss.losses.zoo import batches
from jaxloss.losses.zoo.boxes import iou
from jaxloss.losses.zoo.entry import ZooLoss

Arguments = Callable[[str, Array, Array], tuple[Array, ...]]


def _seen(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return view_named(view).see(outputs, targets)


def _labels(view: str, outputs: Array, targets: Array) -> Array:
    fit = one_hot_targets if view == "softmax" else same_shape_targets
    return fit(outputs, targets)


def _scored(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return outputs, 2.0 * _labels(view, outputs, targets) - 1.0


def _labelled(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return outputs, _labels(view, outputs, targets)


def _numbered(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return outputs, jnp.argmax(_labels(view, outputs, targets), -1)


def _rows(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    predictions, labels = _seen(view, outputs, targets)
    flat = (outputs.shape[0], -1)
    return predictions.reshape(flat), labels.reshape(flat)


def _log_labelled(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return jax.nn.log_softmax(outputs), _labels(view, outputs, targets)


def _log_numbered(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return jax.nn.log_softmax(outputs), _numbered(view, outputs, targets)[1]


def _as_energies(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return -outputs, _labels(view, outputs, targets)


def _as_boxes(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    del view
    return decoded_boxes(outputs), same_shape_targets(outputs, targets)


def _by_distance(arguments: Arguments) -> Arguments:
    """Lets a loss of logits see minus the squared distances to class anchors."""

    def of_anchors(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
        del view
        return arguments("softmax", batches.class_scores(outputs), targets)

    return of_anchors


def _in_batch(arguments: Callable[[Array, Array], tuple[Array, ...]]) -> Arguments:
    return lambda _view, outputs, targets: arguments(outputs, targets)


def _in_cells(arguments: Arguments) -> Arguments:
    """Lets a loss of logits see those of each cell."""

    def of_cells(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
        del view
        return arguments("softmax", *_seen("cell_classes", outputs, targets))

    return of_cells


def _detections(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    """Shows overlaps beside the labels; a cell without a box counts as a perfect overlap."""
    overlaps = 1.0 - iou(*cells.cell_boxes(outputs, targets))
    return *_seen(view, outputs, targets), overlaps


def _cells_boxes(_view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return cells.cell_boxes(outputs, targets)


_CLASSIFICATION = ("sigmoid", "softmax")
_ANCHORS = "anchors"

_WAYS: dict[str, tuple[tuple[str, ...], Arguments]] = {
    "real": (("identity", *_CLASSIFICATION), _seen),
    "vectors": (("identity", *_CLASSIFICATION), _rows),
    "probability": (_CLASSIFICATION, _seen),
    "score": (_CLASSIFICATION, _scored),
    "logit": (_CLASSIFICATION, _labelled),
    "logits": (("softmax",), _labelled),
    "logits_and_classes": (("softmax",), _numbered),
    "log_probabilities": (("softmax",), _log_labelled),
    "log_probabilities_and_classes": (("softmax",), _log_numbered),
    "energies": (("softmax",), _as_energies),
    "boxes": (("boxes",), _as_boxes),
}
"""For each kind of inputs: the views that it fits, and how outputs and targets become arguments."""

_OWN_WAYS: dict[str, dict[str, Arguments]] = {
    _ANCHORS: {
        "logits": _by_distance(_labelled),
        "logits_and_classes": _by_distance(_numbered),
        "log_probabilities": _by_distance(_log_labelled),
        "log_probabilities_and_classes": _by_distance(_log_numbered),
        "energies": _by_distance(_as_energies),
        "anchored": _in_batch(batches.anchored),
        "labelled": _in_batch(batches.labelled),
        "embedding_pair": _in_batch(batches.pairs),
        "triplet": _in_batch(batches.hardest),
    },
    "cell_classes": {
        "score": _in_cells(_scored),
        "logit": _in_cells(_labelled),
        "logits": _in_cells(_labelled),
        "logits_and_classes": _in_cells(_numbered),
        "log_probabilities": _in_cells(_log_labelled),
        "log_probabilities_and_classes": _in_cells(_log_numbered),
        "energies": _in_cells(_as_energies),
        "detections": _detections,
    },
    "cell_boxes": {"boxes": _cells_boxes},
    "masks": {
        "mask": _labelled,
        "logit": _labelled,
        "score": _scored,
        "real": _seen,
        "probability": _seen,
        "vectors": _rows,
    },
}
"""The same for views with ways of their own: embeddings beside class anchors, the two branches of a
detector, and the pixels of masks."""

_VIEWS = ("identity", *_CLASSIFICATION, "boxes", *_OWN_WAYS)

_REASONS = {
    "nonnegative": "it takes predictions of at least 0, and a network's outputs know no bounds",
    "nonnegative_vectors": "it takes predictions of at least 0, and a network's outputs know no "
    "bounds",
    "detections": "it takes the overlaps of boxes beside the labels",
    "mask": "it takes a logit for each pixel of a mask; it fits tasks of view masks",
    "list": "it takes lists of items to rank",
}
_USES = {
    "ranking": "it compares scores or embeddings with each other, not with targets",
    "generative": "it belongs to a generative model, not to outputs and targets",
    "retrieval": "it takes embeddings and class anchors",
}


@dataclass(frozen=True)
class ZooTaskLoss:
    """A loss of the zoo on raw outputs: ``loss(outputs, targets) -> per-example values``.

    Hashable and equal by value, so it can be a static argument of ``jit``. Made by `as_task_loss`.

    Attributes:
        entry: the loss.
        view: name of the view of the task.
        parameters: the loss's parameters, all of them.
    """

    entry: ZooLoss
    view: str
    parameters: tuple[tuple[str, float], ...]

    def __call__(
        self, outputs: Float[Array, "batch ..."], targets: Num[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """Computes one value for each example; the caller takes the mean.

        Raises:
            InvalidInputError: at trace time, if the shapes do not fit the view.
        """
        kind = self.entry.kind
        own = _OWN_WAYS.get(self.view)
        way = own[kind] if own is not None else _WAYS[kind][1]
        arguments = way(self.view, outputs, targets)
        values = self.entry.function(*arguments, **dict(self.parameters))
        if kind == "embedding_pair":
            return batches.mean_over_others(values)
        if kind == "triplet":
            return batches.where_triplets(values, batches.class_numbers(outputs, targets))
        if kind == "labelled":
            return jnp.broadcast_to(values, outputs.shape[:1])
        return view_named(self.view).per_example(values, outputs, targets)


def _unfit(entry: ZooLoss, view: str) -> str | None:
    """Says why a loss cannot train on outputs and targets, if so."""
    if "flat" in entry.properties:
        return "its gradient is 0, so that nothing can be learned from it; use it as a metric"
    if "unbounded_below" in entry.properties and entry.kind in _WAYS:
        return "it has no minimum, so that training would never end"
    if entry.kind in _OWN_WAYS.get(view, ()) and entry.branch != "generative":
        return None
    if entry.kind == "detections":
        return f"{_REASONS[entry.kind]}; it fits tasks of view cell_classes"
    if entry.kind in _OWN_WAYS[_ANCHORS] and entry.kind not in _WAYS:
        return f"{_USES[entry.branch]}; it fits tasks of view {_ANCHORS}"
    if entry.kind not in _WAYS:
        return _REASONS.get(entry.kind) or _USES[entry.branch]
    if entry.branch == "generative" and view != "identity":
        return _USES["generative"]
    if view not in _WAYS[entry.kind][0]:
        return f"it fits tasks of view {' or '.join(_WAYS[entry.kind][0])}"
    if entry.name == "cosine" and view == "sigmoid":
        return "it compares directions, and one output has none"
    return None


def views_of(entry: ZooLoss) -> tuple[str, ...]:
    """Names the views of the tasks that a loss can train on; none if it fits no such task."""
    return tuple(view for view in _VIEWS if _unfit(entry, view) is None)


def as_task_loss(entry: ZooLoss, view: str, **parameters: float) -> ZooTaskLoss:
    """Makes a loss of the zoo a training loss of supervised tasks.

    Regression losses apply to what the view shows: raw outputs, or probabilities beside labels of 0
    and 1. Margin losses take raw outputs as scores, one-vs-rest if there are several; energy-based
    ones take them as energies with the sign turned round. Box losses take the boxes that outputs
    decode to. Elementwise losses are summed over outputs. Beside class anchors, losses of logits
    take minus the squared distances to the anchors, and losses of pairs and triplets compare the
    embeddings of a batch, as `jaxloss.losses.zoo.batches` says. In detectors they apply to each
    cell, and class losses that look at overlaps are shown those of the predicted boxes. Of masks,
    elementwise losses are averaged over the pixels, and others take a mask as a whole.

    Args:
        entry: the loss.
        view: the view of the task: ``identity`` (regression), ``sigmoid`` (two classes, one
            output), ``softmax`` (classes), ``boxes``, ``anchors`` (embeddings to retrieve),
            ``cell_classes`` or ``cell_boxes`` (a branch of a detector), or ``masks``.
        **parameters: the loss's parameters; the others keep their defaults.

    Returns:
        ``(outputs, targets) -> per-example values``.

    Raises:
        InvalidInputError: the view or a parameter is unknown, or the loss does not fit, and why.
    """
    if view not in _VIEWS:
        raise unknown_name("view", view, _VIEWS)
    reason = _unfit(entry, view)
    if reason is not None:
        raise InvalidInputError(f"{entry.name} cannot train a task of view {view}: {reason}")
    return ZooTaskLoss(entry, view, tuple(entry.values(parameters).items()))
