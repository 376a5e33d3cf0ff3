"""Targets in the shape and precision of the outputs that they belong to."""

import jax
from jaxtyping import Array

from jaxloss.errors import InvalidInputError, require
from jaxloss.losses.arrays import require_floats


def same_shape_targets(outputs: Array, targets: Array) -> Array:
    """Returns targets in the shape of the outputs; only a trailing axis of one may differ.

    Raises:
        InvalidInputError: the shapes do not fit, or the outputs are whole numbers.
    """
    require_floats(outputs)
    fitting = (outputs.shape, (*outputs.shape, 1))
    if targets.shape not in fitting and (*targets.shape, 1) != outputs.shape:
        raise InvalidInputError(
            f"targets of shape {targets.shape} do not fit outputs of shape {outputs.shape}; "
            "expected one target for each output, in the same layout"
        )
    return targets.reshape(outputs.shape).astype(outputs.dtype)


def require_logits(outputs: Array) -> None:
    """Refuses outputs that are not a logit for each of two classes or more.

    Raises:
        InvalidInputError: says so.
    """
    require(
        outputs.ndim >= 2 and outputs.shape[-1] >= 2,
        "the softmax view needs logits of shape [batch, classes] with two classes or more, got "
        f"{outputs.shape}; for one output use the sigmoid view",
    )


def one_hot_targets(outputs: Array, targets: Array) -> Array:
    """Returns class numbers or one-hot labels as one-hot labels in the shape of the logits."""
    require_logits(outputs)
    if targets.ndim == outputs.ndim - 1:
        targets = jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    return same_shape_targets(outputs, targets)
