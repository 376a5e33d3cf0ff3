"""Losses as LaTeX, for display."""

from collections.abc import Mapping

from jaxloss.losses.export.display import DIGITS, notes_on, primitives_of
from jaxloss.losses.export.target import Export
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.zoo.entry import ZooLoss
from jaxloss.losses.zoo_form import ZooForm


def to_latex(loss: LearnedLoss) -> Export:
    """Writes the loss as LaTeX, numbers rounded, guards not shown.

    A loss of the zoo gets its formula from there, one that is no formula a description as text.
    """
    if isinstance(loss.form, ZooForm):
        return entry_as_latex(loss.form.entry, dict(loss.form.values))
    return Export(loss.latex(DIGITS) + "\n", notes_on(primitives_of(loss), "latex"))


def entry_as_latex(entry: ZooLoss, parameters: Mapping[str, float]) -> Export:
    """Writes the formula of the zoo, with the values of its parameters in a comment.

    Raises:
        InvalidInputError: a parameter is unknown or out of its range.
    """
    values = entry.values(parameters)
    words = ", ".join([entry.name, *(f"{name} = {value:g}" for name, value in values.items())])
    return Export(f"% {words}\n{entry.formula}\n")
