"""Probabilistic losses: how well predicted class probabilities fit the labels.

Those that optax has are optax's. Where a loss takes ``axis`` and ``where``, they name the axis of
the classes and the classes that may occur.
"""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxloss.losses.arrays import fitted
from jaxloss.losses.zoo import formulas
from jaxloss.losses.zoo.arrays import Values, Where, allowed_classes, class_numbers, kept
from jaxloss.losses.zoo.entry import Parameter, ZooLoss
from jaxloss.losses.zoo.formulas import CROSS_ENTROPY_FORMS, LOG_LIKELIHOOD, PROBABILITIES, SHARE
from jaxloss.losses.zoo.writing import ExpressionForm

_SURVEY = "https://arxiv.org/abs/2301.05579"


def binary_cross_entropy(logits: Values, labels: Values) -> Values:
    """Computes sigmoid cross-entropy, elementwise on logits and labels from 0 to 1."""
    return optax.losses.sigmoid_binary_cross_entropy(logits, fitted(logits, labels))


def cross_entropy(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes softmax cross-entropy of logits and one-hot or soft labels, one value an example."""
    return optax.losses.softmax_cross_entropy(logits, fitted(logits, labels), axis, where)


def sparse_cross_entropy(
    logits: Float[Array, "..."],
    classes: Int[Array, "..."],
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes softmax cross-entropy of logits and class numbers, one value for each example."""
    classes = class_numbers(logits, classes, axis)
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, classes, axis, where)


def negative_log_likelihood(
    log_probabilities: Float[Array, "..."], classes: Int[Array, "..."], axis: int = -1
) -> Float[Array, "..."]:
    """Computes −ln f of the class, from log probabilities and class numbers."""
    classes = class_numbers(log_probabilities, classes, axis)
    chosen = jnp.take_along_axis(log_probabilities, jnp.expand_dims(classes, axis), axis)
    return -jnp.squeeze(chosen, axis)


def kl_divergence(
    log_probabilities: Float[Array, "..."],
    probabilities: Float[Array, "..."],
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes KL(y ‖ f) of log probabilities ln f and target probabilities y.

    Where y is 0, f does not matter, not even if it is 0 too.
    """
    targets = kept(fitted(log_probabilities, probabilities), where)
    return optax.losses.kl_divergence(kept(log_probabilities, targets > 0), targets, axis)


def focal(
    logits: Values, labels: Values, gamma: float = 2.0, balance: float | None = None
) -> Values:
    """Computes the focal loss, elementwise on logits and labels 0 or 1.

    Args:
        logits: real numbers.
        labels: in the same shape.
        gamma: how much less easy examples count.
        balance: weight of label 1, that of label 0 being one minus it; None weighs both by 1.
    """
    return optax.losses.sigmoid_focal_loss(
        logits, fitted(logits, labels), alpha=balance, gamma=gamma
    )


def poly1(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    epsilon: float = 2.0,
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes cross-entropy + ε(1 − f of the class), from logits and one-hot or soft labels."""
    return optax.losses.poly_loss_cross_entropy(
        logits, fitted(logits, labels), epsilon=epsilon, axis=axis, where=where
    )


def label_smoothing(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    xi: float = 0.1,
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes cross-entropy with labels mixed with ξ of the uniform distribution, from logits."""
    # As optax.losses.smooth_labels, which older versions have for the last axis and all classes.
    share = 1.0 / allowed_classes(logits, axis, where)
    smoothed = (1.0 - xi) * fitted(logits, labels) + xi * share
    return optax.losses.softmax_cross_entropy(logits, kept(smoothed, where), axis, where)


_FITS = frozenset({"nonnegative", "proper", "convex", "bounded_gradient", "smooth"})

LOSSES = (
    ZooLoss(
        "binary_cross_entropy",
        "probabilistic",
        binary_cross_entropy,
        "logit",
        r"-y \ln \sigma(x) - (1 - y) \ln (1 - \sigma(x))",
        _SURVEY,
        "the entropy of y at σ(x) = y; 0 in the limit for labels 0 and 1",
        aliases=("bce", "log_loss", "logistic", "sigmoid_cross_entropy"),
        forms=(
            ExpressionForm(("sigmoid",), "-y*log(f) - (1 - y)*log(1 - f)"),
            ExpressionForm(("logits",), "y*softplus(-x) + (1 - y)*softplus(x)"),
        ),
        optax="sigmoid_binary_cross_entropy",
        properties=_FITS | {"symmetric"},
    ),
    ZooLoss(
        "cross_entropy",
        "probabilistic",
        cross_entropy,
        "logits",
        r"-\sum_k y_k \ln f_k, \quad f = \mathrm{softmax}(x)",
        _SURVEY,
        "the entropy of y at f = y; 0 in the limit for one-hot labels",
        aliases=("ce", "softmax_cross_entropy", "categorical_cross_entropy"),
        forms=CROSS_ENTROPY_FORMS,
        optax="softmax_cross_entropy",
        properties=_FITS,
    ),
    ZooLoss(
        "sparse_cross_entropy",
        "probabilistic",
        sparse_cross_entropy,
        "logits_and_classes",
        r"-\ln f_y, \quad f = \mathrm{softmax}(x)",
        _SURVEY,
        "0 in the limit f_y = 1",
        aliases=("sparse_ce", "sparse_categorical_cross_entropy"),
        forms=CROSS_ENTROPY_FORMS,
        optax="softmax_cross_entropy_with_integer_labels",
        properties=_FITS,
    ),
    ZooLoss(
        "nll",
        "probabilistic",
        negative_log_likelihood,
        "log_probabilities_and_classes",
        r"-\ln f_y",
        _SURVEY,
        "0 at f_y = 1",
        aliases=("negative_log_likelihood",),
        forms=CROSS_ENTROPY_FORMS,
        properties=_FITS,
    ),
    ZooLoss(
        "kl",
        "probabilistic",
        kl_divergence,
        "log_probabilities",
        r"\sum_k y_k \ln \frac{y_k}{f_k}",
        "https://doi.org/10.1214/aoms/1177729694",
        "0 at f = y",
        aliases=("kl_divergence", "kullback_leibler", "relative_entropy"),
        forms=(
            ExpressionForm(("softmax",), "y*(log(y) - log(f))"),
            ExpressionForm(("logits",), f"y*(log(y) - log({PROBABILITIES}))"),
        ),
        optax="kl_divergence",
        properties=_FITS | {"zero_at_target", "minimum_at_target"},
    ),
    ZooLoss(
        "focal",
        "probabilistic",
        focal,
        "logit",
        r"-(1 - p)^\gamma \ln p, \quad p = \sigma(x) \text{ if } y = 1 \text{ else } 1 - \sigma(x)",
        "https://arxiv.org/abs/1708.02002",
        "0 in the limit p = 1",
        aliases=("focal_loss", "sigmoid_focal"),
        parameters=(
            Parameter("gamma", 2.0, 0.0, 10.0, "how much less easy examples count", "the paper"),
        ),
        forms=(
            ExpressionForm(("sigmoid",), formulas.focal),
            ExpressionForm(("logits",), formulas.FOCAL_OF_LOGITS),
        ),
        optax="sigmoid_focal_loss",
        properties=frozenset({"nonnegative", "symmetric", "bounded_gradient", "smooth"}),
    ),
    ZooLoss(
        "poly1",
        "probabilistic",
        poly1,
        "logits",
        r"-\ln f_y + \epsilon (1 - f_y), \quad f = \mathrm{softmax}(x)",
        "https://arxiv.org/abs/2204.12511",
        "0 in the limit f_y = 1",
        aliases=("poly", "poly_loss", "poly_1"),
        parameters=(
            Parameter(
                "epsilon", 2.0, -1.0, 100.0, "weight of the linear term", "the paper, ImageNet"
            ),
        ),
        forms=(
            ExpressionForm(("softmax",), "-y*log(f) + {epsilon}*y*(1 - f)"),
            ExpressionForm(("logits",), f"-{LOG_LIKELIHOOD} + {{epsilon}}*y*(1 - {PROBABILITIES})"),
        ),
        optax="poly_loss_cross_entropy",
        properties=frozenset({"nonnegative", "bounded_gradient", "smooth"}),
    ),
    ZooLoss(
        "label_smoothing",
        "probabilistic",
        label_smoothing,
        "logits",
        r"-\sum_k \left((1 - \xi) y_k + \tfrac{\xi}{C}\right) \ln f_k, \quad"
        r" f = \mathrm{softmax}(x)",
        "https://arxiv.org/abs/1512.00567",
        "at f_y = 1 - ξ + ξ/C, the other classes alike: the entropy of that distribution",
        aliases=("lsr", "label_smoothing_regularisation", "smoothed_cross_entropy"),
        parameters=(
            Parameter("xi", 0.1, 0.0, 1.0, "share of the uniform distribution", "the paper"),
        ),
        forms=(
            ExpressionForm(("logits",), f"-((1 - {{xi}})*y + {{xi}}*{SHARE})*log({PROBABILITIES})"),
        ),
        properties=frozenset({"nonnegative", "convex", "bounded_gradient", "smooth"}),
    ),
)
