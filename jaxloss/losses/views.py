"""What a loss sees: from a model's raw outputs and the targets to the variables of a formula.

In EvoMAL (https://arxiv.org/abs/2209.08907) a classification loss sees probabilities beside one-hot
labels and a regression loss sees raw outputs beside raw targets. Each such arrangement is a `View`,
found by its name so that a saved loss can say which one it was learned with.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxloss.errors import InvalidInputError, unknown_name


class View(NamedTuple):
    """How outputs and targets become the variables of a loss.

    Attributes:
        name: the key under which a saved loss remembers the view.
        variables: names of the variables, those that depend on the outputs first.
        see: ``(outputs, targets) -> variables``, arrays of one common shape ``[batch, ...]``.
    """

    name: str
    variables: tuple[str, ...]
    see: Callable[[Float[Array, "batch ..."], Num[Array, "batch ..."]], tuple[Array, ...]]


def same_shape_targets(outputs: Array, targets: Array) -> Array:
    """Returns targets in the shape of the outputs; only a trailing axis of one may differ."""
    if outputs.size != targets.size or outputs.shape[:1] != targets.shape[:1]:
        raise InvalidInputError(
            f"targets of shape {targets.shape} do not fit outputs of shape {outputs.shape}; "
            "expected one target for each output"
        )
    return targets.reshape(outputs.shape).astype(outputs.dtype)


def one_hot_targets(outputs: Array, targets: Array) -> Array:
    """Returns class numbers or one-hot labels as one-hot labels in the shape of the logits."""
    if outputs.ndim < 2 or outputs.shape[-1] < 2:
        raise InvalidInputError(
            f"the softmax view needs logits of shape [batch, classes] with two classes or more, "
            f"got {outputs.shape}; for one output use the sigmoid view"
        )
    if targets.ndim == outputs.ndim - 1:
        targets = jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    return same_shape_targets(outputs, targets)


def _softmax(outputs: Array, targets: Array) -> tuple[Array, Array]:
    return jax.nn.softmax(outputs, axis=-1), one_hot_targets(outputs, targets)


def _sigmoid(outputs: Array, targets: Array) -> tuple[Array, Array]:
    return jax.nn.sigmoid(outputs), same_shape_targets(outputs, targets)


def _identity(outputs: Array, targets: Array) -> tuple[Array, Array]:
    return outputs, same_shape_targets(outputs, targets)


VIEWS = {
    view.name: view
    for view in (
        View("softmax", ("f", "y"), _softmax),
        View("sigmoid", ("f", "y"), _sigmoid),
        View("identity", ("f", "y"), _identity),
    )
}


def view_named(name: str) -> View:
    """Finds a view by name.

    Raises:
        InvalidInputError: no view has that name.
    """
    if name not in VIEWS:
        raise unknown_name("view", name, VIEWS)
    return VIEWS[name]


def per_example(values: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    """Sums elementwise loss values over all axes but the first."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)))
