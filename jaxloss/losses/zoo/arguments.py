"""How raw outputs and targets become the arguments of a loss of the zoo, for each view."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxloss.losses import cells
from jaxloss.losses.boxes import decoded_boxes
from jaxloss.losses.targets import one_hot_targets, require_logits, same_shape_targets
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo import batches
from jaxloss.losses.zoo.boxes import iou

Arguments = Callable[[str, Array, Array], tuple[Array, ...]]

_NO_CLASS = -1
"""Stands for labels that name no class."""


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
    if targets.ndim == outputs.ndim - 1 and jnp.issubdtype(targets.dtype, jnp.integer):
        require_logits(outputs)
        return outputs, targets
    labels = _labels(view, outputs, targets)
    return outputs, jnp.where(jnp.any(labels != 0, -1), jnp.argmax(labels, -1), _NO_CLASS)


def _rows(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    predictions, labels = _seen(view, outputs, targets)
    # A size of -1 would not do for 0 examples.
    flat = (outputs.shape[0], math.prod(outputs.shape[1:]))
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


def _of_pixels(arguments: Arguments) -> Arguments:
    """Lets a loss see the logits of masks; what are no masks is refused."""

    def of_masks(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
        _seen(view, outputs, targets)
        return arguments(view, outputs, targets)

    return of_masks


def _detections(view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    """Shows overlaps beside the labels; a cell without a box counts as a perfect overlap."""
    overlaps = 1.0 - iou(*cells.cell_boxes(outputs, targets))
    return *_seen(view, outputs, targets), overlaps


def _cells_boxes(_view: str, outputs: Array, targets: Array) -> tuple[Array, ...]:
    return cells.cell_boxes(outputs, targets)


CLASSIFICATION = ("sigmoid", "softmax")

WAYS: dict[str, tuple[tuple[str, ...], Arguments]] = {
    "real": (("identity", *CLASSIFICATION), _seen),
    "vectors": (("identity", *CLASSIFICATION), _rows),
    "probability": (CLASSIFICATION, _seen),
    "score": (CLASSIFICATION, _scored),
    "logit": (CLASSIFICATION, _labelled),
    "logits": (("softmax",), _labelled),
    "logits_and_classes": (("softmax",), _numbered),
    "log_probabilities": (("softmax",), _log_labelled),
    "log_probabilities_and_classes": (("softmax",), _log_numbered),
    "energies": (("softmax",), _as_energies),
    "boxes": (("boxes",), _as_boxes),
}
"""For each kind of inputs: the views that it fits, and how outputs and targets become arguments."""

OWN_WAYS: dict[str, dict[str, Arguments]] = {
    "anchors": {
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
        "mask": _of_pixels(_labelled),
        "logit": _of_pixels(_labelled),
        "score": _of_pixels(_scored),
        "real": _seen,
        "probability": _seen,
        "vectors": _rows,
    },
}
"""The same for views with ways of their own: embeddings beside class anchors, the two branches of a
detector, and the pixels of masks."""
