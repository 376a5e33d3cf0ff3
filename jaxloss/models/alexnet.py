"""AlexNet (https://papers.nips.cc/paper/4824), made for small images."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.models.convolution import as_images, convolve, scaled

SMALLEST_IMAGE = 16
"""Pixels a side: 16 → 8 → 4 → 2 → 1 by the first convolution and three poolings."""

PUBLISHED_WIDTH = 64
"""Channels of the first convolution in the released EvoMAL code."""


class AlexNet(nn.Module):
    """AlexNet for 32x32 images: five convolutions, three max-poolings, three dense layers.

    Source: Krizhevsky, Sutskever and Hinton, *ImageNet classification with deep convolutional
    neural networks*, 2012, in the one-tower form with 3x3 kernels of the released EvoMAL code
    (https://github.com/Decadz/Evolved-Model-Agnostic-Loss): no local response normalisation, the
    dense layers of 4096 units kept. All layers before the last are He-normal, the last one is
    Xavier-uniform.

    Attributes:
        outputs: units of the last layer.
        width: channels of the first convolution; all other layers are in proportion.
        dropout: rate before the first two dense layers; that of the 2012 paper (the released
            EvoMAL code sets 0).
    """

    outputs: int
    width: int = PUBLISHED_WIDTH
    dropout: float = 0.5

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "batch ..."], train: bool
    ) -> Float[Array, "batch outputs"]:
        """Maps images ``[batch, height, width]`` or ``[batch, height, width, channels]`` to logits.

        Raises:
            InvalidInputError: the inputs are no images, or smaller than 16x16.
        """
        hidden = as_images("alexnet", inputs, SMALLEST_IMAGE)
        # Channels, stride, and whether a pooling follows.
        for channels, stride, pooled in (
            (64, 2, True),
            (192, 1, True),
            (384, 1, False),
            (256, 1, False),
            (256, 1, True),
        ):
            own = scaled(channels, self.width, PUBLISHED_WIDTH)
            hidden = nn.relu(convolve(hidden, own, stride=stride, bias=True))
            if pooled:
                hidden = nn.max_pool(hidden, (2, 2), strides=(2, 2))
        hidden = hidden.reshape(hidden.shape[0], -1)
        precision = jnp.result_type(hidden, jnp.float32)
        for _ in range(2):
            hidden = nn.Dropout(self.dropout, deterministic=not train)(hidden)
            units = scaled(4096, self.width, PUBLISHED_WIDTH)
            hidden = nn.Dense(
                units, kernel_init=nn.initializers.he_normal(), param_dtype=precision
            )(hidden)
            hidden = nn.relu(hidden)
        return nn.Dense(
            self.outputs, kernel_init=nn.initializers.xavier_uniform(), param_dtype=precision
        )(hidden)
