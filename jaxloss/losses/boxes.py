"""Boxes as outputs decode to them, and the areas that two of them have.

Boxes are ``x1, y1, x2, y2`` with x1 ≤ x2 and y1 ≤ y2 on the last axis; one turned inside out counts
as empty.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.errors import InvalidInputError
from jaxloss.losses.arrays import fitted

Boxes = Float[Array, "*batch 4"]
PerBox = Float[Array, "*batch"]

IMAGE_SIDE = 64.0
"""Pixels of the square image that decoded boxes have their centres in (*assumed*)."""


def decoded_boxes(outputs: Float[Array, "batch 4"]) -> Float[Array, "batch 4"]:
    """Turns raw outputs into boxes; any finite outputs give a box of finite, positive size.

    The first two outputs place the centre inside an image of 64x64 pixels, the last two stretch
    the sides from 16 pixels to between 0.8 and 321; outputs of 0 give the box of 16 pixels in the
    middle (*assumed*).

    Returns:
        ``x1, y1, x2, y2`` in pixels.

    Raises:
        InvalidInputError: an example does not have four outputs.
    """
    if outputs.ndim != 2 or outputs.shape[-1] != 4:
        raise InvalidInputError(
            f"the boxes view needs outputs of shape [batch, 4], got {outputs.shape}"
        )
    centres = IMAGE_SIDE * jax.nn.sigmoid(outputs[:, :2])
    # Bounded smoothly: clipped outputs would get no gradient back from too large a box.
    lengths = IMAGE_SIDE / 4 * jnp.exp(3.0 * jnp.tanh(outputs[:, 2:] / 3.0))
    return jnp.concatenate([centres - lengths / 2, centres + lengths / 2], -1)


class Areas(NamedTuple):
    """What two boxes have in common, as areas in squared units of the boxes.

    Attributes:
        intersection: area of the overlap.
        union: area of both together.
        enclosing: area of the smallest box around both.
    """

    intersection: PerBox
    union: PerBox
    enclosing: PerBox


def sides(boxes: Boxes) -> Float[Array, "*batch 2"]:
    """Computes width and height, 0 where a box is empty."""
    return jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)


def _area(boxes: Boxes) -> PerBox:
    both = sides(boxes)
    return both[..., 0] * both[..., 1]


def around(boxes: Boxes, targets: Boxes) -> Boxes:
    """Finds the smallest box around both."""
    low = jnp.minimum(boxes[..., :2], targets[..., :2])
    return jnp.concatenate([low, jnp.maximum(boxes[..., 2:], targets[..., 2:])], -1)


def areas(boxes: Boxes, targets: Boxes) -> Areas:
    """Computes the areas that box losses are made of."""
    targets = fitted(boxes, targets)
    low = jnp.maximum(boxes[..., :2], targets[..., :2])
    high = jnp.minimum(boxes[..., 2:], targets[..., 2:])
    intersection = _area(jnp.concatenate([low, high], -1))
    union = _area(boxes) + _area(targets) - intersection
    return Areas(intersection, union, _area(around(boxes, targets)))
