"""What a loss network is made of: layers, activations, and their source."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxloss.losses.form import Library

SMOOTHNESS = 10.0
"""β of the smooth leaky ReLU (*assumed*)."""
LEAK = 0.01
"""γ of the smooth leaky ReLU, its slope far below 0 (*assumed*)."""

_LINE = 96
"""Characters of a line of source."""

Numbers = TypeVar("Numbers", Array, np.ndarray)


def smooth_leaky_relu(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Computes (1/β)·ln(e^{βx} + 1)·(1 − γ) + γx, which nears x above 0 and γx below."""
    return (1.0 - LEAK) / SMOOTHNESS * jax.nn.softplus(SMOOTHNESS * values) + LEAK * values


def _identity(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return values


class Activation(NamedTuple):
    """A function between or after the layers.

    Attributes:
        function: the function, elementwise.
        jax_code: its source, with ``{0}`` for the argument.
        torch_code: likewise.
    """

    function: Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]
    jax_code: str
    torch_code: str


_SOFTPLUS = "torch.logaddexp({0}, torch.zeros_like({0}))"
_SMOOTH = f"{(1.0 - LEAK) / SMOOTHNESS!r} * {{softplus}} + {LEAK!r} * x"

ACTIVATIONS = {
    "relu": Activation(jax.nn.relu, "jax.nn.relu({0})", "torch.relu({0})"),
    "smooth_leaky_relu": Activation(
        smooth_leaky_relu,
        f"(lambda x: {_SMOOTH.format(softplus=f'jax.nn.softplus({SMOOTHNESS!r} * x)')})({{0}})",
        # Torch's own softplus is exactly linear from 20 on.
        f"(lambda x: {_SMOOTH.format(softplus=_SOFTPLUS.format(f'{SMOOTHNESS!r} * x'))})({{0}})",
    ),
}
"""What can stand between the layers."""

OUTPUTS = {
    "identity": Activation(_identity, "{0}", "{0}"),
    "relu": ACTIVATIONS["relu"],
    "softplus": Activation(
        jax.nn.softplus,
        "jax.nn.softplus({0})",
        f"(lambda x: {_SOFTPLUS.format('x')})({{0}})",
    ),
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


def network_code(
    parts: Sequence[Layer[np.ndarray]],
    variables: Sequence[str],
    hidden: str,
    output: str,
    library: Library,
) -> str:
    """Writes a network as source of one expression.

    Args:
        parts: the layers.
        variables: names of the inputs, arrays of one shape.
        hidden: the activation between layers, one of `ACTIVATIONS`.
        output: the activation after the last, one of `OUTPUTS`.
        library: ``"jax"`` or ``"torch"``.
    """
    first = variables[0]
    stack = "jnp.stack([{}], axis=-1)" if library == "jax" else "torch.stack([{}], dim=-1)"
    source = stack.format(", ".join(variables))
    for place, layer in enumerate(parts):
        source = f"({source}\n@ {_array_code(layer.weights, first, library)}"
        if layer.biases is not None:
            source += f"\n+ {_array_code(layer.biases, first, library)}"
        source += ")"
        last = place == len(parts) - 1
        activation = OUTPUTS[output] if last else ACTIVATIONS[hidden]
        template = activation.jax_code if library == "jax" else activation.torch_code
        source = template.format(source)
    return f"{source}[..., 0]"


def _array_code(values: np.ndarray, like: str, library: Library) -> str:
    numbers = textwrap.fill(str(values.tolist()), _LINE, break_on_hyphens=False)
    if library == "jax":
        return f"jnp.array({numbers}, {like}.dtype)"
    return f"torch.tensor({numbers}, dtype={like}.dtype, device={like}.device)"
