"""Steady reaction and diffusion in the plane: ``k Δu + u (1 − u²) = s``, s the source.

One of the examples of meta-learned PINN losses, https://arxiv.org/abs/2107.05544. The source is
manufactured from a known solution, whose frequency is the parameter; the solution, k and the ranges
are *assumed*.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxloss.tasks.pde.problem import (
    Field,
    Numbers,
    Points,
    Problem,
    Range,
    Values,
    curvature,
    moved,
)

DIFFUSION = 0.1
"""k, how fast u spreads."""
_X, _Y = 0, 1


def _values(xp: Numbers, points: Any, frequency: Any) -> Any:
    turn = xp.pi * frequency
    return xp.sin(turn * points[:, _X]) * xp.cos(turn * points[:, _Y])


def _source(points: Points, frequency: Values) -> Values:
    """Is what the equation gives for the known solution u*, whose Δu* is −2 (π frequency)² u*."""
    known = _values(jnp, points, frequency)
    laplacian = -2.0 * jnp.square(jnp.pi * frequency) * known
    return DIFFUSION * laplacian + known * (1.0 - jnp.square(known))


def _residual(field: Field, points: Points, frequency: Values) -> Values:
    laplacian = curvature(field, _X)(points) + curvature(field, _Y)(points)
    values = field(points)
    reaction = values * (1.0 - jnp.square(values))
    return DIFFUSION * laplacian + reaction - _source(points, frequency)


def _boundary(points: Points) -> Points:
    """Moves each point to the side of the square that is nearest (*assumed*).

    So points are densest in the middle of a side and rare at its corners.
    """
    sides = jnp.where(points < 0, -1.0, 1.0)
    nearer_x = jnp.abs(points[:, _X]) >= jnp.abs(points[:, _Y])
    x = jnp.where(nearer_x, sides[:, _X], points[:, _X])
    y = jnp.where(nearer_x, points[:, _Y], sides[:, _Y])
    return moved(moved(points, _X, x), _Y, y)


REACTION_DIFFUSION = Problem(
    "reaction_diffusion",
    "steady reaction-diffusion",
    "frequency",
    Range(0.5, 1.0),
    Range(0.1, 4.0),
    ("x", "y"),
    (-1.0, -1.0),
    (1.0, 1.0),
    partial(_values, jnp),
    partial(_values, np),
    _residual,
    boundary=_boundary,
)
"""On the square [-1, 1]², with values known on its boundary."""
