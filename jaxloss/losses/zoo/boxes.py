"""Box losses: how well predicted boxes cover the true ones, one value for each box.

Boxes are ``x1, y1, x2, y2`` with x1 ≤ x2 and y1 ≤ y2 on the last axis; one turned inside out counts
as empty.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted
from jaxloss.losses.boxes import Boxes, PerBox, areas, around, sides
from jaxloss.losses.zoo.entry import ZooLoss
from jaxloss.losses.zoo.writing import ExpressionForm

_SMALLEST = 1e-7
"""Least area or length that is divided by."""


def _quotient(part: PerBox, whole: PerBox) -> PerBox:
    return part / jnp.maximum(whole, _SMALLEST)


def iou(boxes: Boxes, targets: Boxes) -> PerBox:
    """Computes 1 − intersection over union. Boxes apart get no gradient."""
    intersection, union, _ = areas(boxes, targets)
    return _quotient(union - intersection, union)


def giou(boxes: Boxes, targets: Boxes) -> PerBox:
    """Computes 1 − IoU + the share of the enclosing box that neither box covers."""
    intersection, union, enclosing = areas(boxes, targets)
    return _quotient(union - intersection, union) + _quotient(enclosing - union, enclosing)


def diou(boxes: Boxes, targets: Boxes) -> PerBox:
    """Computes 1 − IoU + (distance of the centres / diagonal of the enclosing box)²."""
    targets = fitted(boxes, targets)
    centres = jnp.sum((boxes - targets).reshape(*boxes.shape[:-1], 2, 2), -2) / 2.0
    diagonal = jnp.sum(jnp.square(sides(around(boxes, targets))), -1)
    return iou(boxes, targets) + _quotient(jnp.sum(jnp.square(centres), -1), diagonal)


def _angle(sides: Float[Array, "*batch 2"]) -> PerBox:
    # Of the diagonal; an empty box has none, and no slope.
    empty = jnp.all(sides <= 0, -1)
    return jnp.arctan2(jnp.where(empty, 1.0, sides[..., 0]), jnp.where(empty, 1.0, sides[..., 1]))


def ciou(boxes: Boxes, targets: Boxes) -> PerBox:
    """Computes DIoU's loss + α·v for boxes of another shape than the targets'.

    v = (4/π²)·(difference of arctan(width/height))²; α = v/(1 − IoU + v) counts as a constant in
    the gradient, as in the authors' code.
    """
    targets = fitted(boxes, targets)
    turn = _angle(sides(targets)) - _angle(sides(boxes))
    v = 4.0 / math.pi**2 * jnp.square(turn)
    alpha = jax.lax.stop_gradient(_quotient(v, iou(boxes, targets) + v))
    return diou(boxes, targets) + alpha * v


_SAME = frozenset({"nonnegative", "zero_at_target", "minimum_at_target", "bounded"})
_ZERO = "0 where both boxes are the same"

LOSSES = (
    ZooLoss(
        "iou",
        "boxes",
        iou,
        "boxes",
        r"1 - \frac{i}{u}",
        "https://arxiv.org/abs/1608.01471",
        _ZERO,
        aliases=("jaccard", "iou_loss"),
        forms=(ExpressionForm(("boxes",), "1 - ratio(i, u)"),),
        properties=_SAME,
    ),
    ZooLoss(
        "giou",
        "boxes",
        giou,
        "boxes",
        r"1 - \frac{i}{u} + \frac{e - u}{e}",
        "https://arxiv.org/abs/1902.09630",
        _ZERO,
        aliases=("generalized_iou", "giou_loss"),
        forms=(ExpressionForm(("boxes",), "1 - ratio(i, u) + ratio(e - u, e)"),),
        properties=_SAME,
    ),
    ZooLoss(
        "diou",
        "boxes",
        diou,
        "boxes",
        r"1 - \frac{i}{u} + \frac{\lVert b - b' \rVert^2}{c^2}",
        "https://arxiv.org/abs/1911.08287",
        _ZERO,
        aliases=("distance_iou", "diou_loss"),
        properties=_SAME,
    ),
    ZooLoss(
        "ciou",
        "boxes",
        ciou,
        "boxes",
        r"1 - \frac{i}{u} + \frac{\lVert b - b' \rVert^2}{c^2} + \alpha v, \quad"
        r" v = \tfrac{4}{\pi^2} \left(\arctan \tfrac{w'}{h'} - \arctan \tfrac{w}{h}\right)^2,"
        r" \quad \alpha = \frac{v}{1 - i/u + v}",
        "https://arxiv.org/abs/1911.08287",
        _ZERO,
        aliases=("complete_iou", "ciou_loss"),
        properties=_SAME,
    ),
)
