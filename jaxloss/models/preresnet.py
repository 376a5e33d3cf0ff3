"""Residual networks with pre-activation (https://arxiv.org/abs/1603.05027), for small images."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxloss.models.convolution import Images, as_images, classify, convolve, normalise
from jaxloss.models.resnet import EXPANSION, PUBLISHED_WIDTH, SMALLEST_IMAGE, Layout


class PreResNet(nn.Module):
    """A residual network whose blocks normalise and activate before each convolution.

    Source: He, Zhang, Ren and Sun, *Identity mappings in deep residual networks*, 2016, with the
    stages of https://github.com/kuangliu/pytorch-cifar (those of `ResNet`), and after the last
    block the normalisation and ReLU that the paper has and that code leaves out. The released
    EvoMAL code follows that code, but has basic blocks at every depth; here the depths from 50 on
    have bottlenecks.

    Attributes:
        layout: blocks of the stages, one of `jaxloss.models.resnet.LAYOUTS` in the published
            networks.
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
        hidden = convolve(as_images("preresnet", inputs, SMALLEST_IMAGE), self.width)
        block = PreactivatedBottleneckBlock if self.layout.bottleneck else PreactivatedBasicBlock
        for stage, blocks in enumerate(self.layout.blocks):
            for number in range(blocks):
                stride = 2 if stage > 0 and number == 0 else 1
                hidden = block(self.width * 2**stage, stride)(hidden, train)
        return classify(nn.relu(normalise(hidden, train)), self.outputs)


class PreactivatedBasicBlock(nn.Module):
    """Normalisation, ReLU and 3x3 convolution, twice, beside a shortcut.

    Attributes:
        channels: of both convolutions.
        stride: of the first one.
        dropout: rate between the convolutions.
    """

    channels: int
    stride: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, inputs: Images, train: bool) -> Images:
        """Computes the block's features."""
        active = nn.relu(normalise(inputs, train))
        hidden = convolve(active, self.channels, stride=self.stride)
        hidden = nn.relu(normalise(hidden, train))
        hidden = nn.Dropout(self.dropout, deterministic=not train)(hidden)
        hidden = convolve(hidden, self.channels)
        return hidden + _shortcut(inputs, active, self.channels, self.stride)


class PreactivatedBottleneckBlock(nn.Module):
    """The same with a 1x1, a 3x3 and a 1x1 convolution; gives out four times the channels.

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
        active = nn.relu(normalise(inputs, train))
        hidden = convolve(active, self.channels, size=1)
        hidden = convolve(nn.relu(normalise(hidden, train)), self.channels, stride=self.stride)
        hidden = convolve(nn.relu(normalise(hidden, train)), channels, size=1)
        return hidden + _shortcut(inputs, active, channels, self.stride)


def _shortcut(inputs: Images, active: Images, channels: int, stride: int) -> Images:
    if stride == 1 and inputs.shape[-1] == channels:
        return inputs
    # Where the shape changes, both ways start from what is already activated.
    return convolve(active, channels, size=1, stride=stride)
