"""VGG networks (https://arxiv.org/abs/1409.1556), made for small images."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxloss.models.convolution import as_images, classify, convolve_normalise_relu

SMALLEST_IMAGE = 32
"""Pixels a side: each of five poolings halves it, to 1."""

STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions of each stage by the depth: configurations A, B, D and E in the paper's table 1."""

PUBLISHED_WIDTH = 64
"""Channels of the first stage."""


class VGG(nn.Module):
    """VGG with batch normalisation: five stages of 3x3 convolutions, each ended by max-pooling.

    Source: Simonyan and Zisserman, *Very deep convolutional networks for large-scale image
    recognition*, 2015, in the form of https://github.com/kuangliu/pytorch-cifar that the released
    EvoMAL code has too: batch normalisation after each convolution, whose bias is kept (without
    effect in training), and one dense layer instead of three. Larger images are averaged at the
    end.

    Attributes:
        stages: convolutions of each stage, one of `STAGES` in the published networks.
        outputs: units of the last layer.
        width: channels of the first stage; they double in each stage up to the fourth.
    """

    stages: tuple[int, ...]
    outputs: int
    width: int = PUBLISHED_WIDTH

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch ..."], train: bool
    ) -> Float[Array, "batch outputs"]:
        """Maps images ``[batch, height, width]`` or ``[batch, height, width, channels]`` to logits.

        Raises:
            InvalidInputError: the inputs are no images, or smaller than 32x32.
        """
        hidden = as_images("vgg", inputs, SMALLEST_IMAGE)
        for stage, convolutions in enumerate(self.stages):
            channels = self.width * 2 ** min(stage, 3)
            for _ in range(convolutions):
                hidden = convolve_normalise_relu(hidden, train, channels, bias=True)
            hidden = nn.max_pool(hidden, (2, 2), strides=(2, 2))
        return classify(hidden, self.outputs)
