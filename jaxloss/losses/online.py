"""Losses that go on learning while a network trains under them.

AdaLFL: https://arxiv.org/abs/2301.13247.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxtyping import Array

from jaxloss.errors import require
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import no_formula, require_keys
from jaxloss.losses.network import NetworkForm, adalfl_network
from jaxloss.losses.views import View
from jaxloss.symbols.expression import Expression


@dataclass(frozen=True)
class OnlineForm:
    """A network loss that a training adapts at each of its steps.

    Its parameters are those at the start, and everything here concerns the loss at the start: to
    adapt it is up to the training.

    Attributes:
        base: the network.
        learning_rate: of the loss's own steps during a training (*assumed*).
    """

    base: NetworkForm = field(default_factory=adalfl_network)
    learning_rate: float = 1e-5
    kind: ClassVar[str] = "online"

    def __post_init__(self) -> None:
        require(
            type(self.learning_rate) in (int, float) and 0 < self.learning_rate < math.inf,
            f"learning_rate: {self.learning_rate!r}; expected a number above 0",
        )

    @property
    def symbolic(self) -> bool:
        """It is no formula."""
        return False

    @property
    def elementwise(self) -> bool:
        """It works element by element."""
        return True

    @property
    def parameter_count(self) -> int:
        """As many as the network has."""
        return self.base.parameter_count

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.parameter_count

    def family(self) -> LossFamily:
        """Builds the network."""
        return self.base.family()

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes the loss of the start, one value for each example."""
        return self.base.evaluate(parameters, view, outputs, targets)

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Raises `InvalidInputError`: a network is no formula."""
        del parameters
        raise no_formula(self.kind)

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Names the network and how fast it adapts."""
        return (
            f"{self.base.describe(parameters, digits)}, "
            f"adapting in training with learning rate {self.learning_rate:g}"
        )

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {"base": self.base.as_data(), "learning_rate": self.learning_rate}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "OnlineForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        require_keys(cls.kind, data, {"base", "learning_rate"})
        require(isinstance(data["base"], dict), "an online loss holds the data of its network")
        return cls(NetworkForm.from_data(data["base"]), data["learning_rate"])
