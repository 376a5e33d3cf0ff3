"""The formulae of the built-in metrics, in JAX, one value for a whole split.

Each agrees with the function of the same purpose in scikit-learn
(https://scikit-learn.org/stable/modules/model_evaluation.html), ties included, but for
``relative_l2`` and those of boxes, which have no counterpart, and for ``average_precision`` where
all examples are positive: it is NaN, not 1. All can be mapped over predictions. None checks that
its input is finite: `jaxloss.tasks.metrics` does so for all.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxloss.errors import InvalidInputError
from jaxloss.losses.zoo import boxes

Probabilities = Float[Array, "examples classes"]
Classes = Int[Array, " examples"]
Boxes = Float[Array, "examples 4"]
Score = Float[Array, ""]


def error_rate(predictions: Probabilities, targets: Classes) -> Score:
    """Fraction of examples whose most probable class is wrong."""
    wrong = jnp.argmax(predictions, axis=-1) != targets
    return jnp.mean(wrong, dtype=predictions.dtype)


def balanced_error(predictions: Probabilities, targets: Classes) -> Score:
    """One minus the mean recall of the classes that occur among the targets."""
    actual, _, hits = _counts(predictions, targets)
    present = actual > 0
    recall = hits / jnp.maximum(actual, 1)
    classes = jnp.sum(present, dtype=recall.dtype)
    return 1 - jnp.sum(jnp.where(present, recall, 0)) / jnp.maximum(classes, 1)


def macro_f1(predictions: Probabilities, targets: Classes) -> Score:
    """Mean F1 of the classes that occur among targets or predictions."""
    actual, predicted, hits = _counts(predictions, targets)
    either = actual + predicted
    f1 = 2 * hits / jnp.maximum(either, 1)
    return jnp.sum(f1) / jnp.maximum(jnp.sum(either > 0, dtype=f1.dtype), 1)


def auroc(predictions: Probabilities, targets: Classes) -> Score:
    """Area under the ROC curve: of the second class, or one-vs-rest averaged over three or more.

    Classes without both positive and negative examples are left out; NaN when none remains.
    """
    return _one_versus_rest(_binary_auroc, predictions, targets)


def average_precision(predictions: Probabilities, targets: Classes) -> Score:
    """Average precision: of the second class, or one-vs-rest averaged over three or more.

    Classes without both positive and negative examples are left out; NaN when none remains.
    """
    return _one_versus_rest(_binary_average_precision, predictions, targets)


def log_loss(predictions: Probabilities, targets: Classes) -> Score:
    """Mean negative log probability of the true class, in nats; clipped as in scikit-learn."""
    chosen = jnp.take_along_axis(predictions, targets[:, None], axis=-1)
    epsilon = jnp.finfo(predictions.dtype).eps
    return -jnp.mean(jnp.log(jnp.clip(chosen, epsilon, 1 - epsilon)))


def relative_l2(
    predictions: Float[Array, "examples ..."], targets: Num[Array, "examples ..."]
) -> Score:
    """Root of the summed squared error over that of the summed squared target; 0/0 is NaN."""
    targets = _like(predictions, targets)
    error = jnp.sum(jnp.square(predictions - targets))
    return jnp.sqrt(error / jnp.sum(jnp.square(targets)))


def mse(predictions: Float[Array, "examples ..."], targets: Num[Array, "examples ..."]) -> Score:
    """Mean squared error over examples and outputs."""
    return jnp.mean((predictions - _like(predictions, targets)) ** 2)


def mae(predictions: Float[Array, "examples ..."], targets: Num[Array, "examples ..."]) -> Score:
    """Mean absolute error over examples and outputs."""
    return jnp.mean(jnp.abs(predictions - _like(predictions, targets)))


def r2(predictions: Float[Array, "examples ..."], targets: Num[Array, "examples ..."]) -> Score:
    """Coefficient of determination, averaged over outputs.

    For constant targets it is 1 when every prediction is exact and 0 otherwise.
    """
    targets = _like(predictions, targets)
    residual = jnp.sum((predictions - targets) ** 2, axis=0)
    total = jnp.sum((targets - jnp.mean(targets, axis=0, keepdims=True)) ** 2, axis=0)
    varied = total > 0
    of_constant = jnp.where(residual > 0, 0.0, 1.0)
    return jnp.mean(jnp.where(varied, 1 - residual / jnp.where(varied, total, 1), of_constant))


def pinball(
    predictions: Float[Array, "examples ..."],
    targets: Num[Array, "examples ..."],
    quantile: float,
) -> Score:
    """Mean pinball loss of predictions of the ``quantile`` (between 0 and 1)."""
    short = _like(predictions, targets) - predictions
    return jnp.mean(jnp.maximum(quantile * short, (quantile - 1) * short))


def iou_error(predictions: Boxes, targets: Boxes) -> Score:
    """One minus the mean intersection over union of predicted and true boxes."""
    return jnp.mean(boxes.iou(predictions, _like(predictions, targets)))


def mean_iou(predictions: Boxes, targets: Boxes) -> Score:
    """Mean intersection over union of predicted and true boxes."""
    return 1 - iou_error(predictions, targets)


def _like(predictions: Array, targets: Array) -> Array:
    """Returns the targets in the shape of the predictions; only axes of one may differ."""
    if predictions.size != targets.size:
        raise InvalidInputError(
            f"predictions of shape {predictions.shape} do not fit targets of shape {targets.shape}"
        )
    return targets.reshape(predictions.shape).astype(predictions.dtype)


def _counts(predictions: Probabilities, targets: Classes) -> tuple[Array, Array, Array]:
    """For each class: how often it is true, how often predicted, how often both."""
    classes = predictions.shape[-1]
    actual = jax.nn.one_hot(targets, classes, dtype=predictions.dtype)
    predicted = jax.nn.one_hot(jnp.argmax(predictions, -1), classes, dtype=predictions.dtype)
    return jnp.sum(actual, 0), jnp.sum(predicted, 0), jnp.sum(actual * predicted, 0)


def _one_versus_rest(
    binary: Callable[[Array, Array], Score], predictions: Probabilities, targets: Classes
) -> Score:
    classes = predictions.shape[-1]
    if classes == 2:
        return binary(predictions[:, 1], targets == 1)
    positive = targets[:, None] == jnp.arange(classes)[None, :]
    scores = jax.vmap(binary, in_axes=(1, 1))(predictions, positive)
    return jnp.nanmean(scores)


def _binary_auroc(scores: Float[Array, " examples"], positive: Bool[Array, " examples"]) -> Score:
    """Chance that a positive example scores above a negative one, ties counted half."""
    ranked, negatives = _cumulated(scores, ~positive)
    below = negatives[jnp.searchsorted(ranked, scores, side="left")]
    not_above = negatives[jnp.searchsorted(ranked, scores, side="right")]
    # Fractions before sums: pair counts would outgrow what float32 holds exactly.
    beaten = (below + not_above).astype(scores.dtype) / (2 * _count(scores, ~positive))
    return jnp.sum(jnp.where(positive, beaten, 0)) / _count(scores, positive)


def _binary_average_precision(
    scores: Float[Array, " examples"], positive: Bool[Array, " examples"]
) -> Score:
    """Mean over positive examples of the precision at their own score."""
    ranked, positives = _cumulated(scores, positive)
    below = jnp.searchsorted(ranked, scores, side="left")
    hits = (positives[-1] - positives[below]).astype(scores.dtype)
    precision = hits / (scores.size - below).astype(scores.dtype)
    average = jnp.sum(jnp.where(positive, precision, 0)) / _count(scores, positive)
    return jnp.where(jnp.all(positive), jnp.nan, average)


def _count(scores: Array, marked: Array) -> Array:
    return jnp.sum(marked, dtype=scores.dtype)


def _cumulated(scores: Array, marked: Array) -> tuple[Array, Array]:
    """Sorts the scores, and counts the marked examples before each place, from 0 to all."""
    order = jnp.argsort(scores)
    counts = jnp.cumsum(marked[order], dtype=jnp.int32)
    return scores[order], jnp.concatenate([jnp.zeros(1, jnp.int32), counts])
