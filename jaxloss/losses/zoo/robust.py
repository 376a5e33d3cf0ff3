"""Probabilistic losses for noisy labels and against overconfidence."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted
from jaxloss.losses.zoo import formulas
from jaxloss.losses.zoo.arrays import (
    Values,
    Where,
    allowed_classes,
    log_one_minus_softmax,
    log_softmax,
    mean,
    total,
)
from jaxloss.losses.zoo.entry import Parameter, ZooLoss
from jaxloss.losses.zoo.formulas import PROBABILITIES, SHARE
from jaxloss.losses.zoo.writing import ExpressionForm

_FLOOR = 1e-7
"""Smallest probability that Baikal divides by; the logarithm's guard in EvoMAL's code."""


def generalized_cross_entropy(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    q: float = 0.7,
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes (1 − f_y^q)/q of logits and one-hot or soft labels, one value for each example.

    Cross-entropy in the limit q = 0, the absolute error of f_y at q = 1.
    """
    log_f = log_softmax(logits, axis, where)
    return total(-fitted(logits, labels) * jnp.expm1(q * log_f) / q, axis, where)


def symmetric_cross_entropy(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes α·cross-entropy + β·(the same with f and y exchanged), from logits.

    Args:
        logits: real numbers.
        labels: one-hot or soft.
        alpha: weight of the cross-entropy.
        beta: weight of the reverse cross-entropy.
        log_zero: A < 0, what ln 0 of a label counts as; other logarithms are kept above it too.
        axis: that of the classes.
        where: which classes may occur.
    """
    labels = fitted(logits, labels)
    log_f = log_softmax(logits, axis, where)
    log_y = jnp.maximum(jnp.log(jnp.where(labels > 0, labels, 1.0)), log_zero)
    log_y = jnp.where(labels > 0, log_y, log_zero)
    reverse = total(-jnp.exp(log_f) * log_y, axis, where)
    return alpha * total(-labels * log_f, axis, where) + beta * reverse


def sparse_label_smoothing(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    xi: float = 0.1,
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes SparseLSR of logits and one-hot labels, one value for each example.

    Has label smoothing's optimum, but looks at the class's own probability only.
    """
    # −Σ y·[(1 − ξ + ξ/C)·ln f + ξ(C − 1)/C·ln((1 − f)/(C − 1))], from E[ln f] ≈ ln E[f] over the
    # wrong classes.
    labels = fitted(logits, labels)
    classes = allowed_classes(logits, axis, where)
    wrong = xi * (classes - 1.0) / classes
    log_f = log_softmax(logits, axis, where)
    # Where no class can be wrong the logarithm of their share is infinite, and so is its slope.
    alone = classes < 2.0
    share = log_one_minus_softmax(jnp.where(alone, 0.0, logits), axis, where)
    share = jnp.where(alone, 0.0, share) - jnp.log(jnp.maximum(classes - 1.0, 1.0))
    return total(-labels * ((1.0 - wrong) * log_f + wrong * share), axis, where)


def absolute_cross_entropy(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    phi_0: float = 1.0,
    phi_1: float = 1.1,
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes φ0·|ln(φ1·f)| of the class, from logits and one-hot labels.

    For φ1 > 1 it is least at f = 1/φ1, as if labels were smoothed with ξ = C/(C − 1)·(1 − 1/φ1).
    EvoMAL adds up the other classes' φ0·|ln(guard)| too, a constant that is left out here.
    """
    log_f = log_softmax(logits, axis, where)
    return total(phi_0 * fitted(logits, labels) * jnp.abs(jnp.log(phi_1) + log_f), axis, where)


def baikal(
    logits: Float[Array, "..."],
    labels: Float[Array, "..."],
    w_0: float = 1.0,
    w_1: float = 1.0,
    w_2: float = 1.0,
    axis: int = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes the mean over classes of w2·y/f − w0·ln(w1·f), from logits and one-hot labels.

    f is kept from 0 in the quotient.
    """
    labels = fitted(logits, labels)
    log_f = log_softmax(logits, axis, where)
    inverse = jnp.exp(-jnp.maximum(log_f, jnp.log(_FLOOR)))
    return mean(w_2 * labels * inverse - w_0 * (jnp.log(w_1) + log_f), axis, where)


def xtreme_margin(
    probabilities: Values, labels: Values, lambda_0: float = 1.0, lambda_1: float = 1.0
) -> Values:
    """Computes the Xtreme Margin loss, elementwise on probabilities and labels 0 or 1.

    Jumps from e/2 to 1 where the prediction becomes right, and is never 0.

    Args:
        probabilities: of label 1, 0 to 1.
        labels: in the same shape.
        lambda_0: how fast the loss falls with the margin of examples labelled 0.
        lambda_1: the same for label 1.
    """
    labels = fitted(probabilities, labels)
    positive = labels > 0.5
    right = jnp.where(positive, probabilities >= 0.5, probabilities < 0.5)
    rate = jnp.where(positive, lambda_1, lambda_0).astype(probabilities.dtype)
    # Wrong side of ½: e·|t − y|. Right side: 1/(1 + λ(2t − 1)²).
    wrong = jnp.e * jnp.abs(probabilities - labels)
    return jnp.where(right, 1.0 / (1.0 + rate * jnp.square(2.0 * probabilities - 1.0)), wrong)


_SURE = frozenset({"nonnegative", "bounded_gradient", "smooth"})

LOSSES = (
    ZooLoss(
        "generalized_cross_entropy",
        "probabilistic",
        generalized_cross_entropy,
        "logits",
        r"\frac{1 - f_y^q}{q}, \quad f = \mathrm{softmax}(x)",
        "https://arxiv.org/abs/1805.07836",
        "0 in the limit f_y = 1",
        aliases=("gce", "lq"),
        parameters=(
            Parameter("q", 0.7, 1e-3, 1.0, "0: cross-entropy, 1: absolute error", "the paper"),
        ),
        forms=(
            ExpressionForm(("softmax",), formulas.generalized_cross_entropy),
            ExpressionForm(("logits",), formulas.generalized_cross_entropy_of_logits),
        ),
        properties=_SURE | {"bounded"},
    ),
    ZooLoss(
        "symmetric_cross_entropy",
        "probabilistic",
        symmetric_cross_entropy,
        "logits",
        r"-\alpha \sum_k y_k \ln f_k - \beta \sum_k f_k \max(\ln y_k, A), \quad"
        r" f = \mathrm{softmax}(x)",
        "https://arxiv.org/abs/1908.06112",
        "0 in the limit f_y = 1",
        aliases=("sce", "symmetric_ce"),
        parameters=(
            Parameter("alpha", 0.1, 0.0, 100.0, "weight of cross-entropy", "the paper, CIFAR-10"),
            Parameter("beta", 1.0, 0.0, 100.0, "weight of the reverse", "the paper, CIFAR-10"),
            Parameter("log_zero", -4.0, -100.0, -1e-3, "A, what ln 0 counts as", "the paper"),
        ),
        forms=(
            ExpressionForm(("softmax",), formulas.symmetric_cross_entropy("f")),
            ExpressionForm(("logits",), formulas.symmetric_cross_entropy(PROBABILITIES)),
        ),
        properties=_SURE,
    ),
    ZooLoss(
        "sparse_lsr",
        "probabilistic",
        sparse_label_smoothing,
        "logits",
        r"-\sum_k y_k \left[\left(1 - \xi + \tfrac{\xi}{C}\right) \ln f_k"
        r" + \tfrac{\xi (C - 1)}{C} \ln \tfrac{1 - f_k}{C - 1}\right]",
        "https://arxiv.org/abs/2406.09713",
        "at f_y = 1 - ξ + ξ/C, whatever the other classes: label smoothing's least value",
        aliases=("sparselsr", "sparse_label_smoothing"),
        parameters=(
            Parameter("xi", 0.1, 0.0, 0.999, "share of the uniform distribution", "assumed"),
        ),
        forms=(
            ExpressionForm(
                ("logits",),
                f"-y*((1 - {{xi}} + {{xi}}*{SHARE})*log({PROBABILITIES}) + {{xi}}*(1 - {SHARE})"
                f"*(log(1 - {PROBABILITIES}) - log(ratio(1, {SHARE}) - 1)))",
            ),
        ),
        properties=_SURE,
    ),
    ZooLoss(
        "absolute_cross_entropy",
        "probabilistic",
        absolute_cross_entropy,
        "logits",
        r"\varphi_0 \left|\ln(\varphi_1 f_y)\right|, \quad f = \mathrm{softmax}(x)",
        "https://arxiv.org/abs/2209.08907",
        "0 at f_y = 1/φ1 for φ1 of at least 1; -φ0 ln φ1 in the limit f_y = 1 otherwise",
        aliases=("ace", "absolute_ce"),
        parameters=(
            Parameter("phi_0", 1.0, 1e-3, 1e3, "height", "assumed"),
            Parameter("phi_1", 1.1, 1e-3, 1e3, "one over the best probability", "assumed"),
        ),
        forms=(
            ExpressionForm(("softmax",), formulas.absolute_cross_entropy("f")),
            ExpressionForm(("logits",), formulas.absolute_cross_entropy(PROBABILITIES)),
        ),
        properties=frozenset({"nonnegative", "bounded_gradient"}),
    ),
    ZooLoss(
        "baikal",
        "probabilistic",
        baikal,
        "logits",
        r"-\frac{1}{C} \sum_k \left[w_0 \ln(w_1 f_k) - w_2 \frac{y_k}{f_k}\right], \quad"
        r" f = \mathrm{softmax}(x)",
        "https://arxiv.org/abs/1905.11528",
        "at f_y = 1/√C for weights of 1, the other classes alike",
        parameters=(
            Parameter("w_0", 1.0, 0.0, 100.0, "weight of the logarithm", "the paper"),
            Parameter("w_1", 1.0, 1e-3, 100.0, "factor within the logarithm", "the paper"),
            Parameter("w_2", 1.0, 0.0, 100.0, "weight of the quotient", "the paper"),
        ),
        forms=(ExpressionForm(("logits",), formulas.baikal),),
        properties=frozenset({"nonnegative"}),
    ),
    ZooLoss(
        "xtreme_margin",
        "probabilistic",
        xtreme_margin,
        "probability",
        r"\begin{cases} e |t - y| & t \text{ on the wrong side of } \tfrac{1}{2} \\"
        r" 1 / (1 + \lambda_y (2 t - 1)^2) & \text{else} \end{cases}",
        "https://arxiv.org/abs/2211.00176",
        "1/(1 + λ) at t = y",
        aliases=("xml", "extreme_margin"),
        parameters=(
            Parameter("lambda_0", 1.0, 0.0, 1e3, "steepness of the margin of label 0", "assumed"),
            Parameter("lambda_1", 1.0, 0.0, 1e3, "steepness of the margin of label 1", "assumed"),
        ),
        forms=(ExpressionForm(("sigmoid", "softmax"), formulas.xtreme_margin),),
        properties=frozenset({"nonnegative", "minimum_at_target", "bounded", "bounded_gradient"}),
    ),
)
