"""What every kind of loss is made of: parameters and a pure elementwise function of them."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray, PyTree


class LossFamily(NamedTuple):
    """A parametrised loss.

    Attributes:
        init: ``(key) -> loss_params``.
        apply: ``(loss_params, *variables) -> values``: elementwise on variables of one common
            shape, unreduced; predictions come before targets.
        averages: whether an example's value is the mean over its elements, weighted where the
            view's do not all count alike; else they are reduced as the view says.
    """

    init: Callable[[PRNGKeyArray], PyTree]
    apply: Callable[..., Float[Array, "..."]]
    averages: bool = False
