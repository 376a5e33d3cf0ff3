"""Which cell of an image is to find which box."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

MIDDLE = 0.7
"""The part of a box, about its centre, whose cells are to find it (*assumed*; FCOS,
https://arxiv.org/abs/1904.01355, began with the whole box)."""


class Annotations(NamedTuple):
    """What is to be found in images.

    Attributes:
        classes: numbers; -1 where an image has fewer objects than others.
        boxes: ``x1, y1, x2, y2`` in pixels; all 0 where there is no object.
    """

    classes: Int[np.ndarray, "images objects"]
    boxes: Float[np.ndarray, "images objects 4"]


def cell_centres(side: int, stride: int) -> Float[np.ndarray, "cells 2"]:
    """Gives the centre x, y of each cell in pixels, row by row."""
    middles = np.arange(side // stride) * stride + stride / 2
    down, across = np.meshgrid(middles, middles, indexing="ij")
    return np.stack([across.ravel(), down.ravel()], -1).astype(np.float32)


def as_targets(
    annotations: Annotations, side: int, stride: int, classes: int
) -> Float[np.ndarray, "images rows 5"]:
    """Writes for each cell what it is to find, and after the cells all objects.

    A cell is to find a box if its centre lies in the middle part of it; of several it is the
    smallest. A box whose middle part holds no centre is sought by the cell whose centre is nearest
    to its own and lies inside of it, if there is one.

    Args:
        annotations: the objects.
        side: pixels of an image's side.
        stride: pixels of a cell's side.
        classes: how many there are; the background gets the number after the last.

    Returns:
        Rows as `jaxloss.losses.cells` describes them for the cells. A row of an object holds its
        class, -1 for none, and its box.
    """
    centres = cell_centres(side, stride)
    rows = [
        _cells_of(objects, boxes, centres, classes)
        for objects, boxes in zip(*annotations, strict=True)
    ]
    objects = np.concatenate([annotations.classes[..., None], annotations.boxes], -1)
    return np.concatenate([np.stack(rows), objects], 1).astype(np.float32)


def _cells_of(
    objects: np.ndarray, boxes: np.ndarray, centres: np.ndarray, background: int
) -> Float[np.ndarray, "cells 5"]:
    rows = np.zeros((len(centres), 5), np.float32)
    rows[:, 0] = background
    sizes = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    # The smallest box comes last and so wins.
    for number in sorted(np.flatnonzero(objects >= 0), key=lambda number: -sizes[number]):
        low, high = boxes[number, :2], boxes[number, 2:]
        middle, half = (low + high) / 2, (high - low) / 2
        inside = np.all((centres > low) & (centres < high), axis=1)
        off = np.abs(centres - middle)
        chosen = inside & np.all(off <= MIDDLE * half, axis=1)
        if not chosen.any() and inside.any():
            distances = np.where(inside, np.sum(off**2, axis=1), np.inf)
            chosen = np.arange(len(centres)) == np.argmin(distances)
        sides = np.concatenate([centres - low, high - centres], 1)
        rows[chosen, 0] = objects[number]
        rows[chosen, 1:] = sides[chosen]
    return rows
