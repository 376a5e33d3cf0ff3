"""Scenes with objects whose masks, boxes and classes are known, pasted into photographs."""

from jaxloss.tasks.scenes.compose import Scenes, SceneSettings, compose_scenes
from jaxloss.tasks.scenes.photographs import SPLITS, photographs
from jaxloss.tasks.scenes.silhouettes import SILHOUETTES
from jaxloss.tasks.scenes.splits import compose_splits

__all__ = [
    "SILHOUETTES",
    "SPLITS",
    "SceneSettings",
    "Scenes",
    "compose_scenes",
    "compose_splits",
    "photographs",
]
