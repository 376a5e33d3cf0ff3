"""Margin losses: scores s and labels y of -1 or 1, by way of z = y·s.

Those without a paper of their own are listed in https://arxiv.org/abs/2301.05579, Section 4.1.
"""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted
from jaxloss.losses.zoo.arrays import Axis, Values, Where, kept_pair, largest_size
from jaxloss.losses.zoo.entry import Parameter, ZooLoss
from jaxloss.losses.zoo.formulas import (
    HINGE,
    LOGIT_HINGE,
    cosine_of_probabilities,
    rounded_hinge,
    rounded_logit_hinge,
)
from jaxloss.losses.zoo.writing import ExpressionForm

_SURVEY = "https://arxiv.org/abs/2301.05579"


def _margin(scores: Values, targets: Values) -> Values:
    return scores * fitted(scores, targets)


def zero_one(scores: Values, targets: Values) -> Values:
    """Computes 1 where the score's sign is not the label's, 0 elsewhere. A score of 0 is wrong."""
    return jnp.where(_margin(scores, targets) > 0, 0.0, 1.0).astype(scores.dtype)


def hinge(scores: Values, targets: Values) -> Values:
    """Computes max(0, 1 − z), elementwise on scores and labels -1 or 1."""
    return optax.losses.hinge_loss(scores, fitted(scores, targets))


def squared_hinge(scores: Values, targets: Values) -> Values:
    """Computes max(0, 1 − z)², elementwise on scores and labels -1 or 1."""
    return jnp.square(hinge(scores, targets))


def perceptron(scores: Values, targets: Values) -> Values:
    """Computes max(0, −z), elementwise on scores and labels -1 or 1."""
    return optax.losses.perceptron_loss(scores, fitted(scores, targets))


def smoothed_hinge(scores: Values, targets: Values) -> Values:
    """Computes the hinge with a rounded corner, elementwise on scores and labels -1 or 1."""
    # 0 for z ≥ 1, ½(1 − z)² for 0 < z < 1, ½ − z for z ≤ 0: Huber's loss of what is missing to 1.
    return optax.losses.huber_loss(hinge(scores, targets), delta=1.0)


def quadratically_smoothed_hinge(scores: Values, targets: Values, gamma: float = 2.0) -> Values:
    """Computes the hinge with a corner rounded over γ, elementwise on scores and labels ±1."""
    # max(0, 1 − z)²/(2γ) if z ≥ 1 − γ, else 1 − γ/2 − z.
    return optax.losses.huber_loss(hinge(scores, targets), delta=gamma) / gamma


def modified_huber(scores: Values, targets: Values) -> Values:
    """Computes the squared hinge, linear from z = −1 down; elementwise on labels -1 or 1."""
    # max(0, 1 − z)² if z ≥ −1, else −4z.
    return 2.0 * optax.losses.huber_loss(hinge(scores, targets), delta=2.0)


def ramp(scores: Values, targets: Values) -> Values:
    """Computes the hinge cut off at 1, elementwise on scores and labels -1 or 1."""
    return jnp.minimum(1.0, hinge(scores, targets))


def cosine(
    predictions: Float[Array, "..."],
    targets: Float[Array, "..."],
    axis: Axis = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes 1 − cosine of the angle between vectors, 1 if one is 0; a value for each example."""
    # Lengths do not matter, but their squares must neither overflow nor vanish.
    pair = kept_pair(predictions, targets, where)
    scaled = (values / largest_size(values, axis) for values in pair)
    return optax.losses.cosine_distance(*scaled, epsilon=1e-12, axis=axis)


_MARGIN = frozenset({"nonnegative", "zero_at_target", "minimum_at_target", "symmetric"})
_CONVEX = _MARGIN | {"convex", "bounded_gradient"}
_BEYOND = "0 wherever y s is at least 1"

LOSSES = (
    ZooLoss(
        "zero_one",
        "margin",
        zero_one,
        "score",
        r"[y s \le 0]",
        _SURVEY,
        "0 wherever y s > 0",
        aliases=("0_1", "zero_one_loss"),
        forms=(ExpressionForm(("identity",), "1 - max(sign((y + y - 1)*f), 0)"),),
        properties=_MARGIN | {"bounded", "bounded_gradient", "flat"},
    ),
    ZooLoss(
        "hinge",
        "margin",
        hinge,
        "score",
        r"\max(0, 1 - y s)",
        "https://doi.org/10.1007/BF00994018",
        _BEYOND,
        aliases=("svm",),
        forms=(
            ExpressionForm(("identity",), HINGE),
            ExpressionForm(("logits",), LOGIT_HINGE),
        ),
        optax="hinge_loss",
        properties=_CONVEX,
    ),
    ZooLoss(
        "squared_hinge",
        "margin",
        squared_hinge,
        "score",
        r"\max(0, 1 - y s)^2",
        _SURVEY,
        _BEYOND,
        aliases=("l2_svm",),
        forms=(
            ExpressionForm(("identity",), f"square({HINGE})"),
            ExpressionForm(("logits",), f"{LOGIT_HINGE}*{LOGIT_HINGE}"),
        ),
        properties=_MARGIN | {"convex", "smooth"},
    ),
    ZooLoss(
        "perceptron",
        "margin",
        perceptron,
        "score",
        r"\max(0, -y s)",
        "https://doi.org/10.1037/h0042519",
        "0 wherever y s is at least 0",
        forms=(
            ExpressionForm(("identity",), "max((1 - y - y)*f, 0)"),
            ExpressionForm(("logits",), "relu((1 - y - y)*x)"),
        ),
        optax="perceptron_loss",
        properties=_CONVEX,
    ),
    ZooLoss(
        "smoothed_hinge",
        "margin",
        smoothed_hinge,
        "score",
        r"\begin{cases} 0 & y s \ge 1 \\ \tfrac{1}{2} (1 - y s)^2 & 0 < y s < 1 \\"
        r" \tfrac{1}{2} - y s & y s \le 0 \end{cases}",
        "Rennie and Srebro, Loss Functions for Preference Levels, IJCAI workshop 2005",
        _BEYOND,
        aliases=("smooth_hinge",),
        forms=(
            ExpressionForm(("identity",), rounded_hinge(1.0)),
            ExpressionForm(("logits",), rounded_logit_hinge(1.0)),
        ),
        properties=_CONVEX | {"smooth"},
    ),
    ZooLoss(
        "quadratically_smoothed_hinge",
        "margin",
        quadratically_smoothed_hinge,
        "score",
        r"\begin{cases} \tfrac{1}{2 \gamma} \max(0, 1 - y s)^2 & y s \ge 1 - \gamma \\"
        r" 1 - \tfrac{1}{2} \gamma - y s & \text{else} \end{cases}",
        "https://doi.org/10.1145/1015330.1015332",
        _BEYOND,
        parameters=(
            Parameter("gamma", 2.0, 1e-3, 1e3, "width of the rounded corner", "scikit-learn's"),
        ),
        forms=(
            ExpressionForm(("identity",), lambda gamma: rounded_hinge(gamma)),
            ExpressionForm(("logits",), lambda gamma: rounded_logit_hinge(gamma)),
        ),
        properties=_CONVEX | {"smooth"},
    ),
    ZooLoss(
        "modified_huber",
        "margin",
        modified_huber,
        "score",
        r"\begin{cases} \max(0, 1 - y s)^2 & y s \ge -1 \\ -4 y s & \text{else} \end{cases}",
        "https://doi.org/10.1145/1015330.1015332",
        _BEYOND,
        forms=(
            ExpressionForm(("identity",), rounded_hinge(2.0, 4.0)),
            ExpressionForm(("logits",), rounded_logit_hinge(2.0, 4.0)),
        ),
        properties=_CONVEX | {"smooth"},
    ),
    ZooLoss(
        "ramp",
        "margin",
        ramp,
        "score",
        r"\min(1, \max(0, 1 - y s))",
        "https://doi.org/10.1145/1143844.1143870",
        _BEYOND,
        aliases=("robust_hinge", "truncated_hinge"),
        forms=(
            ExpressionForm(("identity",), f"min({HINGE}, 1)"),
            ExpressionForm(("logits",), f"{LOGIT_HINGE} - relu({LOGIT_HINGE} - 1)"),
        ),
        properties=_MARGIN | {"bounded", "bounded_gradient"},
    ),
    ZooLoss(
        "cosine",
        "margin",
        cosine,
        "vectors",
        r"1 - \frac{f \cdot y}{\lVert f \rVert \lVert y \rVert}",
        _SURVEY,
        "0 wherever f points where y points",
        aliases=("cosine_distance",),
        forms=(ExpressionForm(("logits",), cosine_of_probabilities()),),
        optax="cosine_distance",
        # Proper: of class probabilities and one-hot labels it is 1 less the spherical scoring rule,
        # https://doi.org/10.1198/016214506000001437.
        properties=frozenset(
            {"nonnegative", "zero_at_target", "minimum_at_target", "bounded", "proper"}
        ),
    ),
)
