"""Losses with numbers of their own that are tuned together with the training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Array, Float

from jaxloss.errors import require
from jaxloss.losses.binding import BoundLoss


class ParameterRange(NamedTuple):
    """Where a number is looked for.

    Attributes:
        name: how results call it.
        default: its value in an untuned training.
        low: the smallest value tried.
        high: the largest value tried.
        log: whether ratios matter rather than differences; needs a positive ``low``.
    """

    name: str
    default: float
    low: float
    high: float
    log: bool = False

    def at(self, share: float) -> float:
        """Finds the value that leaves this share of the range, from 0 to 1, below it.

        Raises:
            InvalidInputError: the range is empty, or holds numbers that have no logarithm.
        """
        require(
            self.low <= self.high and (self.low > 0 or not self.log),
            f"the range of {self.name} must rise{' from above 0' if self.log else ''}, "
            f"got {self.low:g} to {self.high:g}",
        )
        if self.log:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share


class TunableLoss(NamedTuple):
    """A training loss as a function of its own parameters.

    Attributes:
        bind: ``(parameters) -> loss`` with one number for each of ``parameters``, which may be
            traced. It is hashable; equal ones share their compiled programs.
        parameters: what is tuned; empty for a loss that stays as it is.
    """

    bind: Callable[[Float[Array, " parameters"]], BoundLoss]
    parameters: tuple[ParameterRange, ...] = ()


@dataclass(frozen=True)
class FixedBinding:
    """Binds nothing: the loss stays as it is.

    Attributes:
        loss: ``(outputs, targets) -> per-example values``, hashable.
    """

    loss: BoundLoss

    def __call__(self, parameters: Float[Array, " parameters"]) -> BoundLoss:
        """Returns the loss; there are no parameters."""
        require(parameters.size == 0, f"a fixed loss takes no parameters, got {parameters.size}")
        return self.loss


def fixed(loss: BoundLoss) -> TunableLoss:
    """Makes a tunable loss of one that has nothing to tune, a learned one for instance."""
    return TunableLoss(FixedBinding(loss))
