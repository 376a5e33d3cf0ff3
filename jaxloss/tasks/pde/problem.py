"""What a differential equation is to a task: its domain, its residual, its data, its solution.

Each problem is a distribution over one parameter, as in meta-learned PINN losses
(https://arxiv.org/abs/2107.05544).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxloss.errors import require

Points = Float[Array, "rows dimensions"]
Values = Float[Array, " rows"]
Field = Callable[[Points], Values]
"""``(points) -> values`` of a function of the coordinates, row by row."""
Numbers = ModuleType
"""``jax.numpy`` where a formula is traced, ``numpy`` where float64 is wanted whatever JAX has."""


@dataclass(frozen=True)
class Range:
    """An interval of the parameter.

    Attributes:
        low: its lower end, belongs to it.
        high: its upper end, belongs to it.
        log: whether ratios matter rather than differences; needs a positive ``low``.
    """

    low: float
    high: float
    log: bool = False

    @property
    def centre(self) -> float:
        """Middle of the interval; the geometric one where ratios matter."""
        return math.sqrt(self.low * self.high) if self.log else 0.5 * (self.low + self.high)

    def at(self, share: Float[Array, ""]) -> Float[Array, ""]:
        """Finds the value that leaves this share of the interval, from 0 to 1, below it."""
        if self.log:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share

    def holds(self, value: float) -> bool:
        """Says whether the value lies in the interval."""
        return self.low <= value <= self.high


class Weights(NamedTuple):
    """How much each term of the loss counts; each is the term's share of the rows of a batch.

    Attributes:
        interior: w_f, of the equation itself.
        boundary: w_b, of the values on the boundary.
        initial: w_0, of the values at the first moment.
    """

    interior: float = 1.0
    boundary: float = 1.0
    initial: float = 1.0


@dataclass(frozen=True)
class Problem:
    """A family of equations with one parameter.

    All functions but ``solution`` are pure and can be traced; the parameter comes row by row.

    Attributes:
        name: how specs call it.
        title: what it is, for people.
        parameter: name of the parameter.
        training: where meta-training draws the parameter from.
        solvable: where the reference solution holds.
        coordinates: names of the coordinates.
        low: least value of each coordinate.
        high: greatest value of each coordinate.
        values: ``(points, parameters) -> values`` that are known on the boundary and at the first
            moment; for plain regression everywhere.
        solution: ``(points, parameter) -> values`` of the reference, in float64 by numpy.
        residual: ``(field, points, parameters) -> values``: by how much the field fails the
            equation; None for plain regression, which knows values only.
        boundary: moves points of the domain onto its boundary; None where there is none.
        initial: moves points of the domain to the first moment; None where there is none.
    """

    name: str
    title: str
    parameter: str
    training: Range
    solvable: Range
    coordinates: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    values: Callable[[Points, Values], Values]
    solution: Callable[[Float[np.ndarray, "rows dimensions"], float], Float[np.ndarray, " rows"]]
    residual: Callable[[Field, Points, Values], Values] | None = None
    boundary: Callable[[Points], Points] | None = None
    initial: Callable[[Points], Points] | None = None

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms that `Weights` weighs: none for plain regression."""
        if self.residual is None:
            return ()
        there = {"interior": True, "boundary": self.boundary, "initial": self.initial}
        return tuple(name for name, term in there.items() if term)

    @property
    def dimensions(self) -> int:
        """How many coordinates there are."""
        return len(self.coordinates)

    def require_solvable(self, parameter: float) -> None:
        """Refuses parameters for which there is no reference solution.

        Raises:
            InvalidInputError: names the range.
        """
        require(
            math.isfinite(parameter) and self.solvable.holds(parameter),
            f"pde:{self.name}: {self.parameter} must be within {self.solvable.low:g} and "
            f"{self.solvable.high:g}, where its reference solution holds, got {parameter:g}",
        )


def slope(field: Field, axis: int) -> Field:
    """Makes the first derivative of a field along a coordinate, by forward mode."""

    def derivative(points: Points) -> Values:
        return jax.jvp(field, (points,), (_along(points, axis),))[1]

    return derivative


def curvature(field: Field, axis: int) -> Field:
    """Makes the second derivative of a field along a coordinate, forward over forward."""
    return slope(slope(field, axis), axis)


def moved(points: Points, axis: int, to: float | Values) -> Points:
    """Sets one coordinate of all points."""
    return points.at[:, axis].set(to)


def _along(points: Points, axis: int) -> Points:
    return jnp.zeros_like(points).at[:, axis].set(1.0)
