"""What the registry says of a loss of the zoo beside what sampling found."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxloss.losses.card.finding import Finding
from jaxloss.losses.zoo import PROPERTIES, ZooLoss

_ON_CLASSES = ("proper", "noise_tolerant")
"""Properties that regression losses have on class probabilities."""
_RANGED = ("probability", "nonnegative", "nonnegative_vectors", "log_probabilities", "boxes")
"""Kinds whose predictions have a range or a unit; the registry speaks of the gradient by them, and
a card of that by the outputs."""
_TARGETED = ("real", "vectors", "nonnegative", "nonnegative_vectors", "score", "probability")
_TARGETED += ("boxes", "log_probabilities")
"""Kinds whose predictions can be the target itself."""
_MIRRORED = ("real", "vectors", "score", "logit")
"""Kinds whose errors have two directions, or whose two classes can be exchanged."""


class Agreement(NamedTuple):
    """One property of a loss of the zoo.

    Attributes:
        name: of the property.
        meaning: in words.
        registered: whether the registry has it.
        found: whether sampling found it; None where it cannot say.
    """

    name: str
    meaning: str
    registered: bool
    found: bool | None

    @property
    def contradicts(self) -> bool:
        """Whether sampling says otherwise."""
        return self.found is not None and self.found != self.registered


def agreements(
    entry: ZooLoss, predictions: Sequence[Finding], classes: Sequence[Finding] = ()
) -> tuple[Agreement, ...]:
    """Compares findings on a loss with its registered properties.

    Args:
        entry: the loss, with its default parameters.
        predictions: what was found on its own predictions: for regression and box losses on the
            outputs themselves, else on the outputs for classes.
        classes: of regression losses, what was found on class probabilities.
    """
    own = {one.topic: one.holds for one in predictions}
    other = {one.topic: one.holds for one in classes}
    return tuple(
        Agreement(
            name,
            meaning,
            name in entry.properties,
            (other if name in _ON_CLASSES and classes else own).get(name)
            if _speaks(entry, name)
            else None,
        )
        for name, meaning in PROPERTIES.items()
    )


def _speaks(entry: ZooLoss, name: str) -> bool:
    """Whether a card and the registry mean the same."""
    if name in ("minimum_at_target", "zero_at_target"):
        return entry.kind in _TARGETED
    if name == "symmetric":
        return entry.kind in _MIRRORED
    if name in ("bounded", "bounded_gradient", "convex") and entry.kind in _RANGED:
        return name in entry.properties
    return True
