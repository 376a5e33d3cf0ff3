"""Finds problems of detection by the short text that a person writes for them."""

from typing import Any

import numpy as np

from jaxloss.tasks.detection.cells import Annotations
from jaxloss.tasks.detection.coco import LabelledImages, read_coco
from jaxloss.tasks.detection.task import DetectionSettings, DetectionTask, detection_task
from jaxloss.tasks.families import OWN_NETWORKS
from jaxloss.tasks.options import (
    ROW_SETTINGS,
    SCENES,
    read_options,
    require_scenes_or_folder,
    require_side,
    require_usual,
)
from jaxloss.tasks.scenes import SILHOUETTES, SceneSettings, compose_splits
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.splitting import split_rows

COUNT = 160
"""Generated images of all splits together (*assumed*)."""

RADII = (0.18, 0.34)
"""Smallest and largest circle around an object, in sides of the image (*assumed*): larger than in
scenes by default, so that a few pixels show the outline, which tells the classes apart."""

SCENE_SIDES = (9, 96)
"""Smallest and largest side of scenes in pixels: their smallest circle has a radius of 1.5 pixels
at least (`jaxloss.tasks.scenes.SceneSettings`)."""

TINT = (0.6, 0.95)
"""How much of an object's texture is one colour (*assumed*): it stands out more, for a network of a
few thousand parameters."""

_NUMBERS = ("side", "stride")
_OPTIONS = (*_NUMBERS, "branch", "class_loss", "box_loss")


def load_detection(text: str, settings: TaskSettings) -> DetectionTask:
    """Makes the task that is called ``detection:TEXT``.

    Args:
        text: ``scenes`` or the path of a folder in COCO's layout, perhaps with options:
            ``scenes:side=48:count=300:branch=class``.
        settings: network (the small detector unless another is named), metric, usual loss and
            splits; the split seed also draws the scenes.

    Raises:
        InvalidInputError: there are no such data, an option is unknown or does not fit, or the
            data cannot be used, and why.
    """
    name, count, options = _read(text)
    task = f"detection:{name} finds objects in images"
    require_usual(settings, ROW_SETTINGS, task, "rows with a target")
    own = DetectionSettings(**options)
    if name == SCENES:
        parts, classes = _composed(own.side, count, settings), tuple(SILHOUETTES)
    else:
        parts, classes = _recorded(name, own.side, settings)
    return detection_task(
        f"detection:{text}",
        [part.images for part in parts],
        [part.annotations for part in parts],
        classes,
        settings=own,
        model=settings.network(OWN_NETWORKS["detection"]),
        metric=settings.metric,
        direction=settings.metric_direction,
        task_loss=settings.task_loss,
    )


def _read(text: str) -> tuple[str, int, dict[str, Any]]:
    name, *words = text.split(":")
    require_scenes_or_folder("detection", name)
    known = _OPTIONS if name != SCENES else ("count", *_OPTIONS)
    options = read_options(f"detection:{name}", words, known, ("count", *_NUMBERS))
    return name, options.pop("count", COUNT), options


def _composed(side: int, count: int, settings: TaskSettings) -> list[LabelledImages]:
    require_side(side, SCENE_SIDES)
    looks = SceneSettings(side=side, radii=RADII, tint=TINT)
    return [
        LabelledImages(scenes.images, Annotations(scenes.classes, scenes.boxes))
        for scenes in compose_splits(count, settings.split_settings(), looks)
    ]


def _recorded(
    path: str, side: int, settings: TaskSettings
) -> tuple[list[LabelledImages], tuple[str, ...]]:
    """Reads a folder and divides it; its second set, where there is one, is the test split."""
    first, second, classes = read_coco(path, side)
    chosen = split_rows(None, len(first.images), settings.split_settings(), (), second is not None)
    parts = [_taken(first, rows) for rows in chosen]
    if second is not None:
        parts[2:] = [second]
    most = max(part.annotations.classes.shape[1] for part in parts)
    return [_padded(part, most) for part in parts], classes


def _taken(images: LabelledImages, rows: np.ndarray) -> LabelledImages:
    objects = Annotations(*(part[rows] for part in images.annotations))
    return LabelledImages(images.images[rows], objects)


def _padded(images: LabelledImages, most: int) -> LabelledImages:
    classes, boxes = images.annotations
    missing = most - classes.shape[1]
    classes = np.pad(classes, ((0, 0), (0, missing)), constant_values=-1)
    boxes = np.pad(boxes, ((0, 0), (0, missing), (0, 0)))
    return images._replace(annotations=Annotations(classes, boxes))
