"""Barron's general robust loss, one family from squared to bounded losses.

Paper: A General and Adaptive Robust Loss Function, https://arxiv.org/abs/1701.03077.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted
from jaxloss.losses.zoo import formulas
from jaxloss.losses.zoo.arrays import Values
from jaxloss.losses.zoo.entry import Parameter, ZooLoss
from jaxloss.losses.zoo.writing import EVERYWHERE, ExpressionForm

LEAST_GAP = 1e-5
"""Nearest that α comes to 2, where the formula divides 0 by 0."""
_LARGE = 1e3
_SMALL = 1e-4


def _log1p_square(values: Values) -> Values:
    """Computes ln(1 + v²) without squaring a large v."""
    size = jnp.abs(values)
    large = size > _LARGE
    moderate = jnp.log1p(jnp.square(jnp.where(large, 1.0, values)))
    far = jnp.where(large, size, _LARGE)
    return jnp.where(large, 2.0 * jnp.log(far) + jnp.log1p(jnp.square(1.0 / far)), moderate)


def _growth(values: Values) -> Values:
    """Computes (e^v − 1)/v, which is 1 at 0."""
    near = jnp.abs(values) < _SMALL
    apart = jnp.where(near, 1.0, values)
    return jnp.where(near, 1.0 + values / 2.0, jnp.expm1(apart) / apart)


def barron(
    predictions: Values,
    targets: Values,
    alpha: float | Float[Array, ""] = 1.0,
    scale: float | Float[Array, ""] = 1.0,
) -> Values:
    """Computes Barron's general robust loss, elementwise on real numbers.

    ½(r/c)² at α = 2, √((r/c)² + 1) − 1 at 1, ln(½(r/c)² + 1) at 0, Geman–McClure's at −2. Also
    differentiable by α and c, with arrays for them.

    Args:
        predictions: real numbers.
        targets: real numbers in the same shape.
        alpha: shape; lower is more robust to outliers.
        scale: c > 0, the error at which robustness sets in.
    """
    residual = (predictions - fitted(predictions, targets)) / scale
    # Eq. (8) with |α − 2| kept from 0: (b/α)·[((r/c)²/b + 1)^{α/2} − 1], where b = |α − 2|.
    gap = jnp.maximum(jnp.abs(jnp.asarray(alpha, residual.dtype) - 2.0), LEAST_GAP)
    logarithm = _log1p_square(residual / jnp.sqrt(gap))
    # With v = (α/2)·ln(1 + (r/c)²/b) it is (b/2)·ln(…)·(e^v − 1)/v, which has no pole at α = 0.
    return 0.5 * gap * logarithm * _growth(0.5 * alpha * logarithm)


_NODES, _SHARES = np.polynomial.legendre.leggauss(256)


def log_partition(alpha: Float[Array, ""]) -> Float[Array, ""]:
    """Computes ln Z(α) = ln ∫ exp(−ρ(r, α, 1)) dr, which makes a density of exp(−ρ).

    Differentiable by α. By quadrature after r = tan(πv/2), under which all tails are mild down to
    α = 0, where the density is Cauchy's; below that there is no density.

    Args:
        alpha: shape, 0 or more.
    """
    alpha = jnp.asarray(alpha)
    places = jnp.asarray(np.tan(0.5 * np.pi * _NODES), alpha.dtype)
    stretches = 0.5 * np.pi * (1.0 + np.square(np.tan(0.5 * np.pi * _NODES))) * _SHARES
    exponents = jnp.asarray(np.log(stretches), alpha.dtype) - barron(
        places, jnp.zeros_like(places), alpha
    )
    return jax.nn.logsumexp(exponents)


def barron_likelihood(
    predictions: Values,
    targets: Values,
    alpha: Float[Array, ""],
    scale: Float[Array, ""],
) -> Values:
    """Computes the negative log-likelihood that Barron's loss belongs to, elementwise.

    ρ(r, α, c) + ln c + ln Z(α): unlike ρ itself it does not fall without end as c grows, so α and c
    can be trained along with a network.

    Args:
        predictions: real numbers.
        targets: real numbers in the same shape.
        alpha: shape, 0 or more.
        scale: c > 0.
    """
    values = barron(predictions, targets, alpha, scale)
    return values + (jnp.log(scale) + log_partition(alpha)).astype(values.dtype)


LOSSES = (
    ZooLoss(
        "barron",
        "regression",
        barron,
        "real",
        r"\frac{|\alpha - 2|}{\alpha} \left[\left(\frac{((f - y)/c)^2}{|\alpha - 2|} + 1"
        r"\right)^{\alpha/2} - 1\right]",
        "https://arxiv.org/abs/1701.03077",
        "0 at f = y",
        aliases=("general_robust", "adaptive_robust", "charbonnier"),
        parameters=(
            Parameter("alpha", 1.0, -10.0, 2.5, "shape; lower is more robust", "assumed"),
            Parameter("scale", 1.0, 1e-3, 1e3, "c, the error where robustness sets in", "assumed"),
        ),
        forms=(ExpressionForm(EVERYWHERE, formulas.barron),),
        properties=frozenset(
            {
                "nonnegative",
                "zero_at_target",
                "minimum_at_target",
                "symmetric",
                "smooth",
                "convex",
                "bounded_gradient",
            }
        ),
    ),
)
