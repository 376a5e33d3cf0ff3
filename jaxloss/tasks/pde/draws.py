"""Draws collocation points and known values, all of it inside ``jit``."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.tasks.pde.network import BOUNDARY, INITIAL, INTERIOR, SCORED, rows_of
from jaxloss.tasks.pde.problem import Points, Problem, Weights
from jaxloss.tasks.task import Split


class Outliers(NamedTuple):
    """How known values are spoilt.

    Attributes:
        rate: probability that a value is.
        scale: size of an outlier, in standard deviations of the known values of the equation, those
            on the boundary and those at the first moment together.
        judging: whether values that judge in meta-training are spoilt too.
    """

    rate: float
    scale: float
    judging: bool = True


_KINDS = {"interior": INTERIOR, "boundary": BOUNDARY, "initial": INITIAL}
"""The kind of row of each term."""

_DEVIATION_POINTS = 512
"""Points of each kind that tell how much known values vary (*assumed*)."""


def terms_of(problem: Problem, weights: Weights) -> dict[float, float]:
    """Gives the kinds of training rows of a problem, with the weight of each.

    Raises:
        InvalidInputError: a weight is negative or not finite, or no term of the problem has one.
    """
    for term, weight in weights._asdict().items():
        require(
            math.isfinite(weight) and weight >= 0,
            f"pde:{problem.name}: weights of terms must be 0 or more and finite, got "
            f"{term}={weight:g}",
        )
    if problem.residual is None:
        return {SCORED: 1.0}
    there = {_KINDS[term]: getattr(weights, term) for term in problem.terms}
    kept = {kind: weight for kind, weight in there.items() if weight > 0}
    require(bool(kept), f"pde:{problem.name}: no term has a weight above 0")
    return kept


def row_counts(terms: dict[float, float], rows: int) -> dict[float, int]:
    """Divides rows among terms in proportion to their weights, at least one each.

    Raises:
        InvalidInputError: there are fewer rows than terms.
    """
    require(rows >= len(terms), f"a batch needs {len(terms)} rows or more, got {rows}")
    total = sum(terms.values())
    exact = {kind: rows * weight / total for kind, weight in terms.items()}
    counts = {kind: max(int(share), 1) for kind, share in exact.items()}
    while sum(counts.values()) < rows:
        counts[max(exact, key=lambda kind: exact[kind] - counts[kind])] += 1
    while sum(counts.values()) > rows:
        counts[max(counts, key=lambda kind: counts[kind])] -= 1
    return counts


def uniform_points(key: PRNGKeyArray, problem: Problem, rows: int) -> Points:
    """Draws points of the domain."""
    low, high = jnp.asarray(problem.low), jnp.asarray(problem.high)
    shares = jax.random.uniform(key, (rows, problem.dimensions))
    shape = shares.shape
    return jnp.broadcast_to(low, shape) + jnp.broadcast_to(high - low, shape) * shares


def draw_rows(
    key: PRNGKeyArray,
    problem: Problem,
    terms: dict[float, float],
    parameter: Float[Array, ""],
    rows: int,
    outliers: Outliers | None = None,
) -> Split:
    """Draws training rows of one equation, kind by kind.

    Args:
        key: draws points and outliers.
        problem: the family of equations.
        terms: kinds of rows and their weights, by `terms_of`.
        parameter: of the equation, may be traced.
        rows: how many, of all kinds together.
        outliers: whether and how known values are spoilt.

    Returns:
        Rows and targets: 0 for interior rows, else the known value, ``[rows]``.
    """
    places = {BOUNDARY: problem.boundary, INITIAL: problem.initial}
    inputs, targets = [], []
    for number, (kind, count) in enumerate(row_counts(terms, rows).items()):
        own_key, spoil_key = jax.random.split(jax.random.fold_in(key, number))
        points = uniform_points(own_key, problem, count)
        place = places.get(kind)
        points = points if place is None else place(points)
        parameters = jnp.full(count, parameter, points.dtype)
        values = jnp.zeros(count, points.dtype)
        if kind != INTERIOR:
            values = problem.values(points, parameters)
            if outliers is not None:
                values = _spoilt(spoil_key, values, outliers, _deviation(problem, parameter))
        inputs.append(rows_of(points, kind, parameters))
        targets.append(values)
    return Split(jnp.concatenate(inputs), jnp.concatenate(targets))


def _deviation(problem: Problem, parameter: Float[Array, ""]) -> Float[Array, ""]:
    """Computes the standard deviation of the known values of an equation, all kinds together.

    Its points are always the same, as the size of an outlier must not depend on the batch; nor may
    it on the kind of a row, for one kind alone can be constant.
    """
    points = uniform_points(jax.random.key(0), problem, _DEVIATION_POINTS)
    placed = [place(points) for place in (problem.boundary, problem.initial) if place is not None]
    known = jnp.concatenate(placed or [points])
    return jnp.std(problem.values(known, jnp.full(len(known), parameter, known.dtype)))


def _spoilt(
    key: PRNGKeyArray, values: Array, outliers: Outliers, deviation: Float[Array, ""]
) -> Array:
    chosen_key, size_key = jax.random.split(key)
    chosen = jax.random.bernoulli(chosen_key, outliers.rate, values.shape)
    sizes = jnp.abs(jax.random.normal(size_key, values.shape, values.dtype))
    return values + jnp.where(chosen, outliers.scale * deviation * sizes, 0.0)
