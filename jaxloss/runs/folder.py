"""The run folder: which files it holds, who may write there, and how files are written."""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxloss.errors import InvalidInputError, require
from jaxloss.runs.processes import is_first
from jaxloss.runs.settings import RunSettings, require_same, settings_data
from jaxloss.tasks.task import Split, Task

_LOCK = ".lock"
_TEMPORARY = ".partial"


class RunFolder:
    """Paths of a run's files.

    Attributes:
        path: the folder itself.
    """

    def __init__(self, path: Path):
        self.path = path
        self.settings = path / "settings.json"
        self.generations = path / "generations.jsonl"
        self.checkpoints = path / "checkpoints"
        self.loss = path / "loss.json"
        self.front = path / "front.json"
        self.results = path / "results.json"
        self.pictures = path / "pictures"
        self.report = path / "report.html"
        self.report_text = path / "report.md"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file so that whoever reads it, at whatever moment, finds the old or the new one."""
    partial = path.with_name(path.name + _TEMPORARY)
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)


def write_json(path: Path, data: Any) -> None:
    """Writes JSON that a person can read."""
    write_atomically(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def require_other_file(path: Path, read: Sequence[str]) -> None:
    """Refuses a folder, or what a command reads, as the file that it writes.

    Args:
        path: what ``--out`` names.
        read: what the command reads; only the files among it count.

    Raises:
        InvalidInputError: says which of the two it is.
    """
    require(not path.is_dir(), f"{path} is a folder; name a file with --out")
    known = path.exists() and any(os.path.isfile(one) and path.samefile(one) for one in read)
    require(not known, f"{path} is the loss itself; name another file with --out")


def check_folder(settings: RunSettings) -> None:
    """Refuses a folder that the run may not use; changes nothing.

    Raises:
        InvalidInputError: without ``resume``, the folder has something in it; with ``resume``, it
            has no run, or one with other settings.
    """
    folder = RunFolder(settings.folder)
    require(
        folder.path.is_dir() or not folder.path.exists(),
        f"{folder.path} is a file; name a folder with --out",
    )
    names = _names(folder.path)
    if not settings.resume:
        require(
            not set(names) - {_LOCK},
            f"{folder.path} is not empty; go on with the run in it with --resume, "
            "or name another folder with --out",
        )
        return
    require(bool(names), f"{folder.path} holds no run to resume; start one without --resume")
    if folder.settings.exists():
        saved = _saved(folder)
        require_same(saved["settings"], _comparable(settings), folder.path)
        return
    # A run that was killed before it wrote its settings leaves nothing but these.
    foreign = [name for name in names if name != _LOCK and not name.endswith(_TEMPORARY)]
    require(
        not foreign,
        f"{folder.path} holds no run to resume (settings.json is missing); "
        "name another folder with --out",
    )


@contextlib.contextmanager
def open_folder(settings: RunSettings, tasks: Sequence[Task]) -> Iterator[RunFolder]:
    """Takes a folder for one run and writes its settings.

    The lock is the operating system's: it ends with the process, however that ends. Where several
    processes share the run, the first alone touches the folder; the others get its paths.

    Raises:
        InvalidInputError: `check_folder` refuses it, another process runs in it, it cannot be
            written, or the data of the run in it were others.
    """
    folder = RunFolder(settings.folder)
    if not is_first():
        yield folder
        return
    check_folder(settings)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = (folder.path / _LOCK).open("w")
    except OSError as error:
        raise InvalidInputError(f"{folder.path} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidInputError(f"another process is running in {folder.path}") from error
        # Once more: another process may have begun between the check and the lock.
        check_folder(settings)
        fingerprint = data_fingerprint(tasks)
        if folder.settings.exists():
            require(
                _saved(folder)["data"] == fingerprint,
                f"the data of {settings.task!r} are not those that the run in {folder.path} "
                "began with; name another folder with --out",
            )
        else:
            write_json(folder.settings, {"settings": _comparable(settings), "data": fingerprint})
        yield folder


def data_fingerprint(tasks: Sequence[Task]) -> str:
    """Digests the three splits of each task, so that changed data are noticed."""
    digest = hashlib.sha256()
    for part in [part for task in tasks for split in _splits(task) for part in split]:
        array = np.ascontiguousarray(part)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _splits(task: Task) -> tuple[Split, Split, Split]:
    return task.train, task.valid, task.test


def _names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def _comparable(settings: RunSettings) -> dict[str, Any]:
    return json.loads(json.dumps(settings_data(settings)))


def _saved(folder: RunFolder) -> dict[str, Any]:
    try:
        saved = json.loads(folder.settings.read_text())
        if not isinstance(saved["settings"], dict) or not isinstance(saved["data"], str):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{folder.settings} cannot be read; name another folder with --out"
        ) from error
    return saved
