"""Viscous Burgers: ``u_t + u u_x = ν u_xx``, u = −sin πx at t = 0; the parameter is ν.

One of the examples of meta-learned PINN losses, https://arxiv.org/abs/2107.05544; the ranges are
*assumed*. The reference is the Cole–Hopf solution (https://doi.org/10.1002/cpa.3160030302 and
https://doi.org/10.1090/qam/42889).
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxloss.tasks.pde.problem import (
    Field,
    Points,
    Problem,
    Range,
    Values,
    curvature,
    moved,
    slope,
)

_X, _T = 0, 1
_NODES = 1601
"""Nodes of the quadrature; the integrand is smooth and dies away at both ends, where the
trapezoidal rule converges faster than any power."""
_ROWS = 256
"""Points that are solved at once, which bounds the memory."""


def _values(points: Points, viscosity: Values) -> Values:
    del viscosity
    return -jnp.sin(jnp.pi * points[:, _X]) * (points[:, _T] <= 0.0)


def cole_hopf(points: Float[np.ndarray, "rows 2"], viscosity: float) -> Float[np.ndarray, " rows"]:
    """Computes the exact solution by quadrature in float64.

    ``u = −∫ sin(π(x−η)) w dη / ∫ w dη`` with
    ``w = exp(−cos(π(x−η))/(2πν) − η²/(4νt))``, after the substitution η = s √(4νt).

    Args:
        points: x and t >= 0 of each.
        viscosity: ν > 0.
    """
    # Beyond it, s² outweighs all that the cosine can change by e^45.
    reach = np.sqrt(1.0 / (np.pi * viscosity) + 45.0)
    s = np.linspace(-reach, reach, _NODES)[None, :]
    parts = []
    for start in range(0, len(points), _ROWS):
        x, t = np.asarray(points[start : start + _ROWS], np.float64).T[:, :, None]
        angle = np.pi * (x - s * np.sqrt(4.0 * viscosity * t))
        exponent = -np.cos(angle) / (2.0 * np.pi * viscosity) - np.square(s)
        weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        parts.append(-np.sum(np.sin(angle) * weights, axis=1) / np.sum(weights, axis=1))
    return np.concatenate(parts)


def _residual(field: Field, points: Points, viscosity: Values) -> Values:
    u, u_x = field(points), slope(field, _X)(points)
    return slope(field, _T)(points) + u * u_x - viscosity * curvature(field, _X)(points)


def _boundary(points: Points) -> Points:
    return moved(points, _X, jnp.where(points[:, _X] < 0, -1.0, 1.0))


BURGERS = Problem(
    "burgers",
    "viscous Burgers",
    "viscosity",
    Range(0.02, 0.2, log=True),
    Range(0.002, 2.0),
    ("x", "t"),
    (-1.0, 0.0),
    (1.0, 1.0),
    _values,
    cole_hopf,
    _residual,
    boundary=_boundary,
    initial=lambda points: moved(points, _T, 0.0),
)
"""On x in [-1, 1], t in [0, 1], with u = 0 at x = -1 and x = 1."""
