"""Advection at constant speed: ``u_t + u_x = 0``; the width of the initial bump is the parameter.

One of the examples of meta-learned PINN losses, https://arxiv.org/abs/2107.05544; the bump and the
ranges are *assumed*.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxloss.tasks.pde.problem import Field, Numbers, Points, Problem, Range, Values, moved, slope

SPEED = 1.0
"""How fast the bump moves to the right."""
START = -0.5
"""Where the bump is at t = 0."""
_X, _T = 0, 1


def _values(xp: Numbers, points: Any, width: Any) -> Any:
    distance = points[:, _X] - SPEED * points[:, _T] - START
    return xp.exp(-0.5 * xp.square(distance / width))


def _residual(field: Field, points: Points, width: Values) -> Values:
    del width
    return slope(field, _T)(points) + SPEED * slope(field, _X)(points)


ADVECTION = Problem(
    "advection",
    "advection of a bump",
    "width",
    Range(0.15, 0.4, log=True),
    Range(0.02, 2.0),
    ("x", "t"),
    (-1.0, 0.0),
    (1.0, 1.0),
    partial(_values, jnp),
    partial(_values, np),
    _residual,
    boundary=lambda points: moved(points, _X, -1.0),
    initial=lambda points: moved(points, _T, 0.0),
)
"""On x in [-1, 1], t in [0, 1], a Gaussian bump of standard deviation ``width``; values are known
at t = 0 and where the flow comes in, x = -1. The solution is the bump moved by t."""
