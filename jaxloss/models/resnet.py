"""Residual networks (https://arxiv.org/abs/1512.03385), made for small images."""

from typing import NamedTuple

import flax.linen as nn
from jaxtyping import Array, Float

from jaxloss.models.convolution import (
    Images,
    as_images,
    classify,
    convolve,
    convolve_normalise_relu,
    normalise,
)

SMALLEST_IMAGE = 8
"""Pixels a side: 8 → 4 → 2 → 1 by the strides of the last three stages."""

PUBLISHED_WIDTH = 64
"""Channels of the first stage."""

EXPANSION = 4
"""Channels that a bottleneck block gives out, over those of its 3x3 convolution."""


class Layout(NamedTuple):
    """How a residual network is built up.

    Attributes:
        blocks: of each stage.
        bottleneck: whether a block has three convolutions (1x1, 3x3, 1x1) and not two of 3x3.
    """

    blocks: tuple[int, ...]
    bottleneck: bool


LAYOUTS = {
    18: Layout((2, 2, 2, 2), bottleneck=False),
    34: Layout((3, 4, 6, 3), bottleneck=False),
    50: Layout((3, 4, 6, 3), bottleneck=True),
    101: Layout((3, 4, 23, 3), bottleneck=True),
    152: Layout((3, 8, 36, 3), bottleneck=True),
}
"""The published networks by their depth (table 1 of the paper)."""


class ResNet(nn.Module):
    """A residual network: stages of blocks that add to what they are given.

    Source: He, Zhang, Ren and Sun, *Deep residual learning for image recognition*, 2016, in the
    form of https://github.com/kuangliu/pytorch-cifar that the released EvoMAL code has too: the
    ImageNet networks with a first convolution of 3x3 and stride 1 and without the first pooling.
    Shortcuts whose shape changes are 1x1 convolutions with batch normalisation.

    Attributes:
        layout: blocks of the stages, one of `LAYOUTS` in the published networks.
        outputs: units of the last layer.
        width: channels of the first stage; they double from stage to stage.
    """

    layout: Layout
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
        images = as_images("resnet", inputs, SMALLEST_IMAGE)
        hidden = convolve_normalise_relu(images, train, self.width)
        block = BottleneckBlock if self.layout.bottleneck else BasicBlock
        for stage, blocks in enumerate(self.layout.blocks):
            for number in range(blocks):
                stride = 2 if stage > 0 and number == 0 else 1
                hidden = block(self.width * 2**stage, stride)(hidden, train)
        return classify(hidden, self.outputs)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Attributes:
        channels: of both convolutions.
        stride: of the first one.
    """

    channels: int
    stride: int

    @nn.compact
    def __call__(self, inputs: Images, train: bool) -> Images:
        """Computes the block's features."""
        hidden = convolve_normalise_relu(inputs, train, self.channels, stride=self.stride)
        hidden = normalise(convolve(hidden, self.channels), train)
        return nn.relu(hidden + _shortcut(inputs, train, self.channels, self.stride))


class BottleneckBlock(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution beside a shortcut; gives out four times the channels.

    Attributes:
        channels: of the first two convolutions.
        stride: of the 3x3 convolution.
    """

    channels: int
    stride: int

    @nn.compact
    def __call__(self, inputs: Images, train: bool) -> Images:
        """Computes the block's features."""
        channels = EXPANSION * self.channels
        hidden = convolve_normalise_relu(inputs, train, self.channels, size=1)
        hidden = convolve_normalise_relu(hidden, train, self.channels, stride=self.stride)
        hidden = normalise(convolve(hidden, channels, size=1), train)
        return nn.relu(hidden + _shortcut(inputs, train, channels, self.stride))


def _shortcut(inputs: Images, train: bool, channels: int, stride: int) -> Images:
    if stride == 1 and inputs.shape[-1] == channels:
        return inputs
    return normalise(convolve(inputs, channels, size=1, stride=stride), train)
