"""What the convolutional networks share: images, layers with their usual settings, sizes."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.errors import InvalidInputError, require

Images = Float[Array, "batch height width channels"]
"""Images or feature maps, channels last."""


def as_images(name: str, inputs: Float[Array, "batch ..."], smallest: int) -> Images:
    """Gives grey images their axis of channels and refuses what is no image.

    Args:
        name: of the network, for the error messages.
        inputs: images ``[batch, height, width]`` or ``[batch, height, width, channels]``.
        smallest: pixels that each side needs at least.

    Raises:
        InvalidInputError: the inputs have another number of axes, or too few pixels.
    """
    if inputs.ndim == 3:
        inputs = inputs[..., None]
    if inputs.ndim != 4:
        raise InvalidInputError(
            f"{name} needs images of shape [batch, height, width] or [batch, height, width, "
            f"channels], got inputs of shape {inputs.shape}; for other inputs use 'mlp'"
        )
    height, width = inputs.shape[1:3]
    require(
        min(height, width) >= smallest,
        f"{name} needs images of at least {smallest}x{smallest} pixels, got {height}x{width}; "
        "for smaller images use 'mlp' or 'linear'",
    )
    return inputs


def convolve(
    images: Images,
    channels: int,
    size: int = 3,
    stride: int = 1,
    bias: bool = False,
    padding: int | None = None,
) -> Images:
    """Adds a convolution to the network whose ``__call__`` runs.

    Kernels are He-normal (https://arxiv.org/abs/1502.01852), biases zero. Parameters take the
    precision of the images, but never less than float32.

    Args:
        images: what is convolved.
        channels: of the result.
        size: pixels of each side of the kernel.
        stride: pixels from one place of the kernel to the next.
        bias: whether each channel has one.
        padding: zeros on each of the four sides; none: half the kernel, rounded down.
    """
    return nn.Conv(
        channels,
        (size, size),
        strides=stride,
        padding=size // 2 if padding is None else padding,
        use_bias=bias,
        kernel_init=nn.initializers.he_normal(),
        param_dtype=jnp.result_type(images, jnp.float32),
    )(images)


def neighbourhoods(features: Images) -> Images:
    """Puts each pixel's three by three neighbourhood side by side, zeros beyond the edge.

    A dense layer after it is a convolution. Under ``vmap`` over weights XLA runs it as a product of
    matrices, and a true convolution as a grouped one, which is slow on a CPU.
    """
    rows, columns = features.shape[1:3]
    padded = jnp.pad(features, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [
        padded[:, down : down + rows, right : right + columns]
        for down in range(3)
        for right in range(3)
    ]
    return jnp.concatenate(shifted, -1)


def normalise(images: Images, train: bool) -> Images:
    """Adds batch normalisation (https://arxiv.org/abs/1502.03167) over batch and pixels.

    In training it normalises by the batch and renews the running statistics, ``0.9 · old + 0.1 ·
    new``; else it normalises by the running ones. The settings are PyTorch's defaults, which the
    released networks use (there the momentum of 0.1 is the share of the new), with one
    difference: the running variance is that of the batch as it is, not times n/(n - 1).
    """
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        param_dtype=jnp.result_type(images, jnp.float32),
        # Else the running statistics begin in float32 whatever the precision of the rest, and a
        # scan over training steps in float64 finds another type after its first step.
        force_float32_reductions=False,
        # The mean of squares less the squared mean loses digits where the mean is large.
        use_fast_variance=False,
    )(images)


def convolve_normalise_relu(
    images: Images, train: bool, channels: int, size: int = 3, stride: int = 1, bias: bool = False
) -> Images:
    """Adds a convolution, batch normalisation and ReLU."""
    return nn.relu(normalise(convolve(images, channels, size, stride, bias), train))


def classify(images: Images, outputs: int) -> Float[Array, "batch outputs"]:
    """Adds the mean over the pixels and a dense layer without activation.

    Its kernel is Xavier-uniform, its bias zero, as in the wide and the pyramidal networks of the
    released EvoMAL code (https://github.com/Decadz/Evolved-Model-Agnostic-Loss).
    """
    features = jnp.mean(images, axis=(1, 2))
    return nn.Dense(
        outputs,
        kernel_init=nn.initializers.xavier_uniform(),
        param_dtype=jnp.result_type(features, jnp.float32),
    )(features)


def scaled(channels: int, width: int, published: int) -> int:
    """Scales a published number of channels by ``width / published``, to 1 or more."""
    return max(1, channels * width // published)


def blocks_in_stage(name: str, depth: int, rest: int) -> int:
    """Finds n of a network of three equal stages that is ``6n + rest`` layers deep.

    Raises:
        InvalidInputError: no whole n ≥ 1 gives this depth; the message has the nearest that does.
    """
    blocks = max(1, round((depth - rest) / 6))
    nearest = 6 * blocks + rest
    require(
        depth == nearest,
        f"{name} has a depth of 6n + {rest} with n of 1 or more, got {depth}; nearest: {nearest}",
    )
    return blocks
