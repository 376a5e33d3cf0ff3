"""Losses that are small networks of prediction and target, applied to each element.

ML³: https://arxiv.org/abs/1906.05374. AdaLFL: https://arxiv.org/abs/2301.13247. Meta-learned PINN
losses: https://arxiv.org/abs/2107.05544.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require, unknown_name
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import (
    evaluate_family,
    no_formula,
    require_arguments,
    require_keys,
    variables_from_data,
)
from jaxloss.losses.network_parts import (
    ACTIVATIONS,
    OUTPUTS,
    layers,
    parameter_count,
)
from jaxloss.losses.views import View
from jaxloss.symbols.expression import Expression

MOST_LAYERS = 8
"""Most hidden layers (*assumed*)."""
WIDEST = 1024
"""Most outputs of a hidden layer (*assumed*)."""


@dataclass(frozen=True)
class NetworkForm:
    """A fully connected network from the variables of one element to its loss.

    The default is ML³'s for supervised tasks, 2–50–50–1 (its released code). Parameters are flat,
    layer by layer: weights row by row (a row for each input), then the layer's biases.

    Attributes:
        widths: outputs of each hidden layer.
        biases: whether layers have biases.
        activation: ``relu`` or ``smooth_leaky_relu``, between the layers.
        output: ``softplus``, ``relu`` or ``identity``, after the last.
        variables: the inputs, predictions before targets.
        averages: whether the value of an example is the mean over its outputs; else it is their
            sum, or what the view makes of them.
    """

    widths: tuple[int, ...] = (50, 50)
    biases: bool = False
    activation: str = "relu"
    output: str = "softplus"
    variables: tuple[str, ...] = ("f", "y")
    averages: bool = False
    kind: ClassVar[str] = "network"

    def __post_init__(self) -> None:
        require(
            1 <= len(self.widths) <= MOST_LAYERS
            and all(type(width) is int and 1 <= width <= WIDEST for width in self.widths),
            f"widths: {self.widths}; expected 1 to {MOST_LAYERS} whole numbers from 1 to {WIDEST}",
        )
        for name, value in (("biases", self.biases), ("averages", self.averages)):
            require(type(value) is bool, f"{name}: {value!r}; expected true or false")
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        if self.output not in OUTPUTS:
            raise unknown_name("output activation", self.output, OUTPUTS)
        require(len(self.variables) >= 1, "a loss network needs at least one variable")

    @property
    def symbolic(self) -> bool:
        """It is no formula."""
        return False

    @property
    def elementwise(self) -> bool:
        """It works element by element."""
        return True

    @property
    def all_widths(self) -> tuple[int, ...]:
        """Widths from the inputs to the one output."""
        return (len(self.variables), *self.widths, 1)

    @property
    def parameter_count(self) -> int:
        """Weights and biases of all layers."""
        return parameter_count(self.all_widths, self.biases)

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.parameter_count

    def family(self) -> LossFamily:
        """Builds the network.

        ``init`` draws weights from N(0, 2 / inputs of the layer), after
        https://arxiv.org/abs/1502.01852, and sets biases to 0.
        """
        return LossFamily(self._init, self._apply, self.averages)

    def _init(self, key: PRNGKeyArray) -> Float[Array, " parameters"]:
        # Each weight's spread stands where the weight will.
        spreads = np.concatenate(
            [
                part
                for inputs, outputs in zip(self.all_widths, self.all_widths[1:], strict=False)
                for part in (
                    np.full(inputs * outputs, math.sqrt(2.0 / inputs)),
                    np.zeros(outputs if self.biases else 0),
                )
            ]
        )
        draws = jax.random.normal(key, (self.parameter_count,))
        return draws * jnp.asarray(spreads, draws.dtype)

    def _apply(
        self, parameters: Float[Array, " parameters"], *values: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        require_arguments(self.variables, self.parameter_count, parameters, values)
        activation = ACTIVATIONS[self.activation]
        signal = jnp.stack(values, -1)
        numbers = parameters.astype(signal.dtype)
        for place, layer in enumerate(layers(numbers, self.all_widths, self.biases)):
            signal = (activation(signal) if place else signal) @ layer.weights
            if layer.biases is not None:
                signal = signal + jnp.broadcast_to(layer.biases, signal.shape)
        return OUTPUTS[self.output](signal[..., 0])

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes the network on what the view shows, one value for each example."""
        return evaluate_family(self.family(), parameters, view, outputs, targets)

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Raises `InvalidInputError`: a network is no formula."""
        del parameters
        raise no_formula(self.kind)

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Names widths, activations and how many numbers there are."""
        del parameters, digits
        widths = "-".join(map(str, self.all_widths))
        kind = "weights and biases" if self.biases else "weights"
        mean = ", mean over outputs" if self.averages else ""
        return (
            f"network {widths} of {', '.join(self.variables)}, {self.activation}, {self.output}"
            f"{mean}; {self.parameter_count} {kind}"
        )

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {
            "widths": list(self.widths),
            "biases": self.biases,
            "activation": self.activation,
            "output": self.output,
            "variables": list(self.variables),
            "averages": self.averages,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "NetworkForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        keys = {"widths", "biases", "activation", "output", "variables", "averages"}
        require_keys(cls.kind, data, keys)
        widths, activation, output = data["widths"], data["activation"], data["output"]
        require(
            isinstance(widths, list) and isinstance(activation, str) and isinstance(output, str),
            "a network is described by a list of widths and the names of its activations",
        )
        variables = variables_from_data(data)
        return cls(tuple(widths), data["biases"], activation, output, variables, data["averages"])


def ml3_network(variables: tuple[str, ...] = ("f", "y")) -> NetworkForm:
    """Makes ML³'s network for supervised tasks, 2–50–50–1 (its released code)."""
    return NetworkForm(variables=variables)


def pinn_network(variables: tuple[str, ...] = ("f", "y")) -> NetworkForm:
    """Makes the FFN of meta-learned PINN losses, 2–40–40–1 with ReLU and softplus (the paper).

    Biases are *assumed*.
    """
    return NetworkForm((40, 40), biases=True, variables=variables)


def adalfl_network(variables: tuple[str, ...] = ("f", "y")) -> NetworkForm:
    """Makes AdaLFL's network: 2–40–40–1 with smooth leaky ReLU, mean over outputs (the paper).

    No biases and the softplus output are *assumed*, as ML³ has them.
    """
    activation = "smooth_leaky_relu"
    return NetworkForm((40, 40), activation=activation, variables=variables, averages=True)
