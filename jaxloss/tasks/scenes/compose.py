"""Composes scenes: a piece of a photograph, and objects with the texture of the other one."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxloss.errors import require
from jaxloss.tasks.scenes.photographs import SPLITS, PhotographSplit, photographs
from jaxloss.tasks.scenes.silhouettes import SILHOUETTES

_TRIES = 50
"""Objects that are tried for a scene before it has fewer than it should (*assumed*)."""
_STRETCH = math.sqrt(1.5)
"""How many times its height an object is wide, or the other way round, at most (*assumed*)."""


@dataclass(frozen=True)
class SceneSettings:
    """What scenes look like; all *assumed*.

    Raises:
        InvalidInputError: a number is out of range.
    """

    side: int = 32
    """Pixels of the square scene."""
    objects: tuple[int, int] = (1, 3)
    """Fewest and most objects of a scene; where there is no room for more, a scene has fewer."""
    radii: tuple[float, float] = (0.12, 0.28)
    """Smallest and largest circle around an object, in sides of the scene."""
    tint: tuple[float, float] = (0.2, 0.7)
    """How much of an object's texture is one colour, which makes it stand out: 0 to 1."""
    visible: float = 0.7
    """Part of each object that those in front of it leave to be seen, at least."""

    def __post_init__(self) -> None:
        require(8 <= self.side <= 96, f"side must be 8 to 96 pixels, got {self.side}")
        fewest, most = self.objects
        require(
            1 <= fewest <= most, f"objects must be two rising numbers from 1, got {fewest, most}"
        )
        low, high = self.radii
        require(
            1.5 / self.side <= low <= high <= 0.5,
            f"radii must be two rising numbers from {1.5 / self.side:.3g} (1.5 pixels) to 0.5, "
            f"got {low, high}",
        )
        low, high = self.tint
        require(
            0 <= low <= high <= 1, f"tint must be two rising numbers from 0 to 1, got {low, high}"
        )
        require(0 < self.visible <= 1, f"visible must be above 0, at most 1, got {self.visible}")


class Scenes(NamedTuple):
    """Images, and all that is known of the objects in them.

    Attributes:
        images: red, green and blue between 0 and 1.
        owners: which object of the scene a pixel shows, counted from 0; -1 for none.
        classes: numbers in `SILHOUETTES`; -1 where a scene has fewer objects than others.
        boxes: ``x1, y1, x2, y2`` of what is to be seen of each object, in pixels, where a pixel
            reaches from its number to the next; all 0 where there is no object.
    """

    images: Float[np.ndarray, "scenes side side 3"]
    owners: Int[np.ndarray, "scenes side side"]
    classes: Int[np.ndarray, "scenes objects"]
    boxes: Float[np.ndarray, "scenes objects 4"]

    @property
    def masks(self) -> Bool[np.ndarray, "scenes side side"]:
        """Where any object is to be seen."""
        return self.owners >= 0


def compose_scenes(
    seed: int, count: int, split: PhotographSplit, settings: SceneSettings | None = None
) -> Scenes:
    """Composes scenes of one split from its part of the photographs.

    Args:
        seed: draws everything, together with the split; equal seeds give equal scenes, whatever
            their number, and a longer series starts with the shorter one.
        count: how many scenes.
        split: whose part of the photographs is used; each split also draws its own objects.
        settings: sizes and looks.

    Raises:
        InvalidInputError: the number is below 1 or there is no such split.
    """
    require(count >= 1, f"expected 1 scene or more, got {count}")
    settings = settings or SceneSettings()
    photos = photographs(split)
    place = list(SPLITS).index(split)
    drawn = [
        _scene(np.random.default_rng([seed, number, place]), photos, settings)
        for number in range(count)
    ]
    return Scenes(*(np.stack(part) for part in zip(*drawn, strict=True)))


def _scene(
    generator: np.random.Generator, photos: tuple[np.ndarray, ...], settings: SceneSettings
) -> tuple[np.ndarray, ...]:
    side, most = settings.side, settings.objects[1]
    ground = int(generator.integers(len(photos)))
    image = _patch(generator, photos[ground], side)
    owners = np.full((side, side), -1, np.int32)
    classes: list[int] = []
    areas: list[int] = []
    wanted = int(generator.integers(settings.objects[0], most + 1))
    for _ in range(_TRIES):
        if len(classes) == wanted:
            break
        kind = int(generator.integers(len(SILHOUETTES)))
        inside = _outline(generator, kind, settings)
        covered = np.where(inside, len(classes), owners)
        seen = [int(np.sum(covered == number)) for number in range(len(areas))]
        if any(left < settings.visible * area for left, area in zip(seen, areas, strict=True)):
            continue
        texture = _patch(generator, photos[(ground + 1) % len(photos)], side)
        tint = generator.uniform(*settings.tint)
        texture = (1 - tint) * texture + tint * generator.uniform(0, 1, 3)
        image = np.where(inside[..., None], texture, image)
        owners = covered
        classes.append(kind)
        areas.append(int(np.sum(inside)))
    boxes = np.zeros((most, 4), np.float32)
    for number in range(len(classes)):
        rows, columns = np.nonzero(owners == number)
        boxes[number] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    padded = np.array(classes + [-1] * (most - len(classes)), np.int32)
    return image.astype(np.float32), owners, padded, boxes


def _patch(
    generator: np.random.Generator, photo: Float[np.ndarray, "height width 3"], side: int
) -> Float[np.ndarray, "side side 3"]:
    """Cuts a square out of a photograph, at once or twice its resolution, perhaps mirrored."""
    height, width, _ = photo.shape
    step = int(generator.integers(1, 1 + min(2, (min(height, width) - 1) // side)))
    top = int(generator.integers(height - step * side + 1))
    left = int(generator.integers(width - step * side + 1))
    # Two pixels each way become one by their mean.
    cut = photo[top : top + step * side, left : left + step * side]
    patch = cut.reshape(side, step, side, step, 3).mean(axis=(1, 3))
    return patch[:, ::-1] if generator.integers(2) else patch


def _outline(
    generator: np.random.Generator, kind: int, settings: SceneSettings
) -> Bool[np.ndarray, "side side"]:
    """Draws place, size, turn and stretch of an object that lies whole in the scene."""
    side = settings.side
    radius = side * np.exp(generator.uniform(*np.log(settings.radii)))
    stretch = np.exp(generator.uniform(-1, 1) * math.log(_STRETCH))
    angle = generator.uniform(0, 2 * math.pi)
    x, y = generator.uniform(radius, side - radius, 2)
    middle = np.arange(side) + 0.5
    across, down = np.meshgrid(middle - x, middle - y)
    along = across * math.cos(angle) + down * math.sin(angle)
    beside = down * math.cos(angle) - across * math.sin(angle)
    # The longer way reaches the circle, so that a stretched object still lies inside of it.
    shorter = radius * min(stretch, 1 / stretch)
    wide, high = (radius, shorter) if stretch < 1 else (shorter, radius)
    outline = list(SILHOUETTES.values())[kind]
    return outline(along / wide, beside / high)
