"""Image classification sets that tensorflow-datasets has prepared on this machine."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Num

from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.tasks.raw import RawData

PREFIX = "tfds:"
"""What a task's text begins with when the rest is the name of such a data set."""


def tfds_data(name: str, data_dir: str | None = None) -> RawData:
    """Reads a data set with images and labels through ``tfds.data_source``.

    Nothing is ever downloaded: the data set must have been prepared. Source:
    https://www.tensorflow.org/datasets/data_source

    Args:
        name: a name of the catalogue (mnist, cifar10, cifar100, svhn_cropped, ...), if need be
            with its configuration: ``"emnist/letters"``.
        data_dir: where data sets are prepared; by default ``~/tensorflow_datasets``.

    Returns:
        Images ``[rows, height, width, channels]`` in their own units (0 to 255) and labels, with
        the data set's own test split if it has one.

    Raises:
        InvalidInputError: there is no such data set, it is not prepared, or it is no set of
            images of one size with one label each.
    """
    # Imported by its name in full: this module is called tfds as well.
    library: Any = importlib.import_module("tensorflow_datasets")
    source = _source(library, name, "train", data_dir)
    features = source.dataset_info.features
    usable = {"image", "label"} <= set(features) and isinstance(
        features["label"], library.features.ClassLabel
    )
    require(
        usable,
        f"{PREFIX}{name} has the features {', '.join(features)}; only sets for image "
        "classification with 'image' and 'label' can be used",
    )
    splits = source.dataset_info.splits
    # A data set without metadata names no splits; then the usual two are taken for granted.
    has_test = not splits or "test" in splits
    test = _arrays(_source(library, name, "test", data_dir), name) if has_test else None
    inputs, targets = _arrays(source, name)
    return RawData(
        f"{PREFIX}{name}", inputs, targets, "classification", tuple(features["label"].names), test
    )


def _source(library: Any, name: str, split: str, data_dir: str | None) -> Any:
    try:
        return library.data_source(name, split=split, data_dir=data_dir, download=False)
    except library.core.DatasetNotFoundError as error:
        known = library.list_builders(with_community_datasets=False)
        raise InvalidInputError(
            f"unknown data set {PREFIX + name!r}; valid, nearest first: "
            f"{', '.join(nearest_first(name, known)[:8])}, ..."
        ) from error
    # Which error says "not prepared" differs from version to version of the library.
    except Exception as error:
        place = "" if data_dir is None else f" --data_dir={data_dir}"
        argument = "" if data_dir is None else f", data_dir={data_dir!r}"
        raise InvalidInputError(
            f"{PREFIX}{name} is not prepared in {data_dir or '~/tensorflow_datasets'} "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}). "
            f"Prepare it once: tfds build {name} --file_format=array_record{place}   or in "
            f"Python: import tensorflow_datasets as tfds; tfds.builder({name!r}{argument}, "
            "file_format='array_record').download_and_prepare()   This needs the network and, "
            "for most data sets, TensorFlow (pip install tensorflow); reading needs neither."
        ) from error


def _arrays(
    source: Sequence[dict[str, Any]], name: str
) -> tuple[Num[np.ndarray, "rows height width channels"], Int[np.ndarray, " rows"]]:
    """Reads all examples of a split into two arrays."""
    images: list[np.ndarray] = []
    labels: list[int] = []
    for position in range(len(source)):
        example = source[position]
        images.append(np.asarray(example["image"]))
        labels.append(int(example["label"]))
        require(
            images[-1].shape == images[0].shape,
            f"{PREFIX}{name} has images of different sizes ({images[0].shape} and "
            f"{images[-1].shape}); only sets with one size can be used",
        )
    require(bool(images), f"{PREFIX}{name} has an empty split")
    return np.stack(images), np.asarray(labels)
