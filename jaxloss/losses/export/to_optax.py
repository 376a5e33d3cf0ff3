"""Losses as source for JAX, to be trained with by any optax optimiser."""

from jaxloss.losses.export.source import source_for
from jaxloss.losses.export.target import Export
from jaxloss.losses.learned import LearnedLoss


def to_optax(loss: LearnedLoss) -> Export:
    """Writes a function that takes what optax's losses take and needs JAX alone.

    Raises:
        InvalidInputError: the loss cannot be written for other libraries.
    """
    return source_for(loss, "jax")
