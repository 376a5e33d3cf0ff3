"""Reads folders of images with masks in DUTS's layout (http://saliencydetection.net/duts/).

``DUTS-TR/DUTS-TR-Image/*.jpg`` beside ``DUTS-TR/DUTS-TR-Mask/*.png`` of the same names, and the
same of ``DUTS-TE``, which may be missing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.errors import InvalidInputError, require

_TRAIN, _TEST = "DUTS-TR", "DUTS-TE"
_SUFFIXES = (".jpg", ".jpeg", ".png")

_OBJECT = 0.5
"""The least grey, of 1, that is an object."""


class MaskedImages(NamedTuple):
    """Images of one size, and where their objects are.

    Attributes:
        images: red, green and blue between 0 and 1.
        masks: 1 where an object is, else 0.
    """

    images: Float[np.ndarray, "images side side 3"]
    masks: Float[np.ndarray, "images side side"]


class MaskFolder(NamedTuple):
    """What a folder holds.

    Attributes:
        first: the images of ``DUTS-TR``.
        second: those of ``DUTS-TE``, if there are.
    """

    first: MaskedImages
    second: MaskedImages | None


def read_masks(path: str | Path, side: int) -> MaskFolder:
    """Reads a folder and brings all images to squares of one side.

    Masks are made smaller like images, and a pixel belongs to an object from half of it on.

    Raises:
        InvalidInputError: there is no such folder or layout, an image or mask is missing or cannot
            be read, or the two differ in size; says which.
    """
    folder = Path(path)
    require(folder.is_dir(), f"saliency:{path}: there is no such folder")
    parts = [
        _Part(folder / name / f"{name}-Image", folder / name / f"{name}-Mask")
        for name in (_TRAIN, _TEST)
    ]
    require(
        parts[0].images.is_dir() and parts[0].masks.is_dir(),
        f"saliency:{path}: expected {_TRAIN}/{_TRAIN}-Image beside {_TRAIN}/{_TRAIN}-Mask",
    )
    first = _read(parts[0], side)
    return MaskFolder(first, _read(parts[1], side) if (folder / _TEST).is_dir() else None)


class _Part(NamedTuple):
    images: Path
    masks: Path


def _read(part: _Part, side: int) -> MaskedImages:
    images, masks = _files(part.images), _files(part.masks)
    require(bool(images), f"{part.images} is empty: it holds no .jpg or .png")
    _require_partners(images, masks, part.masks, "mask")
    _require_partners(masks, images, part.images, "image")
    pairs = [_pair(file, masks[name], side) for name, file in images.items()]
    colours, greys = (np.stack(both) for both in zip(*pairs, strict=True))
    brightest = float(np.max(greys))
    require(
        not 0 < brightest < _OBJECT,
        f"{part.masks}: the brightest pixel of all masks is {255 * brightest:.0f}; expected 255 "
        "where an object is",
    )
    return MaskedImages(colours, (greys >= _OBJECT).astype(np.float32))


def _files(folder: Path) -> dict[str, Path]:
    """Lists the pictures of a folder by name without ending, sorted."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [file for file in found if file.suffix.lower() in _SUFFIXES]
    named = {file.stem: file for file in files}
    doubles = [file.name for file in files if named[file.stem] is not file]
    require(
        not doubles,
        f"{folder} has more than one picture of a name, first {(doubles or [''])[0]!r}",
    )
    return named


def _require_partners(
    files: dict[str, Path], partners: dict[str, Path], folder: Path, what: str
) -> None:
    missing: Sequence[str] = [name for name in files if name not in partners]
    require(
        not missing,
        f"{len(missing)} of {len(files)} {what}s are missing in {folder}, first that of "
        f"{files[missing[0]].name if missing else ''!r}",
    )


def _pair(
    image: Path, mask: Path, side: int
) -> tuple[Float[np.ndarray, "side side 3"], Float[np.ndarray, "side side"]]:
    colours, size = _resized(image, "RGB", side)
    grey, other = _resized(mask, "L", side)
    require(
        size == other,
        f"{image} has {size[0]}x{size[1]} pixels and its mask {mask.name} has "
        f"{other[0]}x{other[1]}; expected one size",
    )
    return colours, grey


def _resized(
    file: Path, mode: str, side: int
) -> tuple[Float[np.ndarray, "side side ..."], tuple[int, int]]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            size = image.size
            small = image.convert(mode).resize((side, side), Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError) as error:
        raise InvalidInputError(f"{file} is no image that can be read: {error}") from error
    return np.asarray(small, np.float32) / 255, size
