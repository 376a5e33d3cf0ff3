"""A small fully convolutional network (https://arxiv.org/abs/1411.4038): a logit for each pixel."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.errors import require
from jaxloss.models.convolution import Images, as_images, neighbourhoods

WIDTHS = (8, 16)
"""Channels of the stages (*assumed*): few, so that a search takes minutes. A pixel is judged by
10x10 around it; with a third stage, ``fcn:8-16-16``, by 22 or 26 on a side, as
it lies in its cell."""


class FCN(nn.Module):
    """Stages of halving resolution, and the sum of what each of them says of every pixel.

    A stage is a 3x3 convolution with ReLU, after the largest value of 2x2 pixels but in the first.
    Scores of a stage are affine in its channels; they are enlarged linearly and added up, as the
    skips of the paper's FCN-8s.

    Attributes:
        widths: channels of each stage.
        outputs: numbers of each pixel.
    """

    widths: tuple[int, ...]
    outputs: int = 1

    @nn.compact
    def __call__(self, inputs: Float[Array, "batch ..."]) -> Float[Array, "batch height width ..."]:
        """Maps images to ``[batch, height, width]``; several outputs have an axis of their own."""
        least = 2 ** (len(self.widths) - 1)
        features = as_images("fcn", inputs, least)
        height, width = features.shape[1:3]
        require(
            height % least == 0 and width % least == 0,
            f"the sides of an image must be multiples of {least} for {len(self.widths)} stages, "
            f"got {height}x{width}",
        )
        scores = list[Images]()
        for stage, channels in enumerate(self.widths):
            features = _halved(features) if stage else features
            seen = neighbourhoods(features)
            features = nn.relu(self._dense(seen, channels, nn.initializers.he_normal()))
            scores.append(self._dense(features, self.outputs, nn.initializers.lecun_normal()))
        total = scores.pop()
        while scores:
            finer = scores.pop()
            total = jax.image.resize(total, finer.shape, "linear") + finer
        return total[..., 0] if self.outputs == 1 else total

    def _dense(self, features: Images, width: int, kernel: nn.initializers.Initializer) -> Images:
        precision = jnp.result_type(features, jnp.float32)
        return nn.Dense(width, kernel_init=kernel, param_dtype=precision)(features)


def _halved(features: Images) -> Images:
    batch, height, width, channels = features.shape
    squares = features.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return jnp.max(squares, axis=(2, 4))
