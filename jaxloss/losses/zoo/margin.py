"""Margin losses: scores s and labels y of -1 or 1, by way of z = y·s.

Those without a paper of their own are listed in https://arxiv.org/abs/2301.05579, Section 4.1.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxloss.losses.zoo.arrays import Axis, Values, Where, fitted, kept
from jaxloss.losses.zoo.entry import Parameter, ZooLoss

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
    predictions, targets = kept(predictions, where), kept(fitted(predictions, targets), where)
    # Lengths do not matter, but their squares must not overflow.
    largest = jnp.max(jnp.abs(predictions), axis, keepdims=True)
    scale = jax.lax.stop_gradient(jnp.maximum(largest, 1.0))
    return optax.losses.cosine_distance(predictions / scale, targets, epsilon=1e-12, axis=axis)


def multiclass_hinge(
    scores: Float[Array, "*batch classes"], classes: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Computes Crammer and Singer's hinge of scores and class numbers, a value for each example."""
    return optax.losses.multiclass_hinge_loss(scores, classes)


def multiclass_perceptron(
    scores: Float[Array, "*batch classes"], classes: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Computes by how much the best score exceeds that of the class, a value for each example."""
    return optax.losses.multiclass_perceptron_loss(scores, classes)


_HINGE = "max(1 - (y + y - 1)*f, 0)"
"""The hinge on labels 0 and 1, as views show them."""
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
        form=_HINGE,
        view="identity",
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
        form=f"square({_HINGE})",
        view="identity",
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
        form="max((1 - y - y)*f, 0)",
        view="identity",
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
        form=f"0.5*square(min({_HINGE}, 1)) + max({_HINGE} - 1, 0)",
        view="identity",
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
        form=f"0.25*square(min({_HINGE}, 2)) + max({_HINGE} - 2, 0)",
        view="identity",
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
        form=f"square(min({_HINGE}, 2)) + 4*max({_HINGE} - 2, 0)",
        view="identity",
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
        form=f"min({_HINGE}, 1)",
        view="identity",
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
        # Proper: of class probabilities and one-hot labels it is 1 less the spherical scoring rule,
        # https://doi.org/10.1198/016214506000001437.
        properties=frozenset(
            {"nonnegative", "zero_at_target", "minimum_at_target", "bounded", "proper"}
        ),
    ),
    ZooLoss(
        "multiclass_hinge",
        "margin",
        multiclass_hinge,
        "logits_and_classes",
        r"\max_k \left(s_k + [k \ne y]\right) - s_y",
        "https://www.jmlr.org/papers/v2/crammer01a.html",
        "0 wherever the score of the class exceeds all others by 1",
        aliases=("crammer_singer",),
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
        properties=frozenset({"nonnegative", "convex", "bounded_gradient"}),
    ),
)
