"""Class Anchor Margin: embeddings are drawn to their class's anchor, anchors are kept apart.

Paper: Class Anchor Margin Loss for Content-Based Image Retrieval,
https://arxiv.org/abs/2306.00630. There are neither pairs to mine nor a classifier to train.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxloss.errors import require
from jaxloss.losses.arrays import safe_sqrt
from jaxloss.losses.zoo.arrays import class_numbers
from jaxloss.losses.zoo.entry import Parameter, ZooLoss

Anchors = Float[Array, "classes features"]
Embeddings = Float[Array, "*batch features"]


def initial_anchors(classes: int, features: int, margin: float = 2.0) -> Anchors:
    """Makes anchors at a distance of 2·margin from each other: scaled basis vectors.

    The distance is rounded up by a few units in the last place, so that the repeller is exactly 0.

    Raises:
        InvalidInputError: there are more classes than features.
    """
    require(
        1 <= classes <= features,
        f"{classes} classes do not fit into {features} features; expected as many features or more",
    )
    vectors = jnp.eye(classes, features)
    # Squares, sum and root lose less than one unit of 1 together.
    rounded_up = 1.0 + 4.0 * float(jnp.finfo(vectors.dtype).eps)
    return math.sqrt(2.0) * margin * rounded_up * vectors


def attractor(
    embeddings: Embeddings, classes: Int[Array, "*batch"], anchors: Anchors
) -> Float[Array, "*batch"]:
    """Computes half the squared distance to the class's anchor, one value for each example."""
    classes = class_numbers(embeddings, classes)
    return 0.5 * jnp.sum(jnp.square(embeddings - anchors[classes]), -1)


def repeller(anchors: Anchors, margin: float = 2.0) -> Float[Array, ""]:
    """Computes ½Σ max(0, 2m − distance)² over the ordered pairs of anchors: one value for all.

    Anchors in one and the same place get no gradient.
    """
    distances = safe_sqrt(jnp.sum(jnp.square(anchors[:, None] - anchors[None]), -1))
    apart = ~jnp.eye(anchors.shape[0], dtype=bool)
    missing = jnp.maximum(0.0, 2.0 * margin - distances)
    return 0.5 * jnp.sum(jnp.square(missing), where=apart)


def minimum_norm(anchors: Anchors, radius: float = 1.0) -> Float[Array, ""]:
    """Computes ½Σ max(0, p − norm)² over the anchors: one value for all."""
    norms = safe_sqrt(jnp.sum(jnp.square(anchors), -1))
    return 0.5 * jnp.sum(jnp.square(jnp.maximum(0.0, radius - norms)))


def class_anchor_margin(
    embeddings: Embeddings,
    classes: Int[Array, "*batch"],
    anchors: Anchors,
    margin: float = 2.0,
    radius: float = 1.0,
) -> Float[Array, "*batch"]:
    """Computes the whole loss, one value for each example; its mean is the paper's.

    Args:
        embeddings: of the examples.
        classes: their class numbers.
        anchors: one for each class, trained along with the embeddings.
        margin: m; anchors are pushed until they are 2m apart.
        radius: p; anchors are pushed until their norm is p.
    """
    of_anchors = repeller(anchors, margin) + minimum_norm(anchors, radius)
    return attractor(embeddings, classes, anchors) + of_anchors


_SOURCE = "https://arxiv.org/abs/2306.00630"
_MARGIN = Parameter("margin", 2.0, 1e-3, 1e3, "m, half the wanted distance", "assumed")
_RADIUS = Parameter("radius", 1.0, 0.0, 1e3, "p, the wanted norm", "assumed")
_ATTRACTOR = r"\tfrac{1}{2} \lVert e - c_y \rVert^2"
_REPELLER = r"\tfrac{1}{2} \sum_{k \ne l} \max(0, 2 m - \lVert c_k - c_l \rVert)^2"
_NORM = r"\tfrac{1}{2} \sum_k \max(0, p - \lVert c_k \rVert)^2"

LOSSES = (
    ZooLoss(
        "cam",
        "retrieval",
        class_anchor_margin,
        "anchored",
        f"{_ATTRACTOR} + {_REPELLER} + {_NORM}",
        _SOURCE,
        "0 at e = c_y with all anchors 2m apart and of norm p or more",
        aliases=("class_anchor_margin",),
        parameters=(_MARGIN, _RADIUS),
        properties=frozenset({"nonnegative"}),
    ),
    ZooLoss(
        "cam_attractor",
        "retrieval",
        attractor,
        "anchored",
        _ATTRACTOR,
        _SOURCE,
        "0 at e = c_y",
        aliases=("centre_loss", "center_loss"),
        properties=frozenset({"nonnegative", "convex", "smooth"}),
    ),
    ZooLoss(
        "cam_repeller",
        "retrieval",
        repeller,
        "anchors",
        _REPELLER,
        _SOURCE,
        "0 wherever all anchors are 2m apart or more",
        parameters=(_MARGIN,),
        properties=frozenset({"nonnegative", "bounded", "bounded_gradient"}),
    ),
    ZooLoss(
        "cam_minimum_norm",
        "retrieval",
        minimum_norm,
        "anchors",
        _NORM,
        _SOURCE,
        "0 wherever all norms are p or more",
        parameters=(_RADIUS,),
        properties=frozenset({"nonnegative", "bounded", "bounded_gradient"}),
    ),
)
