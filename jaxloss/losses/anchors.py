"""Embeddings beside class anchors: what a loss sees of them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.errors import require
from jaxloss.losses.arrays import require_floats, safe_sqrt


def require_anchors(outputs: Array) -> None:
    """Refuses outputs that are not an embedding beside two anchors or more for each example.

    Raises:
        InvalidInputError: says so, or of what type they are instead of floating-point numbers.
    """
    require_floats(outputs)
    require(
        outputs.ndim == 3 and outputs.shape[1] >= 3,
        "the anchors view needs outputs of shape [batch, 1 + classes, features], an embedding "
        f"and the anchors of two classes or more, got {outputs.shape}",
    )


def anchor_distances(outputs: Float[Array, "batch rows features"]) -> Float[Array, "batch classes"]:
    """Computes the Euclidean distance of each embedding to each class anchor, slope 0 at 0.

    Args:
        outputs: for each example its embedding and after it the anchors, ``rows = 1 + classes``.

    Raises:
        InvalidInputError: an example does not have an embedding beside two anchors or more.
    """
    require_anchors(outputs)
    return safe_sqrt(jnp.sum(jnp.square(outputs[:, :1] - outputs[:, 1:]), -1))
