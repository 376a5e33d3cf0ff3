"""What every loss asks of the outputs of a network."""

import jax.numpy as jnp
from jaxtyping import Array

from jaxloss.errors import require


def require_floats(predictions: Array) -> None:
    """Refuses whole numbers as predictions: they have no slope, and would cut targets to theirs.

    Raises:
        InvalidInputError: they are no floating-point numbers.
    """
    require(
        jnp.issubdtype(predictions.dtype, jnp.floating),
        f"predictions of type {predictions.dtype}; expected floating-point numbers",
    )
