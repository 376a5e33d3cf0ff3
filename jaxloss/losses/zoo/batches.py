"""Losses of pairs, triplets and anchors on a batch of embeddings, one value for each example.

Outputs are those of the ``anchors`` view: an embedding and after it the class anchors. Who is
compared with whom is decided within the batch. Triplets are mined batch-hard: each example with the
farthest of its own class and the nearest of another ("In Defense of the Triplet Loss for Person
Re-Identification", https://arxiv.org/abs/1703.07737). Pairs are all pairs of the batch.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxloss.errors import require
from jaxloss.losses.anchors import anchor_distances, require_anchors
from jaxloss.losses.arrays import safe_sqrt
from jaxloss.losses.targets import one_hot_targets
from jaxloss.losses.zoo.arrays import inner_products

Outputs = Float[Array, "batch rows features"]
Embeddings = Float[Array, "batch features"]


def class_numbers(outputs: Outputs, targets: Num[Array, "batch ..."]) -> Int[Array, " batch"]:
    """Returns class numbers or one-hot labels as class numbers.

    Raises:
        InvalidInputError: the outputs are no embeddings beside anchors, or the targets do not fit.
    """
    require_anchors(outputs)
    if targets.ndim > 1:
        # One number for each class, whichever: their shape alone counts.
        return jnp.argmax(one_hot_targets(outputs[:, 1:, 0], targets), -1)
    require(
        targets.shape == outputs.shape[:1],
        f"embeddings of shape {outputs[:, 0].shape} and classes of shape {targets.shape}; "
        "expected a class for each embedding",
    )
    return targets.astype(jnp.int32)


def class_scores(outputs: Outputs) -> Float[Array, "batch classes"]:
    """Scores classes by minus the squared distance to their anchors, to be used as logits.

    As prototypical networks do (https://arxiv.org/abs/1703.05175, Eq. (2)).
    """
    return -jnp.square(anchor_distances(outputs))


def anchored(outputs: Outputs, targets: Array) -> tuple[Array, Array, Array]:
    """Gives embeddings, classes and the anchors, which all examples of a network share.

    Raises:
        InvalidInputError: see `class_numbers`; or there is no example.
    """
    _require_examples(outputs)
    return outputs[:, 0], class_numbers(outputs, targets), outputs[0, 1:]


def _require_examples(outputs: Outputs) -> None:
    require(outputs.shape[0] > 0, "expected at least one embedding, got none")


def labelled(outputs: Outputs, targets: Array) -> tuple[Array, Array]:
    """Gives embeddings and classes."""
    return outputs[:, 0], class_numbers(outputs, targets)


def pairs(outputs: Outputs, targets: Array) -> tuple[Array, Array, Array]:
    """Gives all pairs ``[batch, batch, 1]``, and 1 for two of a kind.

    A loss of pairs sees how far they are apart and nothing else. So each stands on a line, the
    first at its distance and the second at 0, which takes a quarter of the time of all features.
    """
    embeddings, classes = labelled(outputs, targets)
    # Around their centre, which distances do not see, squares are small and little of them cancels.
    embeddings = embeddings - jax.lax.stop_gradient(jnp.mean(embeddings, 0, keepdims=True))
    norms = jnp.sum(jnp.square(embeddings), -1)
    squares = norms[:, None] + norms[None] - 2.0 * inner_products(embeddings)
    itself = jnp.eye(embeddings.shape[0], dtype=bool)
    apart = safe_sqrt(jnp.where(itself, 0.0, jnp.maximum(squares, 0.0)))[..., None]
    return apart, jnp.zeros_like(apart), _same(classes).astype(embeddings.dtype)


def mean_over_others(values: Float[Array, "batch batch"]) -> Float[Array, " batch"]:
    """Averages an example's pairs with all others; with itself it costs nothing."""
    return jnp.sum(values, -1) / max(values.shape[0] - 1, 1)


def hardest(outputs: Outputs, targets: Array) -> tuple[Embeddings, Embeddings, Embeddings]:
    """Gives each example, the farthest of its class and the nearest of another class.

    The choice has no derivative.

    Raises:
        InvalidInputError: see `class_numbers`; or there is no example.
    """
    _require_examples(outputs)
    embeddings, classes = labelled(outputs, targets)
    positive, negative = _choices(classes)
    still = jax.lax.stop_gradient(embeddings)
    # |a - b|^2 without |a|^2, which is the same for all that a is compared with.
    apart = jnp.sum(jnp.square(still), -1)[None] - 2.0 * inner_products(still)
    far = _place_of_largest(jnp.where(positive, apart, -jnp.inf))
    near = _place_of_largest(jnp.where(negative, -apart, -jnp.inf))
    return embeddings, embeddings[far], embeddings[near]


def where_triplets(values: Float[Array, " batch"], classes: Int[Array, " batch"]) -> Array:
    """Leaves out examples that lack another of their class, or one of another, in the batch."""
    positive, negative = _choices(classes)
    return jnp.where(jnp.any(positive, -1) & jnp.any(negative, -1), values, 0.0)


def _place_of_largest(values: Float[Array, "rows columns"]) -> Int[Array, " rows"]:
    """Is the last argmax of each row.

    On a CPU two plain maxima take a quarter of the time of one ``argmax``.
    """
    largest = jnp.max(values, -1, keepdims=True)
    places = jnp.arange(values.shape[-1], dtype=jnp.int32)[None]
    return jnp.max(jnp.where(values == largest, places, 0), -1)


def _same(classes: Int[Array, " batch"]) -> Bool[Array, "batch batch"]:
    return classes[:, None] == classes[None]


def _choices(classes: Int[Array, " batch"]) -> tuple[Array, Array]:
    """Says who can be whose positive and negative."""
    same = _same(classes)
    return same & ~jnp.eye(classes.shape[0], dtype=bool), ~same
