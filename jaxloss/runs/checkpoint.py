"""Orbax behind three functions: save a search's state, find the newest sound one, clear up."""

import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jaxloss.errors import InvalidInputError
from jaxloss.runs.folder import write_json
from jaxloss.runs.processes import from_first, require_agreement

KEPT = 3
"""How many checkpoints stay; the older ones are there in case the newest is damaged."""

_LIST = ".sha256.json"


def save(folder: Path, generation: int, state: PyTree) -> None:
    """Saves a state under the number of generations it has behind it.

    Orbax writes into a temporary folder and renames it; then the digests of its files are written
    beside it in the same way. A checkpoint counts once they are there. Older checkpoints beyond
    `KEPT` are removed, and any with a later number too: they are what a resumed run is about to
    write anew.

    Args:
        folder: of all checkpoints.
        generation: how many generations the state has behind it.
        state: a pytree of arrays; keys of ``jax.random`` may be among them.
    """
    path = folder / f"{generation:06d}"
    _remove(path)
    # Orbax refuses arrays without elements; `restore` knows them from the structure.
    filled = {name: array for name, array in _arrays(state).items() if array.size}
    _checkpointer().save(path.absolute(), filled)
    write_json(_list_of(path), _digests(path))
    numbered = _numbered(folder)
    for number, old in numbered.items():
        if number > generation or number in sorted(numbered)[:-KEPT]:
            _remove(old)


def restore(
    folder: Path, like: PyTree, damaged: Callable[[Path], None]
) -> tuple[int, PyTree] | None:
    """Reads the newest checkpoint that is sound.

    Args:
        folder: of all checkpoints; what a killed process left half written is removed from it.
        like: a state of the same structure, for instance a fresh one.
        damaged: is told of each checkpoint that is passed over.

    Returns:
        The number of generations and the state; None if no checkpoint was ever finished.

    Raises:
        InvalidInputError: there are checkpoints and all are damaged.
    """
    numbered = _numbered(folder)
    for path in folder.iterdir():
        if path.is_dir() and path not in numbered.values():
            shutil.rmtree(path, ignore_errors=True)
    for number in sorted(numbered, reverse=True):
        state = _read(numbered[number], like)
        if state is not None:
            return number, state
        damaged(numbered[number])
    if numbered:
        raise InvalidInputError(
            f"all checkpoints in {folder} are damaged; start anew in another folder with --out"
        )
    return None


def shared(generation: int, state: PyTree) -> tuple[int, PyTree]:
    """Gives every process what the first one has restored; the others' state is but a pattern."""
    if jax.process_count() == 1:
        return generation, state
    number = from_first({"generation": np.array(generation, np.int32)})["generation"]
    return int(number), _rebuilt(from_first(_arrays(state)), state)


def require_same_state(state: PyTree) -> None:
    """Makes sure that all processes have come to the same state.

    Raises:
        InvalidInputError: they have not, and would go different ways from here.
    """
    require_agreement(
        "the results",
        lambda: b"".join(array.tobytes() for array in _arrays(state).values()),
    )


def _read(path: Path, like: PyTree) -> PyTree | None:
    """Reads one checkpoint; None if it is not what `save` wrote.

    The files are compared with their digests first: orbax never meets a damaged one.
    """
    expected = _arrays(like)
    try:
        if json.loads(_list_of(path).read_text()) != _digests(path):
            return None
        found = _checkpointer().restore(path.absolute())
        arrays = {
            name: np.asarray(found[name], array.dtype).reshape(array.shape) if array.size else array
            for name, array in expected.items()
        }
    # A list that is no JSON, a file that cannot be read, a state of another structure.
    except (OSError, ValueError, KeyError):
        return None
    return _rebuilt(arrays, like)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _arrays(state: PyTree) -> dict[str, np.ndarray]:
    """Names every leaf by its place in the state. Keys become their numbers."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(
            jax.random.key_data(leaf) if _is_key(leaf) else leaf
        )
        for path, leaf in leaves
    }


def _rebuilt(arrays: dict[str, np.ndarray], like: PyTree) -> PyTree:
    def leaf(array: np.ndarray, old: Any) -> Any:
        if _is_key(old):
            return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(old))
        return array[()] if isinstance(old, np.generic) else array

    structure = jax.tree.structure(like)
    leaves = [leaf(*pair) for pair in zip(arrays.values(), jax.tree.leaves(like), strict=True)]
    return jax.tree.unflatten(structure, leaves)


def _digests(path: Path) -> dict[str, str]:
    return {
        file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def _list_of(path: Path) -> Path:
    return path.with_name(path.name + _LIST)


def _numbered(folder: Path) -> dict[int, Path]:
    """Finds the finished checkpoints: those whose list of digests is there."""
    lists = [file for file in folder.glob(f"*{_LIST}") if file.name.removesuffix(_LIST).isdecimal()]
    paths = [folder / file.name.removesuffix(_LIST) for file in lists]
    return {int(path.name): path for path in paths}


def _remove(path: Path) -> None:
    # The list goes first: without it, what is left of the folder is no checkpoint.
    _list_of(path).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _checkpointer() -> Any:
    # Orbax takes a quarter of a second to import; the command line is there before it.
    from orbax.checkpoint import Checkpointer, PyTreeCheckpointHandler
    from orbax.checkpoint.options import MultiprocessingOptions

    # One process alone saves; by default, orbax would wait for all others to join in.
    own = jax.process_index()
    options = MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process{own}"
    )
    handler = PyTreeCheckpointHandler(use_ocdbt=True, multiprocessing_options=options)
    return Checkpointer(handler, multiprocessing_options=options)
