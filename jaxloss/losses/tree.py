"""The compiler: from an expression to a pure JAX function with trainable edge weights.

The transition from tree to network follows EvoMAL (https://arxiv.org/abs/2209.08907, Section 4.2):
every edge carries one weight that multiplies the child's value as it enters its parent.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import require_arguments
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.primitives import Primitive

WEIGHT_SPREAD = 1e-3
"""Standard deviation of fresh edge weights around 1 (the released EvoMAL code)."""


def fresh_weights(key: PRNGKeyArray, edges: int) -> Float[Array, " edges"]:
    """Draws edge weights from 1 + 0.001·N(0, 1)."""
    return 1.0 + WEIGHT_SPREAD * jax.random.normal(key, (edges,))


def compile_expression(expression: Expression, variables: Sequence[str] = ("f", "y")) -> LossFamily:
    """Turns an expression into a loss family.

    Args:
        expression: the tree.
        variables: names of the arguments of ``apply``, in order.

    Returns:
        A family whose ``init(key)`` draws one float array of edge weights, in the order in which
        call syntax writes the nodes (preorder), the root left out; and whose
        ``apply(weights, *variables)`` is elementwise on arrays of one shape. With all weights 1 it
        computes the expression as written.

    Raises:
        InvalidInputError: the expression holds a variable that is not among ``variables``; from
            ``apply``, when shapes do not fit.
    """
    missing = set(expression.variables) - set(variables)
    require(
        not missing,
        f"{expression} holds {', '.join(sorted(missing))}, "
        f"but the loss sees {', '.join(variables)}",
    )
    edges = expression.size - 1

    def init(key: PRNGKeyArray) -> Float[Array, " edges"]:
        return fresh_weights(key, edges)

    def apply(
        weights: Float[Array, " edges"], *values: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        require_arguments(variables, edges, weights, values)
        given = dict(zip(variables, values, strict=True))

        def terminal(head: str | float) -> Array:
            return given[head] if isinstance(head, str) else jnp.full_like(values[0], head)

        def function(primitive: Primitive, arguments: Sequence[Array]) -> Array:
            return primitive.function(*arguments)

        def edge(index: int, value: Array) -> Array:
            return weights[index - 1].astype(value.dtype) * value

        return expression.fold(terminal, function, edge)

    return LossFamily(init, apply)
