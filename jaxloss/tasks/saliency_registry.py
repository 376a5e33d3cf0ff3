"""Finds problems of salient objects by the short text that a person writes for them."""

from typing import Any

import numpy as np

from jaxloss.tasks.families import OWN_NETWORKS
from jaxloss.tasks.mask_folders import MaskedImages, read_masks
from jaxloss.tasks.options import (
    ROW_SETTINGS,
    SCENES,
    read_options,
    require_scenes_or_folder,
    require_side,
    require_usual,
)
from jaxloss.tasks.saliency import FEWEST, SaliencyTask, saliency_task
from jaxloss.tasks.scenes import SceneSettings, compose_splits
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.splitting import split_rows

COUNT = 50
"""Generated scenes of all splits together (*assumed*): few, so that a search takes minutes."""

SIDE = 24
"""Pixels of the square images (*assumed*)."""

SIDES = (16, 224)
"""Smallest and largest side of images of a folder (*assumed*)."""

SCENE_SIDES = (16, 96)
"""The same of scenes, whose smallest objects would else be dots."""


def load_saliency_task(text: str, settings: TaskSettings) -> SaliencyTask:
    """Makes the task that is called ``saliency:TEXT``.

    Args:
        text: ``scenes`` or the path of a folder in DUTS's layout, perhaps with options:
            ``scenes:side=48:count=300``, ``DIR/duts:side=64``.
        settings: network (``fcn`` unless another is named), metric, usual loss and splits; the
            split seed also draws the scenes.

    Raises:
        InvalidInputError: there are no such data, an option is unknown or does not fit, or the
            data cannot be used, and why.
    """
    name, options = _read(text)
    asks = f"saliency:{name} asks which pixels are of an object"
    require_usual(settings, ROW_SETTINGS, asks, "rows with a target")
    side = options.get("side", SIDE)
    if name == SCENES:
        parts = _composed(side, options.get("count", COUNT), settings)
    else:
        parts = _recorded(name, side, settings)
    return saliency_task(
        f"saliency:{text}",
        [part.images for part in parts],
        [part.masks for part in parts],
        model=settings.network(OWN_NETWORKS["saliency"]),
        metric=settings.metric,
        direction=settings.metric_direction,
        task_loss=settings.task_loss,
    )


def _read(text: str) -> tuple[str, dict[str, Any]]:
    name, *words = text.split(":")
    require_scenes_or_folder("saliency", name)
    known = ("side", "count") if name == SCENES else ("side",)
    return name, read_options(f"saliency:{name}", words, known, known)


def _composed(side: int, count: int, settings: TaskSettings) -> list[MaskedImages]:
    require_side(side, SCENE_SIDES)
    looks = SceneSettings(side=side)
    parts = compose_splits(count, settings.split_settings(), looks, FEWEST)
    return [MaskedImages(scenes.images, scenes.masks.astype(np.float32)) for scenes in parts]


def _recorded(path: str, side: int, settings: TaskSettings) -> list[MaskedImages]:
    """Reads a folder and divides it; its second set, where there is one, is the test split."""
    require_side(side, SIDES)
    first, second = read_masks(path, side)
    chosen = split_rows(None, len(first.images), settings.split_settings(), (), second is not None)
    parts = [MaskedImages(first.images[rows], first.masks[rows]) for rows in chosen]
    if second is not None:
        parts[2:] = [second]
    return parts
