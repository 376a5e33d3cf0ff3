"""The two photographs that come with scikit-learn, a part of them for each split.

Source: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_sample_images.html
"""

import functools
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from jaxloss.errors import unknown_name

PhotographSplit = Literal["train", "valid", "test"]

SPLITS: dict[PhotographSplit, tuple[float, float]] = {
    "train": (0.0, 0.6),
    "valid": (0.6, 0.8),
    "test": (0.8, 1.0),
}
"""From where to where each split's strip of a photograph reaches, in its widths. No pixel is in two
splits (*assumed*)."""


def photographs(split: PhotographSplit) -> tuple[Float[np.ndarray, "height width 3"], ...]:
    """Loads a split's strip of the photographs, a Chinese temple and a flower.

    Args:
        split: one of `SPLITS`.

    Returns:
        Images 427 pixels high, red, green and blue between 0 and 1. They are shared: do not write.

    Raises:
        InvalidInputError: there is no such split.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    low, high = SPLITS[split]
    return tuple(
        image[:, round(low * image.shape[1]) : round(high * image.shape[1])] for image in _whole()
    )


@functools.cache
def _whole() -> tuple[Float[np.ndarray, "height width 3"], ...]:
    from sklearn.datasets import load_sample_images

    # scikit-learn gives a Bunch without types.
    loaded: Any = load_sample_images()
    images = tuple(image.astype(np.float32) / 255 for image in loaded.images)
    for image in images:
        image.setflags(write=False)
    return images
