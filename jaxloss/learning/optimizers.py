"""What inner training is moved by: SGD whose numbers may be known to the running program only."""

from typing import NamedTuple, Protocol

import optax
from jaxtyping import Array, Float


class Optimizer(Protocol):
    """What a training needs to know of its optimiser."""

    @property
    def batch_size(self) -> int:
        """Examples in a batch; all of them where there are fewer."""
        ...

    def make(self) -> optax.GradientTransformation:
        """Builds the optimiser."""
        ...


def decayed_sgd(
    learning_rate: float | Float[Array, ""],
    momentum: float,
    weight_decay: float | Float[Array, ""],
) -> optax.GradientTransformation:
    """Builds SGD with Nesterov momentum, plain if that is 0, and weight decay in the gradient."""
    return optax.chain(
        optax.add_decayed_weights(weight_decay),
        optax.sgd(learning_rate, momentum=momentum or None, nesterov=bool(momentum)),
    )


class TracedOptimizer(NamedTuple):
    """The optimiser with numbers that only the running program knows; nobody checks them.

    To be made where a program is traced: as an argument of ``jit`` its batch size would be traced.

    Attributes:
        learning_rate: step size of SGD, may be traced.
        momentum: Nesterov momentum; 0 for plain SGD.
        weight_decay: factor of the parameters that is added to their gradient, may be traced.
        batch_size: examples in a batch; all of them where there are fewer.
    """

    learning_rate: float | Float[Array, ""]
    momentum: float
    weight_decay: float | Float[Array, ""]
    batch_size: int

    def make(self) -> optax.GradientTransformation:
        """Builds the optimiser."""
        return decayed_sgd(self.learning_rate, self.momentum, self.weight_decay)
