"""Margin losses of several classes: the score of the right class against the best of the others."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxloss.losses.zoo.arrays import Where, class_numbers
from jaxloss.losses.zoo.entry import ZooLoss


def _rivals(
    scores: Float[Array, "..."], classes: Int[Array, "..."], axis: int, where: Where
) -> tuple[Array, Array]:
    """Puts the classes last, those that may not occur below all others."""
    classes = class_numbers(scores, classes, axis)
    shown = scores if where is None else jnp.where(where, scores, jnp.finfo(scores.dtype).min)
    return jnp.moveaxis(shown, axis, -1), classes


def multiclass_hinge(
    scores: Float[Array, "..."], classes: Int[Array, "..."], axis: int = -1, where: Where = None
) -> Float[Array, "..."]:
    """Computes Crammer and Singer's hinge of scores and class numbers, a value for each example.

    Scores are raw, as logits are; ``where`` names the classes that may occur.
    """
    values = optax.losses.multiclass_hinge_loss(*_rivals(scores, classes, axis, where))
    # Its one-hot labels are in JAX's own precision.
    return values.astype(scores.dtype)


def multiclass_perceptron(
    scores: Float[Array, "..."], classes: Int[Array, "..."], axis: int = -1, where: Where = None
) -> Float[Array, "..."]:
    """Computes by how much the best score exceeds that of the class, a value for each example.

    Takes what `multiclass_hinge` takes.
    """
    values = optax.losses.multiclass_perceptron_loss(*_rivals(scores, classes, axis, where))
    return values.astype(scores.dtype)


LOSSES = (
    ZooLoss(
        "multiclass_hinge",
        "margin",
        multiclass_hinge,
        "logits_and_classes",
        r"\max_k \left(s_k + [k \ne y]\right) - s_y",
        "https://www.jmlr.org/papers/v2/crammer01a.html",
        "0 wherever the score of the class exceeds all others by 1",
        aliases=("crammer_singer",),
        optax="multiclass_hinge_loss",
        properties=frozenset({"nonnegative", "convex", "bounded_gradient"}),
    ),
    ZooLoss(
        "multiclass_perceptron",
        "margin",
        multiclass_perceptron,
        "logits_and_classes",
        r"\max_k s_k - s_y",
        "https://doi.org/10.3115/1118693.1118694",
        "0 wherever no score exceeds that of the class",
        optax="multiclass_perceptron_loss",
        properties=frozenset({"nonnegative", "convex", "bounded_gradient"}),
    ),
)
