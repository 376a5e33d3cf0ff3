"""What losses ask of arrays, and what they share in computing with them."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxloss.errors import require


def require_floats(predictions: Array) -> None:
    """Refuses predictions of a type that losses cannot be computed in.

    Whole numbers have no slope, and would cut targets to theirs. Half precision ends at 65504,
    short of the slope of a guarded logarithm at 0 and of squares of usual errors; bfloat16 goes
    farther.

    Raises:
        InvalidInputError: they are no floating-point numbers, or of half precision.
    """
    require(
        predictions.dtype != jnp.float16,
        "predictions of type float16, the range of which is too small; expected bfloat16 or "
        "float32",
    )
    require(
        jnp.issubdtype(predictions.dtype, jnp.floating),
        f"predictions of type {predictions.dtype}; expected floating-point numbers",
    )


def fitted(predictions: Array, targets: Num[Array, "..."]) -> Array:
    """Returns the targets in the predictions' precision.

    Raises:
        InvalidInputError: the shapes differ, or the predictions are whole numbers.
    """
    require_floats(predictions)
    require(
        predictions.shape == targets.shape,
        f"predictions of shape {predictions.shape} and targets of shape {targets.shape}; "
        "expected one shape",
    )
    return targets.astype(predictions.dtype)


def safe_sqrt(values: Float[Array, "*values"]) -> Float[Array, "*values"]:
    """Computes √a for a ≥ 0 with slope 0, not infinity, at 0."""
    positive = values > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, values, 1.0)), 0.0)
