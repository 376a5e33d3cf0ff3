"""Wide residual networks (https://arxiv.org/abs/1605.07146)."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxloss.models.convolution import as_images, blocks_in_stage, classify, convolve, normalise
from jaxloss.models.preresnet import PreactivatedBasicBlock

SMALLEST_IMAGE = 4
"""Pixels a side: 4 → 2 → 1 by the strides of the last two stages."""

PUBLISHED_WIDTH = 16
"""Channels of the first convolution."""


class WideResNet(nn.Module):
    """WRN-depth-widening: three stages of pre-activated basic blocks with many channels.

    Source: Zagoruyko and Komodakis, *Wide residual networks*, 2016, table 1, block B(3, 3); also
    in the released EvoMAL code.

    Attributes:
        depth: layers, 6n + 4 for n blocks in a stage.
        widening: factor k of the channels of all stages.
        outputs: units of the last layer.
        width: channels of the first convolution; the stages have k, 2k and 4k times as many.
        dropout: rate between the convolutions of a block; 0 as in the paper's main results (it
            tries 0.3 and 0.4 too).
    """

    depth: int
    widening: int
    outputs: int
    width: int = PUBLISHED_WIDTH
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch ..."], train: bool
    ) -> Float[Array, "batch outputs"]:
        """Maps images ``[batch, height, width]`` or ``[batch, height, width, channels]`` to logits.

        Raises:
            InvalidInputError: the inputs are no images, or smaller than 4x4, or the depth is not
                6n + 4.
        """
        blocks = blocks_in_stage("wide_resnet", self.depth, 4)
        hidden = convolve(as_images("wide_resnet", inputs, SMALLEST_IMAGE), self.width)
        for stage in range(3):
            for number in range(blocks):
                stride = 2 if stage > 0 and number == 0 else 1
                channels = self.width * self.widening * 2**stage
                hidden = PreactivatedBasicBlock(channels, stride, self.dropout)(hidden, train)
        return classify(nn.relu(normalise(hidden, train)), self.outputs)
