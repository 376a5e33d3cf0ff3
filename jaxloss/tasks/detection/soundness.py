"""What annotations must be, so that a detector can learn from them."""

from collections.abc import Sequence

import numpy as np

from jaxloss.errors import require
from jaxloss.tasks.detection.cells import Annotations


def require_fitting(split: str, objects: Annotations, images: int, classes: int) -> None:
    """Refuses annotations of other images, or of classes that there are not.

    Raises:
        InvalidInputError: says what does not fit.
    """
    shape = np.shape(objects.classes)
    require(
        len(shape) == 2 and shape[0] == images and np.shape(objects.boxes) == (*shape, 4),
        f"{split}: expected classes [{images}, objects] and boxes [{images}, objects, 4], got "
        f"shapes {shape} and {np.shape(objects.boxes)}",
    )
    most = int(np.max(objects.classes, initial=-1))
    require(
        most < classes,
        f"{split}: a class number is {most}; expected 0 to {classes - 1}, or less than 0 for none",
    )


def require_sound(split: str, objects: Annotations, side: float) -> None:
    """Refuses boxes without area and boxes outside of their image.

    Args:
        split: where they are, for the messages.
        objects: the annotations.
        side: pixels of an image's side.

    Raises:
        InvalidInputError: says which box of which image is wrong.
    """
    for image, number in np.argwhere(objects.classes >= 0).tolist():
        box = objects.boxes[image, number]
        where = f"{split}: box {number + 1} of image {image}, {_written(box)},"
        require(bool(np.all(np.isfinite(box))), f"{where} is not finite")
        require(bool(np.all(box[2:] > box[:2])), f"{where} has no area; expected x1 < x2, y1 < y2")
        require(
            bool(np.all(box >= 0) and np.all(box <= side)),
            f"{where} lies outside of the image of {side:g}x{side:g} pixels",
        )


def _written(box: np.ndarray) -> str:
    return "(" + ", ".join(f"{number:g}" for number in box) + ")"


def require_examples(split: str, objects: Annotations, names: Sequence[str]) -> None:
    """Refuses a split that shows no example of a class.

    Raises:
        InvalidInputError: names the class.
    """
    for number, name in enumerate(names):
        require(
            bool(np.any(objects.classes == number)),
            f"class {name!r} is empty in the {split} split: no image shows one; add images, remove "
            "the class, or change the fractions",
        )
