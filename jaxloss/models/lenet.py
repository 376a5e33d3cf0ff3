"""LeNet-5, the small convolutional network of LeCun et al. (1998)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.models.convolution import as_images

SMALLEST_IMAGE = 16
"""Pixels a side: 16 → 12 → 6 → 2 → 1 by two valid 5x5 convolutions, each halved by pooling."""


class LeNet5(nn.Module):
    """LeNet-5: two 5x5 convolutions without padding, average pooling, tanh, three dense layers.

    Source: LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document
    recognition*, 1998 (http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf), in the form that is
    common today: every feature map of the second convolution sees all six of the first, pooling
    has no weights, the last layer is linear. Images are taken as they are: the paper padded
    28x28 digits to 32x32, here nothing is padded.

    Attributes:
        outputs: units of the last layer.
    """

    outputs: int

    @nn.compact
    def __call__(self, inputs: Float[Array, "batch ..."]) -> Float[Array, "batch outputs"]:
        """Maps images ``[batch, height, width]`` or ``[batch, height, width, channels]`` to logits.

        Raises:
            InvalidInputError: the inputs are no images, or smaller than 16x16.
        """
        hidden = as_images("lenet5", inputs, SMALLEST_IMAGE)
        precision = jnp.result_type(hidden, jnp.float32)
        for channels in (6, 16):
            hidden = nn.Conv(channels, (5, 5), padding="VALID", param_dtype=precision)(hidden)
            hidden = nn.avg_pool(nn.tanh(hidden), (2, 2), strides=(2, 2))
        hidden = hidden.reshape(hidden.shape[0], -1)
        for width in (120, 84):
            hidden = nn.tanh(nn.Dense(width, param_dtype=precision)(hidden))
        return nn.Dense(self.outputs, param_dtype=precision)(hidden)
