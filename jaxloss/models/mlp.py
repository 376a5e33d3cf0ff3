"""Fully connected networks, and the linear model as the one without hidden layers."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


class MLP(nn.Module):
    """A multilayer perceptron: ReLU by default, Xavier-uniform kernels, zero biases.

    With ``widths=(1000, 1000)`` it is the perceptron of EvoMAL
    (https://arxiv.org/abs/2209.08907); the initialisation is that of Glorot and Bengio
    (https://proceedings.mlr.press/v9/glorot10a.html). Parameters take the precision of the inputs,
    but never less than float32.

    Attributes:
        widths: units of each hidden layer, from the input on; empty for a linear model.
        outputs: units of the last layer, which has no activation.
        activation: between layers.
    """

    widths: tuple[int, ...]
    outputs: int
    activation: Callable[[Array], Array] = nn.relu

    @nn.compact
    def __call__(self, inputs: Float[Array, "batch ..."]) -> Float[Array, "batch outputs"]:
        """Flattens each example and maps it to raw outputs."""
        precision = jnp.result_type(inputs, jnp.float32)
        hidden = inputs.reshape(inputs.shape[0], -1)
        for layer, width in enumerate((*self.widths, self.outputs)):
            if layer > 0:
                hidden = self.activation(hidden)
            hidden = nn.Dense(
                width, kernel_init=nn.initializers.xavier_uniform(), param_dtype=precision
            )(hidden)
        return hidden
