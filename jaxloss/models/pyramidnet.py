"""Pyramidal residual networks (https://arxiv.org/abs/1610.02915)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.models.convolution import (
    Images,
    as_images,
    blocks_in_stage,
    classify,
    convolve,
    normalise,
)

SMALLEST_IMAGE = 4
"""Pixels a side: 4 → 2 → 1 by the strides of the last two stages."""

PUBLISHED_WIDTH = 16
"""Channels of the first convolution."""


class PyramidNet(nn.Module):
    """Additive PyramidNet: every block has a few channels more than the one before.

    Source: Han, Kim and Kim, *Deep pyramidal residual networks*, 2017, with basic blocks, as in
    their code (https://github.com/dyhan0920/PyramidNet-PyTorch) and the released EvoMAL code. Block
    k of N has ``16 + k·α/N`` channels, rounded to the nearest as that code does (the paper rounds
    down).

    Attributes:
        depth: layers, 6n + 2 for n blocks in each of three stages.
        alpha: channels that the last block has more than the first convolution.
        outputs: units of the last layer.
        width: channels of the first convolution.
    """

    depth: int
    alpha: int
    outputs: int
    width: int = PUBLISHED_WIDTH

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch ..."], train: bool
    ) -> Float[Array, "batch outputs"]:
        """Maps images ``[batch, height, width]`` or ``[batch, height, width, channels]`` to logits.

        Raises:
            InvalidInputError: the inputs are no images, or smaller than 4x4, or the depth is not
                6n + 2.
        """
        blocks = blocks_in_stage("pyramidnet", self.depth, 2)
        images = as_images("pyramidnet", inputs, SMALLEST_IMAGE)
        hidden = normalise(convolve(images, self.width), train)
        for number in range(3 * blocks):
            stride = 2 if number in (blocks, 2 * blocks) else 1
            grown = round((number + 1) * self.alpha / (3 * blocks))
            hidden = PyramidBlock(self.width + grown, stride)(hidden, train)
        return classify(nn.relu(normalise(hidden, train)), self.outputs)


class PyramidBlock(nn.Module):
    """Two 3x3 convolutions, normalised before, between and after, beside a padded shortcut.

    Attributes:
        channels: of both convolutions, at least those of the inputs.
        stride: of the first one; the shortcut averages over as many pixels.
    """

    channels: int
    stride: int

    @nn.compact
    def __call__(self, inputs: Images, train: bool) -> Images:
        """Computes the block's features."""
        hidden = convolve(normalise(inputs, train), self.channels, stride=self.stride)
        hidden = convolve(nn.relu(normalise(hidden, train)), self.channels)
        hidden = normalise(hidden, train)
        shortcut = inputs
        if self.stride > 1:
            window = (self.stride, self.stride)
            shortcut = nn.avg_pool(shortcut, window, window, "SAME", count_include_pad=False)
        missing = self.channels - inputs.shape[-1]
        return hidden + jnp.pad(shortcut, ((0, 0), (0, 0), (0, 0), (0, missing)))
