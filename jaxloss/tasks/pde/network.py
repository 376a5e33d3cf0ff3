"""The network of a PDE task: what it puts out for a row depends on the kind of the row.

Physics-informed neural networks: https://doi.org/10.1016/j.jcp.2018.10.045.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.models.mlp import MLP
from jaxloss.models.model import Model, Variables
from jaxloss.tasks.pde.problem import Field, Points, Problem

INTERIOR, BOUNDARY, INITIAL, SCORED = 0.0, 1.0, 2.0, 3.0
"""Kinds of rows: where the equation must hold, where values are known, and where the solution is
scored; plain regression knows values where it is scored too."""


def rows_of(
    points: Points, kind: float, parameters: Float[Array, " rows"]
) -> Float[Array, "rows columns"]:
    """Makes input rows: the coordinates, the kind of the point, the parameter of the equation."""
    kinds = jnp.full((points.shape[0], 1), kind, points.dtype)
    return jnp.concatenate([points, kinds, parameters[:, None].astype(points.dtype)], axis=1)


def outputs_of(
    problem: Problem, field: Field, rows: Float[Array, "rows columns"]
) -> Float[Array, "rows 1"]:
    """Computes what a field puts out: the residual on interior rows, its own value on all others.

    Args:
        problem: the equation.
        field: the solution that is tried.
        rows: as `rows_of` makes them.
    """
    points, kinds = rows[:, : problem.dimensions], rows[:, problem.dimensions]
    outputs = field(points)
    if problem.residual is not None:
        residual = problem.residual(field, points, rows[:, problem.dimensions + 1])
        outputs = jnp.where(kinds == INTERIOR, residual, outputs)
    return outputs[:, None]


def field_of(problem: Problem, network: nn.Module) -> Callable[[Variables], Field]:
    """Makes ``(variables) -> field``: a network of coordinates that each run from -1 to 1."""
    low, high = jnp.asarray(problem.low), jnp.asarray(problem.high)

    def field_with(variables: Variables) -> Field:
        def field(points: Points) -> Float[Array, " rows"]:
            ends = (jnp.broadcast_to(end, points.shape).astype(points.dtype) for end in (low, high))
            start, end = ends
            outputs: Any = network.apply(variables, 2.0 * (points - start) / (end - start) - 1.0)
            return outputs[:, 0]

        return field

    return field_with


def widths_of(problem: Problem, model: str) -> tuple[int, ...]:
    """Reads the widths of the hidden layers from ``mlp:WIDTH-WIDTH-...``.

    Raises:
        InvalidInputError: the text is another.
    """
    family, _, text = model.partition(":")
    widths = text.split("-") if text else ["50", "50"]
    numbers = all(width.isascii() and width.isdigit() and int(width) > 0 for width in widths)
    require(
        family == "mlp" and numbers,
        f"pde:{problem.name} trains a perceptron with tanh, mlp:WIDTH-WIDTH-..., got model "
        f"{model!r}",
    )
    return tuple(map(int, widths))


def pde_model(problem: Problem, widths: tuple[int, ...]) -> Model:
    """Makes the model of a task: a tanh perceptron behind `outputs_of`."""
    network = MLP(widths, 1, nn.tanh)
    field_with = field_of(problem, network)

    def init(key: PRNGKeyArray, inputs: Float[Array, "batch columns"]) -> Variables:
        return dict(network.init(key, inputs[:, : problem.dimensions]))

    def apply(
        variables: Variables,
        inputs: Float[Array, "batch columns"],
        train: bool,
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "batch 1"], Variables]:
        del train, key
        return outputs_of(problem, field_with(variables), inputs), variables

    return Model(init, apply, "mlp:" + "-".join(map(str, widths)))
