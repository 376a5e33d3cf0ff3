"""What a one-stage detector puts out for each cell of an image, and what a loss sees of it.

Detectors without anchors, https://arxiv.org/abs/1904.01355 (FCOS): each cell names a class or the
background, and how far the four sides of a box are from its centre.

Outputs are ``[batch, cells, classes + 1 + 4]``: logits of the classes, the background's last, then
four raw numbers that `side_distances` turns into pixels. Targets are ``[batch, rows, 5]``: a class
number and four numbers for each row. The first rows are the cells', with the distances in pixels
from the centre to the left, upper, right and lower side of the true box; a cell without a box has
the background's number. What rows come after them is not for losses.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxloss.errors import require

Outputs = Float[Array, "batch cells numbers"]
Targets = Float[Array, "batch rows 5"]
CellBoxes = Float[Array, "batch cells 4"]

SIDE = 8.0
"""Pixels from the centre of a cell to each side where raw outputs are 0 (*assumed*)."""

_REACH = 3.0
"""The farthest side lies e³ = 20 times as far off, the nearest 20 times as near (*assumed*)."""

_SAME = (0.0, 0.0, 16.0, 16.0)
"""The box that is right in every cell without one, so that areas are defined there."""


def class_logits(outputs: Outputs) -> Float[Array, "batch cells classes"]:
    """Gives the logits of the classes and of the background.

    Raises:
        InvalidInputError: the outputs are not those of a detector.
    """
    require(
        outputs.ndim == 3 and outputs.shape[-1] >= 6,
        "a loss of cells needs outputs [batch, cells, classes + 1 + 4] with a class or more, got "
        f"shape {outputs.shape}",
    )
    return outputs[..., :-4]


def side_distances(outputs: Outputs) -> CellBoxes:
    """Computes the distances of the predicted sides from the centres in pixels, above 0.

    They grow as the exponential of a raw number (FCOS, Section 3.1), bounded smoothly: clipped
    outputs would get no gradient back from too large a box.
    """
    return SIDE * jnp.exp(_REACH * jnp.tanh(outputs[..., -4:] / _REACH))


def cell_targets(outputs: Outputs, targets: Targets) -> Targets:
    """Gives the rows that belong to cells.

    Raises:
        InvalidInputError: there are fewer rows than cells, or they do not hold five numbers.
    """
    cells = outputs.shape[1]
    require(
        targets.ndim == 3 and targets.shape[1] >= cells and targets.shape[2] == 5,
        f"cells need targets [batch, {cells} or more, 5], got shape {targets.shape}",
    )
    return targets[:, :cells]


def cell_labels(outputs: Outputs, targets: Targets) -> Float[Array, "batch cells classes"]:
    """Gives one-hot labels, the background's last."""
    logits = class_logits(outputs)
    numbers = cell_targets(outputs, targets)[..., 0].astype(jnp.int32)
    return jax.nn.one_hot(numbers, logits.shape[-1], dtype=logits.dtype)


def has_box(outputs: Outputs, targets: Targets) -> Bool[Array, "batch cells"]:
    """Says which cells have a true box."""
    return cell_targets(outputs, targets)[..., 0] < class_logits(outputs).shape[-1] - 1


def cell_boxes(outputs: Outputs, targets: Targets) -> tuple[CellBoxes, CellBoxes]:
    """Gives predicted and true boxes, ``x1, y1, x2, y2`` around the centre of each cell in pixels.

    In cells without a true box both are one fixed box, from which no gradient comes back.
    """
    there = has_box(outputs, targets)[..., None]
    same = jnp.array(_SAME, outputs.dtype)[None, None]
    true = cell_targets(outputs, targets)[..., 1:].astype(outputs.dtype)
    predicted, true = (
        jnp.concatenate([-distances[..., :2], distances[..., 2:]], -1)
        for distances in (side_distances(outputs), true)
    )
    return jnp.where(there, predicted, same), jnp.where(there, true, same)


def _shares(outputs: Outputs, targets: Targets) -> Float[Array, "batch 1"]:
    """One over how many cells of an example have a box, as FCOS averages (Eq. 2)."""
    count = jnp.sum(has_box(outputs, targets), -1, keepdims=True)
    return 1.0 / jnp.maximum(count, 1).astype(outputs.dtype)


def class_weights(outputs: Outputs, targets: Targets) -> Float[Array, "batch cells"]:
    """Weighs all cells alike: one over the number of those with a box."""
    weights = _shares(outputs, targets)
    return jnp.broadcast_to(weights, outputs.shape[:2])


def box_weights(outputs: Outputs, targets: Targets) -> Float[Array, "batch cells"]:
    """Weighs cells with a box by one over their number, and the others not at all."""
    there = has_box(outputs, targets).astype(outputs.dtype)
    return there * _shares(outputs, targets)
