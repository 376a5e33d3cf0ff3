"""What a loss network is made of: layers and activations."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Float

SMOOTHNESS = 10.0
"""β of the smooth leaky ReLU (*assumed*)."""
LEAK = 0.01
"""γ of the smooth leaky ReLU, its slope far below 0 (*assumed*)."""

Numbers = TypeVar("Numbers", Array, np.ndarray)


def smooth_leaky_relu(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Computes (1/β)·ln(e^{βx} + 1)·(1 − γ) + γx, which nears x above 0 and γx below."""
    return (1.0 - LEAK) / SMOOTHNESS * jax.nn.softplus(SMOOTHNESS * values) + LEAK * values


def _identity(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return values


Activation = Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]
"""A function between or after the layers, elementwise."""

ACTIVATIONS: dict[str, Activation] = {
    "relu": jax.nn.relu,
    "smooth_leaky_relu": smooth_leaky_relu,
}
"""What can stand between the layers. Exported source knows each by its name here."""

OUTPUTS: dict[str, Activation] = {
    "identity": _identity,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
}
"""What can stand after the last layer."""


class Layer(NamedTuple, Generic[Numbers]):
    """An affine map.

    Attributes:
        weights: ``[inputs, outputs]``.
        biases: ``[outputs]``, or None.
    """

    weights: Numbers
    biases: Numbers | None


def layers(parameters: Numbers, widths: Sequence[int], biases: bool) -> Iterator[Layer[Numbers]]:
    """Cuts flat parameters into layers: weights row by row, then the biases of the same layer.

    Args:
        parameters: ``[parameters]``, as many as `parameter_count` says.
        widths: from the inputs to the outputs, both included.
        biases: whether there are any.
    """
    place = 0
    for inputs, outputs in pairwise(widths):
        weights = parameters[place : place + inputs * outputs].reshape(inputs, outputs)
        place += inputs * outputs
        own = parameters[place : place + outputs] if biases else None
        place += outputs if biases else 0
        yield Layer(weights, own)


def parameter_count(widths: Sequence[int], biases: bool) -> int:
    """Counts the numbers of a network whose widths include inputs and outputs."""
    return sum((inputs + biases) * outputs for inputs, outputs in pairwise(widths))
