"""What an export is, and how losses are named in it."""

from typing import NamedTuple

from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.zoo_form import ZooForm


class Export(NamedTuple):
    """A loss in another form.

    Attributes:
        content: text, or the bytes of a file.
        notes: how what it computes or says differs from the loss, a line each: the name of a
            primitive or loss, a colon, and how. Source holds them as comments too.
    """

    content: str | bytes
    notes: tuple[str, ...] = ()


def function_name(loss: LearnedLoss) -> str:
    """Names the function that optax's and torch's source defines."""
    return f"{loss.form.name}_loss" if isinstance(loss.form, ZooForm) else "learned_loss"
