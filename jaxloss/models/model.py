"""What the inner training needs of a network: a pair of pure functions.

`Model` fixes the pair; the adapters make one from a flax linen module, a flax nnx factory, or any
``(init, apply)`` functions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Num, PRNGKeyArray, PyTree

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
        bootstrap: ``(variables, inputs, targets) -> targets``, where what is to be predicted
            depends on the network itself: what a loss is given in the place of the recorded
            targets; no training step is differentiated through it. None where targets are as
            recorded.
        companion: ``(outputs, targets) -> per-example values``: a loss of further outputs of the
            network, which is added to whatever loss it is trained or judged by. None where there
            are no outputs beside those that a loss sees.
        stacked: whether the parameters are those of several networks of one kind, along the first
            axis of every array.
    """

    init: Callable[[PRNGKeyArray, Float[Array, "batch ..."]], Variables]
    apply: Callable[
        [Variables, Float[Array, "batch ..."], bool, PRNGKeyArray | None],
        tuple[Float[Array, "batch outputs"], Variables],
    ]
    name: str
    bootstrap: (
        Callable[
            [Variables, Float[Array, "batch ..."], Num[Array, "batch ..."]], Num[Array, "batch ..."]
        ]
        | None
    ) = None
    companion: (
        Callable[[Float[Array, "batch ..."], Num[Array, "batch ..."]], Float[Array, " batch"]]
        | None
    ) = None
    stacked: bool = False


ModelFactory = Callable[[int], Any]
"""What ``module:factory`` names: ``factory(outputs)`` returns anything that `adapt` takes."""
