"""What the targets for people show of a loss: no guards, and so not the loss to the last bit."""

from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.zoo_form import ZooForm
from jaxloss.symbols.primitives import Primitive
from jaxloss.symbols.sources import DIFFERENCES

DIGITS = 6
"""Significant digits of numbers that people read (*assumed*)."""


def notes_on(primitives: tuple[str, ...], target: str) -> tuple[str, ...]:
    """Says of each primitive how a target differs from it; nothing of those that agree."""
    return tuple(
        f"{name}: {DIFFERENCES[name][target]}"
        for name in primitives
        if target in DIFFERENCES.get(name, {})
    )


def primitives_of(loss: LearnedLoss) -> tuple[str, ...]:
    """Names the primitives of a loss's formula, sorted; none for a loss without one.

    A loss of the zoo is more than its formula in primitives, and has none of their guards.
    """
    if not loss.is_symbolic or isinstance(loss.form, ZooForm):
        return ()
    heads = {node.head for node in loss.expression.nodes}
    return tuple(sorted(head.name for head in heads if isinstance(head, Primitive)))
