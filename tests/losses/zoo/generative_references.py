"""Independent values of losses of generative models."""

from typing import Any

import numpy as np
import scipy.stats
from elementary_references import element, example
from zoo_reference import Reference, minus, mp, norm, sigmoid

GAN = "https://arxiv.org/abs/1406.2661, Eq. (1), in 30 digits"


def bound(beta: float) -> Any:
    """Reconstruction and SciPy-free divergence of normals, term by term."""

    def value(f: Any, x: Any, mu: Any, log_var: Any) -> Any:
        divergence = sum(
            (mp.exp(v) + mp.mpf(m) ** 2 - 1 - v) / 2 for m, v in zip(mu, log_var, strict=True)
        )
        return norm(minus(f, x)) ** 2 / 2 + beta * divergence

    return value


REFERENCES: dict[str, Reference] = {
    "elbo": example("https://arxiv.org/abs/1312.6114, Eq. (10), in 30 digits", bound(1)),
    "beta_vae": example("https://openreview.net/forum?id=Sy2fzU9gl, in 30 digits", bound(4)),
    "flow_nll": example(
        "scipy",
        lambda z, log_det: -scipy.stats.multivariate_normal.logpdf(z, np.zeros(len(z))) - log_det,
    ),
    "gan_discriminator": element(GAN, lambda d, s: -mp.log(sigmoid(d)) - mp.log(1 - sigmoid(s))),
    "gan_generator": element(GAN, lambda s: mp.log(1 - sigmoid(s))),
    "non_saturating_generator": element(GAN, lambda s: -mp.log(sigmoid(s))),
    "lsgan_discriminator": element(
        "https://arxiv.org/abs/1611.04076, Eq. (9)", lambda d, s: (d - 1) ** 2 / 2 + s**2 / 2
    ),
    "lsgan_generator": element(
        "https://arxiv.org/abs/1611.04076, Eq. (9)", lambda s: (s - 1) ** 2 / 2
    ),
    "wgan_critic": element("https://arxiv.org/abs/1701.07875", lambda d, s: s - d),
    "wgan_generator": element("https://arxiv.org/abs/1701.07875", lambda s: -s),
    "wgan_gp_critic": example(
        "https://arxiv.org/abs/1704.00028, Eq. (3), in 30 digits",
        lambda d, s, slope: s - d + 10 * (norm(slope) - 1) ** 2,
    ),
    "hinge_gan_discriminator": element(
        "https://arxiv.org/abs/1705.02894", lambda d, s: max(0, 1 - d) + max(0, 1 + s)
    ),
}
