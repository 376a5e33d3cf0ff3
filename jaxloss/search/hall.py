"""The best losses that a search has met, where all have parameters of one length."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float


class Hall(NamedTuple):
    """The fittest so far, best first; empty places have infinite fitness.

    Attributes:
        parameters: of each.
        fitness: lower is better.
    """

    parameters: Float[np.ndarray, "places parameters"]
    fitness: Float[np.ndarray, " places"]

    @property
    def filled(self) -> int:
        """How many places are taken."""
        return int(np.sum(np.isfinite(self.fitness)))


def empty_hall(places: int, parameters: int) -> Hall:
    """Makes room for some losses."""
    return Hall(np.zeros((places, parameters), np.float32), np.full(places, np.inf, np.float32))


def entered(
    hall: Hall,
    parameters: Float[np.ndarray, "candidates parameters"],
    fitness: Float[np.ndarray, " candidates"],
    trained: Bool[np.ndarray, " candidates"],
) -> Hall:
    """Enters trained candidates; at a tie who came earlier stays in front, equals enter once."""
    new = np.where(trained & np.all(np.isfinite(parameters), axis=1), fitness, np.inf)
    everyone = np.concatenate([hall.parameters, np.asarray(parameters, np.float32)])
    values = np.concatenate([hall.fitness, np.asarray(new, np.float32)])
    order = np.argsort(values, kind="stable")
    everyone, values = everyone[order], values[order]
    # The first of equals is now the fittest: empty places are equal to parameters of 0.
    _, first = np.unique(everyone, axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(everyone)), first)
    values[again] = np.inf
    order = np.argsort(values, kind="stable")[: len(hall.fitness)]
    return Hall(everyone[order], values[order])
