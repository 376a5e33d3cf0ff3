"""Losses of generative models that maximise a likelihood or a bound of it.

One value for each example; ``axis`` names the axes of its numbers and ``where`` those that count.
"""

import math

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxloss.errors import require
from jaxloss.losses.arrays import fitted, require_floats
from jaxloss.losses.zoo.arrays import Axis, Where, kept_pair, mean
from jaxloss.losses.zoo.entry import Branch, Parameter, ZooLoss
from jaxloss.losses.zoo.writing import ExpressionForm

Rows = Float[Array, "..."]

_STEEPEST = 40.0
"""Log variances beyond it go on along the tangent, so that no finite one overflows."""


def reconstruction(reconstructions: Rows, data: Rows, axis: Axis = -1, where: Where = None) -> Rows:
    """Computes half the squared error over ``axis``: −ln of a normal density, less a constant."""
    return jnp.sum(optax.losses.l2_loss(*kept_pair(reconstructions, data, where)), axis)


def _divergence(means: Rows, log_variances: Rows, axis: Axis) -> Rows:
    """Computes KL(N(μ, σ²) ‖ N(0, 1)) = ½Σ(σ² + μ² − 1 − ln σ²)."""
    log_variances = fitted(means, log_variances)
    below = jnp.minimum(log_variances, _STEEPEST)
    beyond = jnp.maximum(log_variances - _STEEPEST, 0.0)
    # e^v − 1 − v without loss of digits near v = 0.
    excess = jnp.expm1(below) - below + math.expm1(_STEEPEST) * beyond
    return 0.5 * jnp.sum(excess + jnp.square(means), axis)


def beta_vae(
    reconstructions: Rows,
    data: Rows,
    means: Rows,
    log_variances: Rows,
    beta: float = 4.0,
    axis: Axis = -1,
) -> Rows:
    """Computes reconstruction + β·KL of the latents from a standard normal, for each example.

    Args:
        reconstructions: means of a normal distribution of variance 1.
        data: in the same shape.
        means: of the latents.
        log_variances: of the latents, in the shape of the means.
        beta: weight of the divergence.
        axis: the axes of both the data and the latents.
    """
    divergence = _divergence(means, log_variances, axis)
    return reconstruction(reconstructions, data, axis) + beta * divergence


def negative_elbo(
    reconstructions: Rows, data: Rows, means: Rows, log_variances: Rows, axis: Axis = -1
) -> Rows:
    """Computes minus the evidence lower bound, up to a constant. Takes what `beta_vae` takes."""
    return beta_vae(reconstructions, data, means, log_variances, 1.0, axis)


def ddpm(noise_predictions: Rows, noise: Rows, axis: Axis = -1, where: Where = None) -> Rows:
    """Computes the mean squared error of the noise that a diffusion model predicts."""
    pair = kept_pair(noise_predictions, noise, where)
    return mean(optax.losses.squared_error(*pair), axis, where)


def denoising_score_matching(
    scores: Rows, noise: Rows, levels: Rows, axis: Axis = -1, where: Where = None
) -> Rows:
    """Computes ½Σ(σs + ε)², the squared error of a score with weight σ².

    Args:
        scores: s, the model's gradient of the log density at data + σε.
        noise: ε, standard normal.
        levels: σ > 0, one for each example with axes of 1 for its numbers.
        axis: the numbers' axes.
        where: which count.
    """
    require(
        levels.ndim == scores.ndim,
        f"scores of shape {scores.shape} and noise levels of shape {levels.shape}; expected as "
        "many axes, those of an example's numbers of length 1",
    )
    scores, noise = kept_pair(scores, noise, where)
    return jnp.sum(optax.losses.l2_loss(levels * scores + noise), axis)


def flow_nll(latents: Rows, log_determinants: Rows, axis: Axis = -1) -> Rows:
    """Computes −ln p of data that a flow maps to latents with a standard normal density.

    Args:
        latents: where the data go.
        log_determinants: ln |det| of the Jacobian of the way from data to latents.
        axis: the latents' axes.
    """
    # ½‖z‖² + ½n·ln 2π − ln|det|
    require_floats(latents)
    densities = jnp.sum(0.5 * jnp.square(latents) + 0.5 * math.log(2.0 * math.pi), axis)
    return densities - fitted(densities, log_determinants)


_GENERATIVE: Branch = "generative"
_SQUARED = frozenset({"nonnegative", "zero_at_target", "minimum_at_target", "convex", "smooth"})
_BOUND = (
    r"\tfrac{1}{2} \lVert f - y \rVert^2 + {} \tfrac{1}{2} \sum_j"
    r" \left(\sigma_j^2 + \mu_j^2 - 1 - \ln \sigma_j^2\right)"
)

LOSSES = (
    ZooLoss(
        "reconstruction",
        _GENERATIVE,
        reconstruction,
        "vectors",
        r"\tfrac{1}{2} \lVert f - y \rVert^2",
        "https://arxiv.org/abs/2301.05579",
        "0 at f = y",
        aliases=("autoencoder",),
        forms=(ExpressionForm(("identity",), "0.5*square(f - y)"),),
        properties=_SQUARED | {"symmetric"},
    ),
    ZooLoss(
        "elbo",
        _GENERATIVE,
        negative_elbo,
        "autoencoder",
        _BOUND.replace("{} ", ""),
        "https://arxiv.org/abs/1312.6114",
        "0 at f = y, μ = 0, σ = 1",
        aliases=("vae", "negative_elbo"),
        properties=frozenset({"nonnegative", "convex", "smooth"}),
    ),
    ZooLoss(
        "beta_vae",
        _GENERATIVE,
        beta_vae,
        "autoencoder",
        _BOUND.replace("{}", r"\beta"),
        "https://openreview.net/forum?id=Sy2fzU9gl",
        "0 at f = y, μ = 0, σ = 1",
        parameters=(Parameter("beta", 4.0, 0.0, 1e4, "weight of the divergence", "assumed"),),
        properties=frozenset({"nonnegative", "convex", "smooth"}),
    ),
    ZooLoss(
        "ddpm",
        _GENERATIVE,
        ddpm,
        "vectors",
        r"\tfrac{1}{n} \lVert \hat\epsilon - \epsilon \rVert^2",
        "https://arxiv.org/abs/2006.11239",
        "0 where the noise is predicted",
        aliases=("noise_mse", "diffusion"),
        properties=_SQUARED | {"symmetric"},
    ),
    ZooLoss(
        "denoising_score_matching",
        _GENERATIVE,
        denoising_score_matching,
        "noised",
        r"\tfrac{1}{2} \lVert \sigma s + \epsilon \rVert^2",
        "https://arxiv.org/abs/1907.05600",
        "0 at s = -ε/σ",
        aliases=("dsm", "score_matching"),
        properties=frozenset({"nonnegative", "convex", "smooth"}),
    ),
    ZooLoss(
        "flow_nll",
        _GENERATIVE,
        flow_nll,
        "flow",
        r"\tfrac{1}{2} \lVert z \rVert^2 + \tfrac{n}{2} \ln 2 \pi"
        r" - \ln \left|\det \tfrac{\partial z}{\partial x}\right|",
        "https://arxiv.org/abs/1410.8516",
        "none: it falls without end with the determinant",
        aliases=("normalizing_flow", "change_of_variables"),
        properties=frozenset({"convex", "smooth", "unbounded_below"}),
    ),
)
