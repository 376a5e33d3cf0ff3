"""SqueezeNet (https://arxiv.org/abs/1602.07360), made for small images."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.models.convolution import (
    Images,
    as_images,
    convolve,
    convolve_normalise_relu,
    scaled,
)

SMALLEST_IMAGE = 8
"""Pixels a side: each of three poolings halves it, to 1."""

PUBLISHED_WIDTH = 96
"""Channels of the first convolution."""


class SqueezeNet(nn.Module):
    """SqueezeNet: eight modules that squeeze by 1x1 and expand by 1x1 and 3x3 convolutions.

    Source: Iandola et al., *SqueezeNet: AlexNet-level accuracy with 50x fewer parameters*, 2016,
    with its simple bypass around every second module, in the form for 32x32 images of
    https://github.com/weiaicunzai/pytorch-cifar100 that the released EvoMAL code has too: a first
    convolution of 3x3 and stride 1, batch normalisation after each convolution but the last (their
    biases are kept, without effect in training), no dropout. That code leaves out the last bypass,
    which has no parameters.

    Attributes:
        outputs: channels of the last convolution, whose means over the pixels are the logits.
        width: channels of the first convolution; all others are in proportion.
    """

    outputs: int
    width: int = PUBLISHED_WIDTH

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch ..."], train: bool
    ) -> Float[Array, "batch outputs"]:
        """Maps images ``[batch, height, width]`` or ``[batch, height, width, channels]`` to logits.

        Raises:
            InvalidInputError: the inputs are no images, or smaller than 8x8.
        """
        images = as_images("squeezenet", inputs, SMALLEST_IMAGE)
        hidden = convolve_normalise_relu(images, train, self.width, bias=True)
        hidden = nn.max_pool(hidden, (2, 2), strides=(2, 2))
        for squeezed, expanded, pooled in (
            (16, 64, False),
            (32, 128, True),
            (48, 192, False),
            (64, 256, True),
        ):
            fire = (
                scaled(squeezed, self.width, PUBLISHED_WIDTH),
                scaled(expanded, self.width, PUBLISHED_WIDTH),
            )
            hidden = Fire(*fire)(hidden, train)
            if pooled:
                hidden = nn.max_pool(hidden, (2, 2), strides=(2, 2))
            hidden = hidden + Fire(*fire)(hidden, train)
        return jnp.mean(convolve(hidden, self.outputs, size=1, bias=True), axis=(1, 2))


class Fire(nn.Module):
    """Squeezes by a 1x1 convolution, then expands by a 1x1 and a 3x3 convolution side by side.

    Attributes:
        squeezed: channels between.
        expanded: channels of each of the two expanding convolutions.
    """

    squeezed: int
    expanded: int

    @nn.compact
    def __call__(self, inputs: Images, train: bool) -> Images:
        """Computes the module's features, ``2 · expanded`` channels."""
        hidden = convolve_normalise_relu(inputs, train, self.squeezed, size=1, bias=True)
        expansions = [
            convolve_normalise_relu(hidden, train, self.expanded, size=size, bias=True)
            for size in (1, 3)
        ]
        return jnp.concatenate(expansions, axis=-1)
