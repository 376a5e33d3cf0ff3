"""Outlines of the objects in scenes: who belongs to which class is a matter of the outline only."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

Plane = Float[np.ndarray, "height width"]
Outline = Callable[[Plane, Plane], Bool[np.ndarray, "height width"]]


def _disc(across: Plane, down: Plane) -> Bool[np.ndarray, "height width"]:
    return np.hypot(across, down) < 1


def _square(across: Plane, down: Plane) -> Bool[np.ndarray, "height width"]:
    return np.maximum(np.abs(across), np.abs(down)) < math.sqrt(0.5)


def _triangle(across: Plane, down: Plane) -> Bool[np.ndarray, "height width"]:
    inside = np.ones(across.shape, bool)
    for side in range(3):
        angle = 2 * math.pi * side / 3
        inside &= across * math.cos(angle) + down * math.sin(angle) < 0.5
    return inside


def _cross(across: Plane, down: Plane) -> Bool[np.ndarray, "height width"]:
    near, far = np.minimum(np.abs(across), np.abs(down)), np.maximum(np.abs(across), np.abs(down))
    return (near < 0.33) & (far < 0.94)


SILHOUETTES: dict[str, Outline] = {
    "disc": _disc,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
}
"""``(across, down) -> inside`` by name, in coordinates whose unit circle encloses the object
(*assumed*)."""
