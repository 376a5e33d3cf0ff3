"""The detection losses that CSE-Autoloss found: pairs A and B, for classes and for boxes.

Paper: Loss Function Discovery for Object Detection via Convergence-Simulation Driven Search,
https://arxiv.org/abs/2102.04700. Box areas are in squared pixels: the losses add whole numbers to
them.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted
from jaxloss.losses.boxes import Areas, Boxes, PerBox, areas
from jaxloss.losses.zoo.arrays import log_softmax
from jaxloss.losses.zoo.entry import ZooLoss
from jaxloss.losses.zoo.writing import ExpressionForm
from jaxloss.symbols.detection_primitives import serf, sgdf

Classes = Float[Array, "*batch classes"]

_SMALLEST = 1e-7
"""Least area that is divided by."""


def cse_a_class(logits: Classes, labels: Classes, overlaps: PerBox) -> PerBox:
    """Computes class loss A: cross-entropy with weight 1 + sin(overlap), a value for each box.

    Args:
        logits: of each class.
        labels: one-hot or soft.
        overlaps: intersection over union of the predicted with the true box, 0 to 1; counts as a
            constant in the gradient.
    """
    entropies = -jnp.sum(fitted(logits, labels) * log_softmax(logits), -1)
    return (1.0 + jnp.sin(jax.lax.stop_gradient(fitted(entropies, overlaps)))) * entropies


def cse_b_class(logits: Classes, labels: Classes, overlaps: PerBox) -> PerBox:
    """Computes class loss B, one-vs-rest and summed over classes, a value for each box.

    Takes what `cse_a_class` takes.
    """
    labels = fitted(logits, labels)
    overlaps = fitted(logits[..., 0], overlaps)
    aim = jax.lax.stop_gradient(overlaps)[..., None] * labels
    # −[w y (1 + Serf(σ(1 − y))) ln σ(x) + (Sgdf(x) − w y)(σ(x) − w y) ln(1 − σ(x))]
    found = aim * (1.0 + serf(jax.nn.sigmoid(1.0 - labels))) * jax.nn.log_sigmoid(logits)
    distance = (sgdf(logits) - aim) * (jax.nn.sigmoid(logits) - aim)
    return -jnp.sum(found + distance * jax.nn.log_sigmoid(-logits), -1)


def _kept_from_zero(boxes: Boxes, targets: Boxes) -> Areas:
    intersection, union, enclosing = areas(boxes, targets)
    return Areas(intersection, jnp.maximum(union, _SMALLEST), jnp.maximum(enclosing, _SMALLEST))


def cse_a_box(boxes: Boxes, targets: Boxes) -> PerBox:
    """Computes box loss A of areas i, u, e (intersection, union, enclosing), for each box."""
    i, u, e = _kept_from_zero(boxes, targets)
    return (1.0 - i / u) + (1.0 - (i + 2.0) / e)


def cse_b_box(boxes: Boxes, targets: Boxes) -> PerBox:
    """Computes box loss B of areas i, u, e (intersection, union, enclosing), for each box."""
    i, u, e = _kept_from_zero(boxes, targets)
    # (3eu + 12e + 3i + 3u + 18)/(−3eu + iu + u² − 15e + 5i + 5u), whose denominator is
    # (u + 5)(i + u − 3e): below 0, since no area exceeds e.
    above = 3.0 * e * (u + 4.0) + 3.0 * (i + u + 6.0)
    return above / ((u + 5.0) * (i + u - 3.0 * e))


_SOURCE = "https://arxiv.org/abs/2102.04700"

LOSSES = (
    ZooLoss(
        "cse_a_class",
        "boxes",
        cse_a_class,
        "detections",
        r"-(1 + \sin w) \sum_k y_k \ln f_k, \quad f = \mathrm{softmax}(x)",
        _SOURCE,
        "0 in the limit f_y = 1",
        aliases=("cse_autoloss_a_class",),
        properties=frozenset({"nonnegative", "convex", "bounded_gradient", "smooth"}),
    ),
    ZooLoss(
        "cse_b_class",
        "boxes",
        cse_b_class,
        "detections",
        r"-\sum_k \left[w y_k \left(1 + \mathrm{Serf}(\sigma(1 - y_k))\right) \ln \sigma(x_k)"
        r" + (\mathrm{Sgdf}(x_k) - w y_k) (\sigma(x_k) - w y_k) \ln (1 - \sigma(x_k))\right]",
        _SOURCE,
        "0 in the limit of x = -∞ for wrong classes; for the right class between, at w < 1",
        aliases=("cse_autoloss_b_class",),
        properties=frozenset({"nonnegative", "bounded_gradient", "smooth"}),
    ),
    ZooLoss(
        "cse_a_box",
        "boxes",
        cse_a_box,
        "boxes",
        r"\left(1 - \frac{i}{u}\right) + \left(1 - \frac{i + 2}{e}\right)",
        _SOURCE,
        "-2/a where both boxes are the same, of area a",
        aliases=("cse_autoloss_a_box",),
        forms=(ExpressionForm(("boxes",), "(1 - ratio(i, u)) + (1 - ratio(i + 2, e))"),),
        properties=frozenset({"minimum_at_target"}),
    ),
    ZooLoss(
        "cse_b_box",
        "boxes",
        cse_b_box,
        "boxes",
        r"\frac{3 e u + 12 e + 3 i + 3 u + 18}{-3 e u + i u + u^2 - 15 e + 5 i + 5 u}",
        _SOURCE,
        "-3(a² + 6a + 6)/(a² + 5a) where both boxes are the same, of area a",
        aliases=("cse_autoloss_b_box",),
        forms=(
            ExpressionForm(("boxes",), "ratio(3*e*(u + 4) + 3*(i + u + 6), (u + 5)*(i + u - 3*e))"),
        ),
        properties=frozenset({"minimum_at_target"}),
    ),
)
