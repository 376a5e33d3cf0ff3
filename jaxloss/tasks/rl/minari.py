"""Recorded episodes in the files of Minari (https://minari.farama.org/content/dataset_standards).

A data set is a folder with ``data/main_data.hdf5``, in which every episode is a group
``episode_NUMBER`` of arrays: ``observations`` (one more than there are steps), ``actions``,
``rewards``, ``terminations`` and ``truncations``.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from jaxloss.errors import InvalidInputError, require
from jaxloss.tasks.rl.steps import Steps

_ARRAYS = ("observations", "actions", "rewards", "terminations")


def load_minari(path: str | Path) -> list[Steps]:
    """Reads the episodes of a data set with vectors for states and numbers for actions.

    Args:
        path: the HDF5 file, or the folder of the data set.

    Returns:
        The episodes in the order of their numbers.

    Raises:
        InvalidInputError: h5py is not installed, there is no such file, it holds no episodes, or
            an episode lacks an array or has one of another shape.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "data" / "main_data.hdf5"
    require(path.is_file(), f"{path} is no file; expected main_data.hdf5 of a Minari data set")
    try:
        h5py: Any = importlib.import_module("h5py")
    except ModuleNotFoundError as error:
        raise InvalidInputError(f"{path} is read with h5py: pip install 'jaxloss[rl]'") from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InvalidInputError(f"{path} is no HDF5 file") from error
    with file:
        names = [name for name in file if name.startswith("episode_")]
        require(len(names) > 0, f"{path} is empty: it holds no group episode_NUMBER")
        names.sort(key=lambda name: (len(name), name))
        return [_episode(file[name], f"{path}, {name}") for name in names]


def _episode(group: Any, where: str) -> Steps:
    for name in _ARRAYS:
        require(
            name in group and hasattr(group[name], "shape"),
            f"{where} lacks the array {name!r}",
        )
    states, actions, rewards, ends = (np.asarray(group[name]) for name in _ARRAYS)
    require(
        actions.ndim == 1 and np.issubdtype(actions.dtype, np.integer),
        f"{where}: actions must be numbers of discrete actions [steps], got shape {actions.shape} "
        f"of {actions.dtype}",
    )
    count = len(actions)
    require(
        states.ndim == 2 and len(states) == count + 1,
        f"{where}: {count} steps need observations of shape [{count + 1}, size], "
        f"got {states.shape}",
    )
    for name, part in (("rewards", rewards), ("terminations", ends)):
        require(part.shape == (count,), f"{where}: expected {count} {name}, got shape {part.shape}")
    return Steps(states, actions, rewards, bool(count and ends[-1]))
