"""Losses of adversarial generative models, from raw scores of a discriminator or critic.

Discriminator losses take scores of data and of samples, generator losses those of samples. All are
to be minimised; all are elementwise and take scores before any sigmoid. A conditional GAN
(https://arxiv.org/abs/1411.1784) has the same losses: its scores are of pairs of sample and
condition.
"""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted, require_floats, safe_sqrt
from jaxloss.losses.zoo.arrays import Axis, Values
from jaxloss.losses.zoo.entry import Branch, Parameter, ZooLoss

_GAN = "https://arxiv.org/abs/1406.2661"


def gan_discriminator(data_scores: Values, sample_scores: Values) -> Values:
    """Computes −ln σ(data) − ln(1 − σ(sample)): the minimax and the non-saturating game's."""
    sample_scores = fitted(data_scores, sample_scores)
    real = optax.losses.sigmoid_binary_cross_entropy(data_scores, jnp.ones_like(data_scores))
    return real + optax.losses.sigmoid_binary_cross_entropy(
        sample_scores, jnp.zeros_like(sample_scores)
    )


def gan_generator(sample_scores: Values) -> Values:
    """Computes ln(1 − σ(sample)): the minimax game's. Its slope fades when samples look false."""
    return -optax.losses.sigmoid_binary_cross_entropy(sample_scores, jnp.zeros_like(sample_scores))


def non_saturating_generator(sample_scores: Values) -> Values:
    """Computes −ln σ(sample)."""
    return optax.losses.sigmoid_binary_cross_entropy(sample_scores, jnp.ones_like(sample_scores))


def lsgan_discriminator(data_scores: Values, sample_scores: Values) -> Values:
    """Computes ½(data − 1)² + ½sample²."""
    sample_scores = fitted(data_scores, sample_scores)
    return optax.losses.l2_loss(data_scores - 1.0) + optax.losses.l2_loss(sample_scores)


def lsgan_generator(sample_scores: Values) -> Values:
    """Computes ½(sample − 1)²."""
    require_floats(sample_scores)
    return optax.losses.l2_loss(sample_scores - 1.0)


def wgan_critic(data_scores: Values, sample_scores: Values) -> Values:
    """Computes sample − data. The critic has to be kept Lipschitz by other means."""
    return fitted(data_scores, sample_scores) - data_scores


def wgan_generator(sample_scores: Values) -> Values:
    """Computes −sample."""
    require_floats(sample_scores)
    return -sample_scores


def wgan_gp_critic(
    data_scores: Float[Array, "..."],
    sample_scores: Float[Array, "..."],
    slopes: Float[Array, "..."],
    penalty: float = 10.0,
    axis: Axis = -1,
) -> Float[Array, "..."]:
    """Computes sample − data + λ(‖slope‖ − 1)², one value for each example.

    Args:
        data_scores: of the data.
        sample_scores: of as many samples.
        slopes: the critic's gradients by its input, at points between data and samples; a slope of
            exactly 0 gets no gradient.
        penalty: λ.
        axis: the inputs' axes.
    """
    norms = safe_sqrt(jnp.sum(jnp.square(slopes), axis))
    return wgan_critic(data_scores, sample_scores) + penalty * jnp.square(
        fitted(data_scores, norms) - 1.0
    )


def hinge_discriminator(data_scores: Values, sample_scores: Values) -> Values:
    """Computes max(0, 1 − data) + max(0, 1 + sample). The generator's loss is WGAN's."""
    sample_scores = fitted(data_scores, sample_scores)
    real = optax.losses.hinge_loss(data_scores, jnp.ones_like(data_scores))
    return real + optax.losses.hinge_loss(sample_scores, -jnp.ones_like(sample_scores))


_GENERATIVE: Branch = "generative"
_STEADY = frozenset({"nonnegative", "convex", "bounded_gradient"})
_ENDLESS = frozenset({"convex", "bounded_gradient", "smooth", "unbounded_below"})

LOSSES = (
    ZooLoss(
        "gan_discriminator",
        _GENERATIVE,
        gan_discriminator,
        "critic",
        r"-\ln \sigma(d) - \ln (1 - \sigma(s))",
        _GAN,
        "0 in the limit d = ∞, s = -∞; 2 ln 2 at d = s = 0, the best for samples like data",
        aliases=("gan", "minimax_gan", "conditional_gan_discriminator", "cgan"),
        properties=_STEADY | {"smooth"},
    ),
    ZooLoss(
        "gan_generator",
        _GENERATIVE,
        gan_generator,
        "samples",
        r"\ln (1 - \sigma(s))",
        _GAN,
        "none: it falls without end with s",
        aliases=("minimax_gan_generator", "saturating_generator"),
        properties=frozenset({"bounded_gradient", "smooth", "unbounded_below"}),
    ),
    ZooLoss(
        "non_saturating_generator",
        _GENERATIVE,
        non_saturating_generator,
        "samples",
        r"-\ln \sigma(s)",
        _GAN,
        "0 in the limit s = ∞",
        aliases=("non_saturating_gan", "conditional_gan_generator"),
        properties=_STEADY | {"smooth"},
    ),
    ZooLoss(
        "lsgan_discriminator",
        _GENERATIVE,
        lsgan_discriminator,
        "critic",
        r"\tfrac{1}{2} (d - 1)^2 + \tfrac{1}{2} s^2",
        "https://arxiv.org/abs/1611.04076",
        "0 at d = 1, s = 0",
        aliases=("lsgan", "least_squares_gan"),
        properties=frozenset({"nonnegative", "convex", "smooth"}),
    ),
    ZooLoss(
        "lsgan_generator",
        _GENERATIVE,
        lsgan_generator,
        "samples",
        r"\tfrac{1}{2} (s - 1)^2",
        "https://arxiv.org/abs/1611.04076",
        "0 at s = 1",
        properties=frozenset({"nonnegative", "convex", "smooth"}),
    ),
    ZooLoss(
        "wgan_critic",
        _GENERATIVE,
        wgan_critic,
        "critic",
        r"s - d",
        "https://arxiv.org/abs/1701.07875",
        "none: it falls without end with s - d",
        aliases=("wgan", "wasserstein"),
        properties=_ENDLESS,
    ),
    ZooLoss(
        "wgan_generator",
        _GENERATIVE,
        wgan_generator,
        "samples",
        r"-s",
        "https://arxiv.org/abs/1701.07875",
        "none: it falls without end with s",
        aliases=("hinge_gan_generator",),
        properties=_ENDLESS,
    ),
    ZooLoss(
        "wgan_gp_critic",
        _GENERATIVE,
        wgan_gp_critic,
        "critic_and_slopes",
        r"s - d + \lambda (\lVert \nabla \rVert - 1)^2",
        "https://arxiv.org/abs/1704.00028",
        "none: it falls without end with s - d, at slopes of norm 1",
        aliases=("wgan_gp", "gradient_penalty"),
        parameters=(Parameter("penalty", 10.0, 0.0, 1e4, "λ, weight of the slopes", "the paper"),),
        properties=frozenset({"unbounded_below"}),
    ),
    ZooLoss(
        "hinge_gan_discriminator",
        _GENERATIVE,
        hinge_discriminator,
        "critic",
        r"\max(0, 1 - d) + \max(0, 1 + s)",
        "https://arxiv.org/abs/1705.02894",
        "0 wherever d is at least 1 and s at most -1",
        aliases=("hinge_gan",),
        properties=_STEADY,
    ),
)
