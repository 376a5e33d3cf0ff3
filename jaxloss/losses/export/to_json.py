"""Losses as jaxloss's own text, the only form that it reads back."""

from jaxloss.losses.export.target import Export
from jaxloss.losses.learned import LearnedLoss


def to_json(loss: LearnedLoss) -> Export:
    """Writes what `LearnedLoss.from_json` reads."""
    return Export(loss.to_json())
