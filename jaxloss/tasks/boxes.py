"""Boxes to be predicted: targets as they must be, and a simulated set without real data."""

import numpy as np
from jaxtyping import Float, Shaped

from jaxloss.errors import require
from jaxloss.losses.boxes import IMAGE_SIDE
from jaxloss.tasks.preparation import as_values
from jaxloss.tasks.raw import RawData

BOXES_NAME = "boxes"
"""How the simulated set is called."""

ROWS = 800
"""Simulated boxes: enough for three splits, few enough for a laptop (*assumed*)."""

FEATURES = 16
"""Features of each simulated box (*assumed*)."""

SIDES = (6.0, 40.0)
"""Least and greatest side of a simulated box in pixels (*assumed*)."""

NOISE = 0.05
"""Standard deviation of the noise of the features, which lie between -1 and 1 (*assumed*)."""


def boxes_data(seed: int = 0) -> RawData:
    """Simulates boxes in an image, each with features that tell where it is.

    No real data: sides are log-uniform, the place is uniform in the image, and the features are
    ``tanh(W z + b) + noise`` of the centre and the logarithms of the sides ``z``, with random
    ``W`` and ``b``. Equal seeds give equal boxes.

    Args:
        seed: draws boxes, features and noise.

    Returns:
        Inputs ``[800, 16]`` and targets ``[800, 4]``: ``x1, y1, x2, y2`` in pixels, of kind
        ``"boxes"``.
    """
    generator = np.random.default_rng(seed)
    low, high = np.log(SIDES)
    log_sides = generator.uniform(low, high, (ROWS, 2))
    sides = np.exp(log_sides)
    corners = generator.uniform(0.0, 1.0, (ROWS, 2)) * (IMAGE_SIDE - sides)
    centres = 2 * (corners + sides / 2) / IMAGE_SIDE - 1
    position = np.concatenate([centres, 2 * (log_sides - low) / (high - low) - 1], axis=1)
    weights = generator.normal(size=(4, FEATURES))
    shifts = generator.normal(scale=0.5, size=FEATURES)
    noise = generator.normal(scale=NOISE, size=(ROWS, FEATURES))
    features = np.tanh(position @ weights + shifts) + noise
    return RawData(BOXES_NAME, features, np.concatenate([corners, corners + sides], 1), "boxes")


def as_boxes(targets: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "rows 4"]:
    """Makes targets boxes ``x1, y1, x2, y2``.

    Raises:
        InvalidInputError: they are not four finite numbers each, or a box has no area or its centre
            where no prediction can be (`jaxloss.losses.views.decoded_boxes`).
    """
    boxes = as_values(targets)
    require(
        boxes.ndim == 2 and boxes.shape[1] == 4,
        f"boxes need targets [rows, 4] (x1, y1, x2, y2), got shape {boxes.shape}",
    )
    empty = np.flatnonzero(np.any(boxes[:, 2:] <= boxes[:, :2], axis=1)).tolist()
    require(
        not empty,
        f"the box in data row {(empty or [0])[0] + 1} (counted from 1) has no area; expected "
        "x1 < x2 and y1 < y2",
    )
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = np.all((centres > 0) & (centres < IMAGE_SIDE), axis=1)
    beyond = np.flatnonzero(~inside).tolist()
    require(
        not beyond,
        f"the box in data row {(beyond or [0])[0] + 1} (counted from 1) has its centre outside of "
        f"the image of {IMAGE_SIDE:g}x{IMAGE_SIDE:g} pixels; scale boxes to it",
    )
    return boxes
