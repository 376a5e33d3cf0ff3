"""Losses as source for PyTorch."""

from jaxloss.losses.export.source import source_for
from jaxloss.losses.export.target import Export
from jaxloss.losses.learned import LearnedLoss


def to_torch(loss: LearnedLoss) -> Export:
    """Writes a function of tensors that needs PyTorch alone; its slopes are JAX's at kinks too.

    Raises:
        InvalidInputError: the loss cannot be written for other libraries.
    """
    return source_for(loss, "torch")
