"""What the losses of the zoo share: masks, sums over some of the elements, safe logarithms."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxloss.errors import require
from jaxloss.losses.arrays import fitted, require_floats, safe_sqrt

Axis: TypeAlias = int | tuple[int, ...]
Values: TypeAlias = Float[Array, "*values"]
Where: TypeAlias = Bool[Array, "..."] | None


def class_numbers(
    predictions: Float[Array, "..."], classes: Int[Array, "..."], axis: int = -1
) -> Int[Array, "..."]:
    """Returns the classes, one for each example.

    Args:
        predictions: with an axis more than the examples have.
        classes: their numbers.
        axis: the axis that is more.

    Raises:
        InvalidInputError: the shapes do not fit, or the types are others.
    """
    require_floats(predictions)
    require(
        jnp.issubdtype(classes.dtype, jnp.integer),
        f"classes of type {classes.dtype}; expected whole numbers",
    )
    examples = list(predictions.shape)
    del examples[axis]
    require(
        classes.shape == tuple(examples),
        f"predictions of shape {predictions.shape} and classes of shape {classes.shape}; "
        f"expected one class for each example, shape {tuple(examples)}",
    )
    return classes


def kept(values: Float[Array, "..."], where: Where) -> Float[Array, "..."]:
    """Returns the values with zeros where the mask says no, so that nothing there counts.

    Inputs have to go through it before anything else happens to them: the slope of what is hidden
    afterwards is 0 times that of the hidden, which may be no number.
    """
    return values if where is None else jnp.where(where, values, 0.0)


def kept_pair(
    predictions: Float[Array, "..."], targets: Num[Array, "..."], where: Where
) -> tuple[Array, Array]:
    """Returns both, the targets `fitted`, with zeros where the mask says no."""
    return kept(predictions, where), kept(fitted(predictions, targets), where)


def allowed_classes(
    predictions: Float[Array, "..."], axis: int, where: Where
) -> Float[Array, "..."]:
    """Counts the classes that may occur, over ``axis``, which stays with length 1."""
    if where is None:
        shape = list(predictions.shape)
        shape[axis] = 1
        return jnp.full(shape, predictions.shape[axis], predictions.dtype)
    allowed = jnp.broadcast_to(where, predictions.shape)
    return jnp.sum(allowed, axis, keepdims=True, dtype=predictions.dtype)


def total(values: Float[Array, "..."], axis: Axis, where: Where = None) -> Float[Array, "..."]:
    """Sums the elements that the mask keeps."""
    return jnp.sum(kept(values, where), axis)


def mean(values: Float[Array, "..."], axis: Axis, where: Where = None) -> Float[Array, "..."]:
    """Averages the elements that the mask keeps; 0 where it keeps none."""
    if where is None:
        return jnp.mean(values, axis)
    count = jnp.sum(jnp.broadcast_to(where, values.shape), axis, dtype=values.dtype)
    return total(values, axis, where) / jnp.maximum(count, 1.0)


def inner_products(rows: Float[Array, "batch features"]) -> Float[Array, "batch batch"]:
    """Computes the inner product of each row with each other.

    In full precision on accelerators too: by default they may round factors to 8 or 11 bits, and
    what is left of a difference of such products is noise.
    """
    return jnp.matmul(rows, rows.T, precision="highest")


def largest_size(values: Float[Array, "..."], axis: Axis) -> Float[Array, "..."]:
    """Returns the largest absolute value over ``axis``, which stays with length 1, or 1 for zeros.

    What is divided by it can be squared. It has no slope: it is for results that do not depend on
    the scale, whose slope does not either.
    """
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(values), axis, keepdims=True))
    return jnp.where(largest > 0, largest, 1.0)


def root_mean_square(
    values: Float[Array, "..."], axis: Axis, where: Where = None
) -> Float[Array, "..."]:
    """Computes √(mean of squares) without squaring a large value; slope 0 at 0."""
    values = kept(values, where)
    scale = largest_size(values, axis)
    return safe_sqrt(mean(jnp.square(values / scale), axis, where)) * jnp.squeeze(scale, axis)


def log_softmax(
    logits: Float[Array, "..."], axis: int = -1, where: Where = None
) -> Float[Array, "..."]:
    """Computes ln softmax over the classes that the mask keeps; 0 for the others."""
    require_floats(logits)
    return kept(jax.nn.log_softmax(logits, axis, where), where)


def log_one_minus_softmax(
    logits: Float[Array, "..."], axis: int = -1, where: Where = None
) -> Float[Array, "..."]:
    """Computes ln(1 − softmax), exact and finite however sure the prediction is.

    Only the most probable class can have 1 − f below ½; there the other classes' logits are added
    up instead of subtracting from 1.
    """
    classes = logits.shape[axis]
    allowed = jnp.full(logits.shape, True) if where is None else where
    candidates = jnp.where(allowed, logits, -jnp.inf)
    top = jax.nn.one_hot(jnp.argmax(candidates, axis), classes, axis=axis, dtype=bool)
    rest = jax.nn.logsumexp(logits, axis, where=allowed & ~top, keepdims=True)
    whole = jax.nn.logsumexp(logits, axis, where=allowed, keepdims=True)
    small = jnp.exp(jnp.where(top, -1.0, jax.nn.log_softmax(logits, axis, where)))
    return kept(jnp.where(top, rest - whole, jnp.log1p(-small)), where)
