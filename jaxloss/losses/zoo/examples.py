"""Example inputs for any loss of the zoo."""

import jax
from jaxtyping import Array, PRNGKeyArray

from jaxloss.errors import require, unknown_name
from jaxloss.losses.zoo.kinds import KINDS


def example_inputs(kind: str, key: PRNGKeyArray, batch: int = 8) -> tuple[Array, ...]:
    """Draws valid arguments for any loss of a kind.

    Args:
        kind: name of the kind, as in `ZooLoss.kind`.
        key: what they are drawn from.
        batch: number of examples.

    Returns:
        The arguments in order; each has ``batch`` as its first axis but class anchors, which have
        the number of classes.

    Raises:
        InvalidInputError: there is no such kind, or no example is asked for.
    """
    if kind not in KINDS:
        raise unknown_name("kind of inputs", kind, KINDS)
    require(batch >= 1, f"expected one example or more, got {batch}")
    arguments = KINDS[kind].arguments
    keys = jax.random.split(key, len(arguments))
    return tuple(argument.draw(own, batch) for argument, own in zip(arguments, keys, strict=True))
