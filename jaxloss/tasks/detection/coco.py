"""Reads folders in COCO's layout (https://cocodataset.org/#format-data).

``annotations/instances_train2017.json`` beside ``train2017/`` and the same of ``val2017``, or one
``.json`` beside ``images/``.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.errors import InvalidInputError, require
from jaxloss.tasks.detection.cells import Annotations

_SETS = ("train2017", "val2017")

_ODD = (KeyError, TypeError, ValueError, AttributeError)
"""What reading entries raises that are not as the format says."""

SLACK = 0.5
"""Pixels that a box may reach beyond the edge of its image, where it is cut off (*assumed*): boxes
that were rounded, or are sums of rounded numbers, do so by less."""


class LabelledImages(NamedTuple):
    """Images of one size, and the objects in them.

    Attributes:
        images: red, green and blue between 0 and 1.
        annotations: the objects, in pixels of these images.
    """

    images: Float[np.ndarray, "images side side 3"]
    annotations: Annotations


class CocoFolder(NamedTuple):
    """What a folder holds.

    Attributes:
        first: the images to train with, or all.
        second: those of ``val2017``, if there are.
        class_names: names of the categories, in the order of their ids.
    """

    first: LabelledImages
    second: LabelledImages | None
    class_names: tuple[str, ...]


def read_coco(path: str | Path, side: int) -> CocoFolder:
    """Reads a folder and brings all images to squares of one side; boxes are scaled alike.

    Crowds (``iscrowd``) are left out, and so are boxes without width or height: COCO's own
    ``train2017`` has two (https://github.com/cocodataset/cocoapi/issues/355).

    Raises:
        InvalidInputError: there is no such folder or layout, a file is missing or broken, or a box
            reaches out of its image by more than half a pixel; says which.
    """
    folder = Path(path)
    require(folder.is_dir(), f"detection:{path}: there is no such folder")
    pairs = [(folder / f"annotations/instances_{name}.json", folder / name) for name in _SETS]
    if pairs[0][0].is_file():
        given = [pair for pair in pairs if pair[0].is_file()]
    else:
        files = sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")])
        require(
            len(files) == 1 and (folder / "images").is_dir(),
            f"detection:{path}: expected annotations/instances_train2017.json beside train2017/, "
            f"or one .json beside images/; found {len(files)} .json",
        )
        given = [(files[0], folder / "images")]
    contents = [_content(file) for file, _ in given]
    categories: dict[int, str] = {}
    for (file, _), content in zip(given, contents, strict=True):
        categories |= _categories(file, content)
    ids = sorted(categories)
    require(bool(ids), f"{given[0][0]} names no categories")
    read = [
        _labelled(file, images, content, ids, side)
        for (file, images), content in zip(given, contents, strict=True)
    ]
    names = tuple(categories[number] for number in ids)
    return CocoFolder(read[0], read[1] if len(read) > 1 else None, names)


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInputError(f"{file} cannot be read: {error}") from error
    wanted = ("images", "annotations", "categories")
    require(
        isinstance(content, dict) and all(isinstance(content.get(key), list) for key in wanted),
        f"{file} is not in COCO's format: expected lists of {', '.join(wanted)}",
    )
    return content


def _categories(file: Path, content: dict[str, Any]) -> dict[int, str]:
    try:
        return {int(one["id"]): str(one["name"]) for one in content["categories"]}
    except _ODD as error:
        raise _no_coco(file, error) from error


def _no_coco(file: Path, error: Exception) -> InvalidInputError:
    return InvalidInputError(f"{file} is not in COCO's format: {error!r}")


def _labelled(
    file: Path, folder: Path, content: dict[str, Any], ids: list[int], side: int
) -> LabelledImages:
    require(bool(content["images"]), f"{file} lists no images")
    try:
        names = {int(one["id"]): str(one["file_name"]) for one in content["images"]}
        found: dict[int, list[tuple[int, list[float]]]] = {image: [] for image in names}
        for one in content["annotations"]:
            if one.get("iscrowd", 0):
                continue
            image, category = int(one["image_id"]), int(one["category_id"])
            box = [float(number) for number in one["bbox"]]
            require(image in names, f"{file}: annotation {one['id']} is of an unknown image")
            require(category in ids, f"{file}: annotation {one['id']} is of an unknown category")
            require(len(box) == 4, f"{file}: annotation {one['id']} has no x, y, width, height")
            if 0 not in box[2:]:
                found[image].append((ids.index(category), box))
    except InvalidInputError:
        raise
    except _ODD as error:
        raise _no_coco(file, error) from error
    missing = [name for name in names.values() if not (folder / name).is_file()]
    require(
        not missing,
        f"{len(missing)} of {len(names)} images of {file} are missing in {folder}, first "
        f"{(missing or [''])[0]!r}",
    )
    most = max(1, *(len(objects) for objects in found.values()))
    classes = np.full((len(names), most), -1, np.int32)
    boxes = np.zeros((len(names), most, 4), np.float32)
    images: list[np.ndarray] = []
    for place, (image, name) in enumerate(names.items()):
        pixels, size = _resized(folder / name, side)
        images.append(pixels)
        for number, (category, box) in enumerate(found[image]):
            where = f"{file}: the box {box} (x, y, width, height) of image {name!r}"
            classes[place, number] = category
            boxes[place, number] = _corners(where, box, size) * side / np.array([*size, *size])
    return LabelledImages(np.stack(images), Annotations(classes, boxes))


def _corners(where: str, box: list[float], size: tuple[int, int]) -> Float[np.ndarray, "4"]:
    """Gives ``x1, y1, x2, y2`` of a box, cut off at the edges of its image."""
    (x, y, wide, high), (width, height) = box, size
    require(wide > 0 and high > 0, f"{where} must have a width and a height above 0")
    corners = np.array([x, y, x + wide, y + high])
    kept = np.clip(corners, 0, [width, height, width, height])
    require(
        bool(np.all(np.abs(corners - kept) <= SLACK) and np.all(kept[2:] > kept[:2])),
        f"{where} lies outside of the image of {width}x{height} pixels",
    )
    return kept


def _resized(file: Path, side: int) -> tuple[Float[np.ndarray, "side side 3"], tuple[int, int]]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            size = image.size
            small = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError) as error:
        raise InvalidInputError(f"{file} is no image that can be read: {error}") from error
    return np.asarray(small, np.float32) / 255, size
