"""Regression losses: how far real predictions are from real targets."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted
from jaxloss.losses.zoo import formulas
from jaxloss.losses.zoo.arrays import Axis, Values, Where, kept_pair, root_mean_square
from jaxloss.losses.zoo.entry import Parameter, ZooLoss
from jaxloss.losses.zoo.formulas import PROBABILITIES, SHARE
from jaxloss.losses.zoo.writing import EVERYWHERE, ExpressionForm

_SURVEY = "https://arxiv.org/abs/2301.05579"


def bias_error(predictions: Values, targets: Values) -> Values:
    """Computes the signed error; its mean is the mean bias error. Elementwise on real numbers."""
    return predictions - fitted(predictions, targets)


def absolute_error(predictions: Values, targets: Values) -> Values:
    """Computes the absolute error, elementwise on real numbers."""
    return jnp.abs(predictions - fitted(predictions, targets))


def squared_error(predictions: Values, targets: Values) -> Values:
    """Computes the squared error, elementwise on real numbers."""
    return optax.losses.squared_error(predictions, fitted(predictions, targets))


def root_mean_squared_error(
    predictions: Float[Array, "..."],
    targets: Float[Array, "..."],
    axis: Axis = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes the root of the mean squared error over ``axis``, one value for each example.

    At the target, where the root has no slope, the gradient is 0.
    """
    predictions, targets = kept_pair(predictions, targets, where)
    return root_mean_square(predictions - targets, axis, where)


def squared_log_error(predictions: Values, targets: Values) -> Values:
    """Computes the squared error of ln(1 + value), elementwise on numbers of at least 0."""
    return jnp.square(jnp.log1p(predictions) - jnp.log1p(fitted(predictions, targets)))


def root_mean_squared_log_error(
    predictions: Float[Array, "..."],
    targets: Float[Array, "..."],
    axis: Axis = -1,
    where: Where = None,
) -> Float[Array, "..."]:
    """Computes the root mean squared error of ln(1 + value) over ``axis``, for values from 0 on."""
    predictions, targets = kept_pair(predictions, targets, where)
    return root_mean_square(jnp.log1p(predictions) - jnp.log1p(targets), axis, where)


def huber(predictions: Values, targets: Values, delta: float = 1.0) -> Values:
    """Computes ½r² for |r| ≤ δ and δ(|r| − ½δ) beyond, elementwise on real numbers."""
    return optax.losses.huber_loss(predictions, fitted(predictions, targets), delta=delta)


def smooth_l1(predictions: Values, targets: Values, beta: float = 1.0) -> Values:
    """Computes Huber's loss divided by its threshold, elementwise on real numbers."""
    # ½r²/β for |r| < β, else |r| − ½β: the slope is 1 far away whatever β is.
    return optax.losses.huber_loss(predictions, fitted(predictions, targets), delta=beta) / beta


def log_cosh(predictions: Values, targets: Values) -> Values:
    """Computes ln cosh of the error, elementwise on real numbers."""
    return optax.losses.log_cosh(predictions, fitted(predictions, targets))


def quantile(predictions: Values, targets: Values, tau: float = 0.5) -> Values:
    """Computes the pinball loss, least in the mean at the τ-quantile; elementwise."""
    missing = fitted(predictions, targets) - predictions
    return jnp.maximum(tau * missing, (tau - 1.0) * missing)


_MISSING = f"{PROBABILITIES} - y"
_WELL = frozenset({"nonnegative", "zero_at_target", "minimum_at_target", "symmetric"})
_ROBUST = _WELL | {"convex", "bounded_gradient"}
_ZERO = "0 at f = y"

LOSSES = (
    ZooLoss(
        "mbe",
        "regression",
        bias_error,
        "real",
        r"f - y",
        _SURVEY,
        "none: it falls without end with f",
        aliases=("mean_bias_error", "bias_error"),
        forms=(ExpressionForm(EVERYWHERE, "f - y"),),
        properties=frozenset(
            {
                "zero_at_target",
                "convex",
                "bounded_gradient",
                "smooth",
                "unbounded_below",
                "noise_tolerant",
            }
        ),
    ),
    ZooLoss(
        "mae",
        "regression",
        absolute_error,
        "real",
        r"|f - y|",
        "https://doi.org/10.1609/aaai.v31i1.10894 (as a loss for noisy labels)",
        _ZERO,
        aliases=("mean_absolute_error", "absolute_error", "l1"),
        forms=(
            ExpressionForm(EVERYWHERE, "abs(f - y)"),
            ExpressionForm(("logits",), f"abs({_MISSING})"),
        ),
        properties=_ROBUST | {"noise_tolerant"},
    ),
    ZooLoss(
        "mse",
        "regression",
        squared_error,
        "real",
        r"(f - y)^2",
        _SURVEY,
        _ZERO,
        aliases=("mean_squared_error", "squared_error", "l2", "brier"),
        forms=(
            ExpressionForm(EVERYWHERE, "square(f - y)"),
            ExpressionForm(("logits",), f"({_MISSING})*({_MISSING})"),
        ),
        optax="squared_error",
        properties=_WELL | {"convex", "smooth", "proper"},
    ),
    ZooLoss(
        "rmse",
        "regression",
        root_mean_squared_error,
        "vectors",
        r"\sqrt{\tfrac{1}{n} \sum_i (f_i - y_i)^2}",
        _SURVEY,
        _ZERO,
        aliases=("root_mean_squared_error",),
        forms=(ExpressionForm(("logits",), f"{SHARE}*sqrt({SHARE}*dot({_MISSING}, {_MISSING}))"),),
        properties=_ROBUST,
    ),
    ZooLoss(
        "msle",
        "regression",
        squared_log_error,
        "nonnegative",
        r"\left(\ln(1 + f) - \ln(1 + y)\right)^2",
        _SURVEY,
        _ZERO,
        aliases=("mean_squared_log_error", "squared_log_error"),
        forms=(ExpressionForm(("identity",), "square(log(1 + f) - log(1 + y))"),),
        properties=frozenset({"nonnegative", "zero_at_target", "minimum_at_target", "smooth"}),
    ),
    ZooLoss(
        "rmsle",
        "regression",
        root_mean_squared_log_error,
        "nonnegative_vectors",
        r"\sqrt{\tfrac{1}{n} \sum_i \left(\ln(1 + f_i) - \ln(1 + y_i)\right)^2}",
        _SURVEY,
        _ZERO,
        aliases=("root_mean_squared_log_error",),
        properties=frozenset(
            {"nonnegative", "zero_at_target", "minimum_at_target", "bounded_gradient"}
        ),
    ),
    ZooLoss(
        "huber",
        "regression",
        huber,
        "real",
        r"\begin{cases} \tfrac{1}{2} (f - y)^2 & |f - y| \le \delta \\"
        r" \delta \left(|f - y| - \tfrac{1}{2} \delta\right) & \text{else} \end{cases}",
        "https://doi.org/10.1214/aoms/1177703732",
        _ZERO,
        aliases=("huber_loss",),
        parameters=(
            Parameter("delta", 1.0, 1e-3, 1e3, "errors beyond it count linearly", "optax"),
        ),
        forms=(ExpressionForm(EVERYWHERE, formulas.huber),),
        optax="huber_loss",
        properties=_ROBUST | {"smooth", "proper"},
    ),
    ZooLoss(
        "smooth_l1",
        "regression",
        smooth_l1,
        "real",
        r"\begin{cases} \tfrac{1}{2 \beta} (f - y)^2 & |f - y| < \beta \\"
        r" |f - y| - \tfrac{1}{2} \beta & \text{else} \end{cases}",
        "https://arxiv.org/abs/1504.08083",
        _ZERO,
        parameters=(
            Parameter("beta", 1.0, 1e-3, 1e3, "errors beyond it count linearly", "PyTorch"),
        ),
        forms=(ExpressionForm(EVERYWHERE, formulas.smooth_l1),),
        properties=_ROBUST | {"smooth", "proper"},
    ),
    ZooLoss(
        "log_cosh",
        "regression",
        log_cosh,
        "real",
        r"\ln \cosh(f - y)",
        "https://openreview.net/forum?id=rkglvsC9Ym",
        _ZERO,
        aliases=("logcosh",),
        # cosh d = e^|d| / (1 + tanh |d|), where nothing grows.
        forms=(ExpressionForm(EVERYWHERE, "abs(f - y) - log(1 + tanh(abs(f - y)))"),),
        optax="log_cosh",
        properties=_ROBUST | {"smooth"},
    ),
    ZooLoss(
        "quantile",
        "regression",
        quantile,
        "real",
        r"\max\left(\tau (y - f), (\tau - 1) (y - f)\right)",
        "https://doi.org/10.2307/1913643",
        _ZERO,
        aliases=("pinball", "quantile_loss"),
        parameters=(
            Parameter("tau", 0.5, 0.001, 0.999, "the quantile to predict", "the median; assumed"),
        ),
        forms=(ExpressionForm(EVERYWHERE, "max({tau}*(y - f), ({tau} - 1)*(y - f))"),),
        properties=_ROBUST | {"noise_tolerant"},
    ),
)
