"""COCO's average precision of detections, on the device.

As in the official evaluation, https://github.com/cocodataset/cocoapi, over all sizes of objects:
precision at 101 recalls, mean over the classes and, for AP, over the overlaps 0.5 to 0.95. Equal to
what pycocotools computes (see the tests), but part of a compiled program.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxloss.losses.zoo.boxes import iou

KEPT = 40
"""Most likely pairs of cell and class that are looked at in each image (*assumed*; COCO's own
evaluation looks at 100 boxes of each class)."""

SUPPRESSED = 0.5
"""Overlap from which the less likely of two boxes of a class is dropped (*assumed*)."""

OVERLAPS = np.linspace(0.5, 0.95, 10)
"""COCO's overlaps."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""COCO's recalls."""

_SPACING = float(np.spacing(1.0))


class Detections(NamedTuple):
    """Found boxes, the likeliest of each image first.

    Attributes:
        boxes: ``x1, y1, x2, y2`` in pixels.
        classes: numbers.
        scores: probabilities.
        kept: whether a box is reported, and no double of a likelier one.
    """

    boxes: Float[Array, "images kept 4"]
    classes: Int[Array, "images kept"]
    scores: Float[Array, "images kept"]
    kept: Bool[Array, "images kept"]


def overlaps_between(
    boxes: Float[Array, "... many 4"], others: Float[Array, "... few 4"]
) -> Float[Array, "... many few"]:
    """Computes the intersection over union of each box with each other one."""
    shape = (*boxes.shape[:-1], others.shape[-2], 4)
    one = jnp.broadcast_to(boxes[..., :, None, :], shape)
    return 1.0 - iou(one, jnp.broadcast_to(others[..., None, :, :], shape))


def found(predictions: Float[Array, "images cells numbers"]) -> Detections:
    """Picks the likeliest boxes and suppresses doubles (non-maximum suppression, by class).

    Args:
        predictions: for each cell the probability of each class, and a box.
    """
    probabilities, boxes = predictions[..., :-4], predictions[..., -4:]
    count = probabilities.shape[-1]
    flat = probabilities.reshape(len(predictions), -1)
    scores, places = jax.lax.top_k(flat, min(KEPT, flat.shape[1]))
    classes = places % count
    chosen = jnp.take_along_axis(boxes, (places // count)[..., None], 1)
    same = classes[:, :, None] == classes[:, None, :]
    doubles = same & (overlaps_between(chosen, chosen) > SUPPRESSED)
    numbers = jnp.arange(scores.shape[1])

    def visit(number: Array, kept: Array) -> Array:
        dropped = kept[:, number, None] & doubles[:, number] & (numbers > number)[None]
        return kept & ~dropped

    kept = jax.lax.fori_loop(0, scores.shape[1], visit, jnp.ones_like(same[:, 0]))
    return Detections(chosen, classes, scores, kept)


def hits(
    detections: Detections,
    classes: Int[Array, "images objects"],
    boxes: Float[Array, "images objects 4"],
    least: Float[np.ndarray, " overlaps"],
) -> Bool[Array, "overlaps images kept"]:
    """Says which detections find an object; each object is found once, by the likeliest one."""
    fitting = detections.classes[:, :, None] == classes[:, None, :]
    fitting &= detections.kept[:, :, None] & (classes >= 0)[:, None, :]
    shared = overlaps_between(detections.boxes, boxes)
    objects = boxes.shape[1]
    bounds = jnp.asarray(np.minimum(least, 1 - 1e-10), shared.dtype)[:, None, None]

    def visit(free: Array, number: Array) -> tuple[Array, Array]:
        overlap = shared[:, number][None]
        candidates = free & fitting[:, number][None] & (overlap >= bounds)
        ranked = jnp.where(candidates, overlap, -1.0)
        # Of equal ones the last, as pycocotools does.
        best = objects - 1 - jnp.argmax(ranked[..., ::-1], -1)
        taken = candidates & jax.nn.one_hot(best, objects, dtype=bool)
        return free & ~taken, jnp.any(taken, -1)

    free = jnp.ones((len(least), len(boxes), objects), bool)
    _, matched = jax.lax.scan(visit, free, jnp.arange(detections.scores.shape[1]))
    return jnp.moveaxis(matched, 0, -1)


def average_precision(
    predictions: Float[Array, "images cells numbers"],
    targets: Float[Array, "images rows 5"],
    least: Float[np.ndarray, " overlaps"] = OVERLAPS,
) -> Float[Array, ""]:
    """Computes the mean average precision over overlaps and classes, 0 to 1.

    Args:
        predictions: for each cell the probability of each class, and a box.
        targets: a row for each cell, and after them one for each object.
        least: overlaps from which a detection finds an object.

    Returns:
        The mean over the classes that have objects; NaN if none has.
    """
    objects = targets[:, predictions.shape[1] :]
    classes, boxes = objects[..., 0].astype(jnp.int32), objects[..., 1:]
    detections = found(predictions)
    matched = hits(detections, classes, boxes, least)
    order = jnp.argsort(-detections.scores.ravel(), stable=True)
    matched = matched.reshape(len(least), -1)[:, order]
    labels, kept = detections.classes.ravel()[order], detections.kept.ravel()[order]

    def of_class(number: Array) -> tuple[Array, Array]:
        own = kept & (labels == number)
        right = jnp.cumsum(matched & own[None], axis=1)
        wrong = jnp.cumsum(~matched & own[None], axis=1)
        precision = right / (right + wrong + _SPACING)
        best = jax.lax.cummax(precision, axis=1, reverse=True)
        count = jnp.sum(classes == number)

        def at_recalls(right: Array, best: Array) -> Array:
            places = jnp.searchsorted(right, _needed(count), side="left")
            reached = places < len(best)
            return jnp.where(reached, best[jnp.minimum(places, len(best) - 1)], 0.0)

        return jnp.mean(jax.vmap(at_recalls)(right, best)), count > 0

    values, there = jax.vmap(of_class)(jnp.arange(predictions.shape[-1] - 4))
    value = jnp.sum(jnp.where(there, values, 0.0)) / jnp.sum(there)
    return value.astype(predictions.dtype)


_RAISED = np.arange(101) / 100 < RECALLS
"""Where COCO's recalls, multiples of a rounded 0.01, are above the hundredth they stand for."""


def _needed(count: Int[Array, ""]) -> Int[Array, " recalls"]:
    """Counts how many of some objects must be found for each recall, in COCO's own rounding.

    COCO compares the share found with a recall in double precision. They can only be mistaken for
    each other where the share is a whole number of hundredths; all else is exact in whole numbers.
    """
    hundredths = jnp.arange(101) * count
    return -(-hundredths // 100) + ((hundredths % 100 == 0) & _RAISED)


def _of_overlaps(least: np.ndarray) -> Callable[[Array, Array], Array]:
    return lambda predictions, targets: average_precision(predictions, targets, least)


SCORES = {
    "ap": _of_overlaps(OVERLAPS),
    "ap50": _of_overlaps(OVERLAPS[:1]),
    "ap75": _of_overlaps(OVERLAPS[5:6]),
}
"""Scores of detections by name: mean over the overlaps from 0.5 to 0.95, or at one of them."""
