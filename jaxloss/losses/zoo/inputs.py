"""What describes the inputs of a loss."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxtyping import Array, PRNGKeyArray

Gives = Literal["element", "example", "all"]
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
        scale: what the predictions are: raw outputs, probabilities, ...
        gives: what the loss has a value for; ``all`` is one for the whole batch.
    """

    name: str
    arguments: tuple[Argument, ...]
    scale: str
    gives: Gives = "example"

    @property
    def elementwise(self) -> bool:
        """Whether the loss has a value for each element rather than for each example."""
        return self.gives == "element"

    @property
    def predictions(self) -> tuple[int, ...]:
        """Positions of the arguments that a model makes."""
        return tuple(i for i, argument in enumerate(self.arguments) if argument.predicted)
