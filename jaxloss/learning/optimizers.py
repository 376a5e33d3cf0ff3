"""What inner training is moved by: an optimiser whose numbers only the running program may know."""

from typing import Literal, NamedTuple, Protocol

import optax
from jaxtyping import Array, Float

Rule = Literal["sgd", "adam"]
"""How gradients become steps."""

_ROOT = 1e-12
"""Added below Adam's root, so that a meta-gradient through a gradient of 0 stays finite; small
beside the squared gradients of a training (*assumed*)."""


class Optimizer(Protocol):
    """What a training needs to know of its optimiser."""

    @property
    def batch_size(self) -> int:
        """Examples in a batch; all of them where there are fewer."""
        ...

    def make(self) -> optax.GradientTransformation:
        """Builds the optimiser."""
        ...


def decayed(
    rule: Rule,
    learning_rate: float | Float[Array, ""],
    momentum: float,
    weight_decay: float | Float[Array, ""],
) -> optax.GradientTransformation:
    """Builds an optimiser with weight decay in the gradient.

    SGD has Nesterov momentum, or none if that is 0; Adam takes it for its first β.
    """
    if rule == "adam":
        steps = optax.adam(learning_rate, b1=momentum, eps_root=_ROOT)
    else:
        steps = optax.sgd(learning_rate, momentum=momentum or None, nesterov=bool(momentum))
    return optax.chain(optax.add_decayed_weights(weight_decay), steps)


class TracedOptimizer(NamedTuple):
    """The optimiser with numbers that only the running program knows; nobody checks them.

    To be made where a program is traced: as an argument of ``jit`` its batch size would be traced.

    Attributes:
        learning_rate: step size, may be traced.
        momentum: Nesterov momentum, 0 for plain SGD; or Adam's first β.
        weight_decay: factor of the parameters that is added to their gradient, may be traced.
        batch_size: examples in a batch; all of them where there are fewer.
        rule: SGD or Adam.
    """

    learning_rate: float | Float[Array, ""]
    momentum: float
    weight_decay: float | Float[Array, ""]
    batch_size: int
    rule: Rule = "sgd"

    def make(self) -> optax.GradientTransformation:
        """Builds the optimiser."""
        return decayed(self.rule, self.learning_rate, self.momentum, self.weight_decay)
