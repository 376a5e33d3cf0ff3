"""What describes the inputs of a loss."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, PRNGKeyArray

Draw = Callable[[PRNGKeyArray, int], Array]


class Argument(NamedTuple):
    """One array that a loss takes.

    Attributes:
        name: what it is.
        shape: its shape, in words.
        draw: makes valid examples.
        predicted: whether a model makes it, so that the gradient goes there.
    """

    name: str
    shape: str
    draw: Draw
    predicted: bool = False


class InputKind(NamedTuple):
    """The arguments of a loss.

    Attributes:
        name: how the registry calls it.
        arguments: the arrays, in order.
        elementwise: whether the loss has a value for each element rather than for each example.
    """

    name: str
    arguments: tuple[Argument, ...]
    elementwise: bool = False

    @property
    def predictions(self) -> tuple[int, ...]:
        """Positions of the arguments that a model makes."""
        return tuple(i for i, argument in enumerate(self.arguments) if argument.predicted)
