"""A function with a jump, of several frequencies left of it and one right of it.

The first example of meta-learned PINN losses, https://arxiv.org/abs/2107.05544; the function itself
and the ranges are *assumed*.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxloss.tasks.pde.problem import Numbers, Problem, Range

_TONES = (1.0, 2.0, 3.0)
"""Multiples of the frequency left of the jump."""


def _values(xp: Numbers, points: Any, frequency: Any) -> Any:
    angle = xp.pi * frequency * points[:, 0]
    left = sum(xp.sin(tone * angle) for tone in _TONES) / len(_TONES)
    return xp.where(points[:, 0] < 0, left, 1.0 + xp.cos(2.0 * angle))


REGRESSION = Problem(
    "regression",
    "discontinuous regression",
    "frequency",
    Range(0.5, 1.5),
    Range(0.1, 10.0),
    ("x",),
    (-1.0,),
    (1.0,),
    partial(_values, jnp),
    partial(_values, np),
)
"""On [-1, 1]: three tones of ``frequency`` left of 0, and 1 + cos of twice it from 0 on."""
