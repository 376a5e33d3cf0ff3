"""A small one-stage detector without anchors (FCOS, https://arxiv.org/abs/1904.01355).

One stride and one head for both branches (*assumed*: small enough for a laptop).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.errors import require
from jaxloss.models.convolution import Images, as_images, neighbourhoods

WIDTH = 12
"""Features of a square of half a stride (*assumed*)."""

_PRIOR = 0.1
"""The share of cells with a box that a fresh network expects; FCOS starts at 0.01, where its many
cells are (*assumed*)."""


class Detector(nn.Module):
    """A grid of cells, each of which sees itself and its eight neighbours.

    Squares of half a stride become features, four of these a cell, and a convolution joins cells
    that lie side by side; all with ReLU. Convolutions are products of matrices with shifted copies:
    under ``vmap`` over weights XLA would run true ones as grouped convolutions, which are slow on a
    CPU.

    Attributes:
        outputs: numbers of each cell: classes, background, four sides.
        stride: pixels of a cell's side.
        width: features of half a stride; cells have twice as many.
    """

    outputs: int
    stride: int
    width: int = WIDTH

    @nn.compact
    def __call__(self, inputs: Float[Array, "batch ..."]) -> Float[Array, "batch cells outputs"]:
        """Maps images to what `jaxloss.losses.cells` describes."""
        images = as_images("detector", inputs, self.stride)
        batch, height, width, _ = images.shape
        require(
            height % self.stride == 0 and width % self.stride == 0,
            f"the sides of an image must be multiples of the stride {self.stride}, got "
            f"{height}x{width}",
        )
        first = self.stride // 2 if self.stride % 2 == 0 else self.stride
        features = nn.relu(self._dense(_merged(images, first), self.width))
        features = nn.relu(self._dense(_merged(features, self.stride // first), 2 * self.width))
        features = nn.relu(self._dense(neighbourhoods(features), 2 * self.width))
        made = nn.Dense(
            self.outputs,
            kernel_init=nn.initializers.normal(0.05),
            bias_init=self._first_guess,
            param_dtype=jnp.result_type(images, jnp.float32),
        )(features)
        return made.reshape(batch, -1, self.outputs)

    def _dense(self, features: Images, width: int) -> Images:
        return nn.Dense(
            width,
            kernel_init=nn.initializers.he_normal(),
            param_dtype=jnp.result_type(features, jnp.float32),
        )(features)

    def _first_guess(self, _key: Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
        classes = shape[0] - 5
        ratio = classes * (1.0 - _PRIOR) / _PRIOR
        return jnp.zeros(shape, dtype).at[classes].set(jnp.log(ratio).astype(dtype))


def _merged(features: Images, size: int) -> Images:
    """Puts the pixels of squares of ``size`` by ``size`` side by side."""
    batch, height, width, channels = features.shape
    rows, columns = height // size, width // size
    cut = features.reshape(batch, rows, size, columns, size, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows, columns, -1)
