"""The usual losses on a network's raw outputs, under the names that reports give them."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Num

from jaxloss.errors import unknown_name
from jaxloss.losses.views import (
    decoded_boxes,
    one_hot_targets,
    per_example,
    same_shape_targets,
)
from jaxloss.losses.zoo import boxes


def cross_entropy(
    outputs: Float[Array, "batch classes"], targets: Num[Array, "batch ..."]
) -> Float[Array, " batch"]:
    """Computes softmax cross-entropy of logits with class numbers or one-hot labels."""
    return optax.softmax_cross_entropy(outputs, one_hot_targets(outputs, targets))


def binary_cross_entropy(
    outputs: Float[Array, "batch ..."], targets: Num[Array, "batch ..."]
) -> Float[Array, " batch"]:
    """Computes sigmoid cross-entropy of logits with labels 0 and 1, summed over outputs."""
    labels = same_shape_targets(outputs, targets)
    return per_example(optax.sigmoid_binary_cross_entropy(outputs, labels))


def squared_error(
    outputs: Float[Array, "batch ..."], targets: Num[Array, "batch ..."]
) -> Float[Array, " batch"]:
    """Computes the squared error of raw outputs, summed over outputs."""
    return per_example(jnp.square(outputs - same_shape_targets(outputs, targets)))


def generalized_iou(
    outputs: Float[Array, "batch 4"], targets: Num[Array, "batch 4"]
) -> Float[Array, " batch"]:
    """Computes 1 − generalised IoU of decoded with true boxes, from 0 to 2.

    Source: https://arxiv.org/abs/1902.09630
    """
    return boxes.giou(decoded_boxes(outputs), same_shape_targets(outputs, targets))


TASK_LOSSES = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": squared_error,
    "giou": generalized_iou,
}


def task_loss(
    name: str, outputs: Float[Array, "batch ..."], targets: Num[Array, "batch ..."]
) -> Float[Array, " batch"]:
    """Computes a usual loss by name, one value for each example.

    Raises:
        InvalidInputError: there is no such loss, or the shapes do not fit.
    """
    if name not in TASK_LOSSES:
        raise unknown_name("task loss", name, TASK_LOSSES)
    return TASK_LOSSES[name](outputs, targets)
