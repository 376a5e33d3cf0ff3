"""All-CNN-C, the network of convolutions alone (https://arxiv.org/abs/1412.6806)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.models.convolution import as_images, convolve

SMALLEST_IMAGE = 9
"""Pixels a side: 9 → 5 → 3 → 1 by two strides and the convolution without padding."""

PUBLISHED_WIDTH = 96
"""Channels of the first stage."""


class AllCNNC(nn.Module):
    """All-CNN-C: nine convolutions, two of which stride where others pool.

    Source: Springenberg, Dosovitskiy, Brox and Riedmiller, *Striving for simplicity: the all
    convolutional net*, 2015, model C of table 1 with the poolings replaced as in table 2. ReLU
    follows each convolution but the last, whose means over the pixels are the logits (the table
    has one there too; *assumed*: logits may be negative). The released EvoMAL code adds batch
    normalisation, which the paper does not have.

    Attributes:
        outputs: channels of the last convolution.
        width: channels of the first stage; the later ones have twice as many.
        input_dropout: rate on the images, from the paper.
        dropout: rate after each convolution that strides, from the paper.
    """

    outputs: int
    width: int = PUBLISHED_WIDTH
    input_dropout: float = 0.2
    dropout: float = 0.5

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch ..."], train: bool
    ) -> Float[Array, "batch outputs"]:
        """Maps images ``[batch, height, width]`` or ``[batch, height, width, channels]`` to logits.

        Raises:
            InvalidInputError: the inputs are no images, or smaller than 9x9.
        """
        hidden = as_images("allcnn_c", inputs, SMALLEST_IMAGE)
        hidden = nn.Dropout(self.input_dropout, deterministic=not train)(hidden)
        for channels in (self.width, 2 * self.width):
            for stride in (1, 1, 2):
                hidden = nn.relu(convolve(hidden, channels, stride=stride, bias=True))
            hidden = nn.Dropout(self.dropout, deterministic=not train)(hidden)
        # Without padding, 8x8 become the 6x6 that the paper averages over.
        hidden = nn.relu(convolve(hidden, 2 * self.width, bias=True, padding=0))
        hidden = nn.relu(convolve(hidden, 2 * self.width, size=1, bias=True))
        return jnp.mean(convolve(hidden, self.outputs, size=1, bias=True), axis=(1, 2))
