"""What the inner training needs of a network: a pair of pure functions.

`Model` fixes the pair; the adapters make one from a flax linen module, a flax nnx factory, or any
``(init, apply)`` functions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray, PyTree

Variables = dict[str, PyTree]
"""A net's state: ``"params"`` is trained, every other entry (batch statistics) is carried along."""


class Model(NamedTuple):
    """A network as pure functions.

    Attributes:
        init: ``(key, inputs) -> variables``; ``variables["params"]`` is what training moves.
        apply: ``(variables, inputs, train, key) -> (outputs, variables)``. Outputs are logits for
            classification and raw values for regression, shape ``[batch, outputs]``. With
            ``train`` the returned variables hold renewed statistics; ``key`` feeds dropout.
        name: how reports call the network.
    """

    init: Callable[[PRNGKeyArray, Float[Array, "batch ..."]], Variables]
    apply: Callable[
        [Variables, Float[Array, "batch ..."], bool, PRNGKeyArray | None],
        tuple[Float[Array, "batch outputs"], Variables],
    ]
    name: str


ModelFactory = Callable[[int], Any]
"""What ``module:factory`` names: ``factory(outputs)`` returns anything that `adapt` takes."""
