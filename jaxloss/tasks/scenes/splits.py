"""Composes the scenes of a whole problem, split by split."""

from jaxloss.errors import require
from jaxloss.tasks.scenes.compose import Scenes, SceneSettings, compose_scenes
from jaxloss.tasks.scenes.photographs import SPLITS
from jaxloss.tasks.splitting import SplitSettings


def compose_splits(
    count: int, division: SplitSettings, looks: SceneSettings, fewest: int = 1
) -> list[Scenes]:
    """Composes scenes for train, valid and test, each from its own strip of the photographs.

    Args:
        count: scenes of all splits together.
        division: each split's share of them; the seed draws the scenes.
        looks: sizes and looks.
        fewest: how many scenes a split must have.

    Raises:
        InvalidInputError: a split's share is smaller than that.
    """
    parts = list[Scenes]()
    shares = division.train, division.valid, division.test
    for split, share in zip(SPLITS, shares, strict=True):
        own = round(count * share)
        require(
            own >= fewest,
            f"count={count} leaves {own} scene(s) to the {split} split; at least {fewest} "
            "must be there",
        )
        parts.append(compose_scenes(division.seed, own, split, looks))
    return parts
