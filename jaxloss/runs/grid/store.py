"""The finished cells of a comparison on disk, one file each: none is ever run twice.

A file ``cells/*.jsonl`` holds many, one in each line: the cells of another comparison, perhaps from
another machine.
"""

import contextlib
import fcntl
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxloss.errors import InvalidInputError
from jaxloss.runs.folder import write_atomically, write_json
from jaxloss.runs.grid.cells import CellResult, Identity, identity_digest, search_digest
from jaxloss.runs.settings import task_stem

FORMAT = 1
"""Version of the files."""

_LOCK = ".lock"
_VALUES = ("test", "valid", "tuned_test", "tuned_valid")
_COUNTS = ("training_steps", "tuning_steps")


class StoredCells(NamedTuple):
    """What a folder holds.

    Attributes:
        results: by the digest of the cell's identity.
        identities: by the same digest.
        troubles: a sentence for each file that could not be used.
    """

    results: dict[str, CellResult]
    identities: dict[str, Identity]
    troubles: tuple[str, ...]


class Reuse(NamedTuple):
    """Which of the cells that are asked for are there.

    Attributes:
        results: one for each identity, in order; None where the cell has to be run.
        searches: for each of those, what came of a cell with the same search, judged otherwise;
            None where the search has to be run too.
        troubles: a sentence for each file that could not be used.
    """

    results: tuple[CellResult | None, ...]
    searches: tuple[CellResult | None, ...]
    troubles: tuple[str, ...]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Takes the folder of a comparison for this process, and makes it if need be.

    The lock is the operating system's: it ends with the process, however that ends.

    Raises:
        InvalidInputError: another process works in it, or it cannot be written.
    """
    try:
        (folder / "cells").mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("w")
    except OSError as error:
        raise InvalidInputError(f"{folder} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidInputError(f"another process is running in {folder}") from error
        yield folder


def cell_path(folder: Path, identity: Identity) -> Path:
    """Names the file of a cell, ``cells/evomal-digits-mlp-50-50-seed3-0123456789ab.json``.

    The end is the beginning of the identity's digest: another identity has another file.
    """
    task = str(identity["task"])
    parts = (
        identity["row"],
        task_stem(task),
        identity.get("problem", {}).get("model", ""),
        f"seed{identity['seed']}",
    )
    safe = [re.sub(r"[^A-Za-z0-9_]+", "-", str(part))[:40].strip("-") for part in parts]
    name = "-".join([*filter(None, safe), identity_digest(identity)[:12]])
    return folder / "cells" / f"{name}.json"


def write_cell(
    folder: Path, identity: Identity, result: CellResult, made_with: Mapping[str, Any]
) -> Path:
    """Writes a finished cell; whoever reads the file finds all of it or none.

    Args:
        folder: of the comparison.
        identity: all that decides what came of the cell.
        result: what came of it. Numbers that are not finite count as failed trainings.
        made_with: versions and device, for people; it does not decide whether a cell is used again.
    """
    data = result._asdict()
    for name in _VALUES:
        data[name] = [_finite(value) for value in data[name]]
    path = cell_path(folder, identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            "format": FORMAT,
            "digest": identity_digest(identity),
            "identity": identity,
            "result": data,
            "made_with": dict(made_with),
        },
    )
    return path


def load_cells(folder: Path) -> StoredCells:
    """Reads all finished cells; a file that is damaged or foreign is reported and left alone."""
    results: dict[str, CellResult] = {}
    identities: dict[str, Identity] = {}
    troubles: list[str] = []
    for where, text in _texts(folder):
        try:
            identity, result = _read(text)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            troubles.append(f"{where} holds no finished cell and is not used ({reason})")
            continue
        digest = identity_digest(identity)
        results[digest], identities[digest] = result, identity
    return StoredCells(results, identities, tuple(troubles))


def pack_cells(folder: Path) -> Path:
    """Writes all finished cells of a comparison to one file, ``cells.jsonl``, one in each line.

    Put into the folder ``cells`` of another comparison, it spares that one these cells.
    """
    lines: dict[str, str] = {}
    for _, text in _texts(folder):
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            _read(text)
            data = json.loads(text)
            lines[data["digest"]] = json.dumps(data, allow_nan=False)
    path = folder / "cells.jsonl"
    write_atomically(path, "".join(lines[digest] + "\n" for digest in sorted(lines)))
    return path


def find_cells(folder: Path, identities: Iterable[Identity]) -> Reuse:
    """Finds which cells need not be run again: those whose whole identity is the same."""
    stored, asked = load_cells(folder), list(identities)
    found = tuple(stored.results.get(identity_digest(identity)) for identity in asked)
    learned = {
        search_digest(identity): stored.results[digest]
        for digest, identity in stored.identities.items()
        if identity.get("learned") and stored.results[digest].loss is not None
    }
    searches = tuple(
        learned.get(search_digest(identity)) if result is None else None
        for identity, result in zip(asked, found, strict=True)
    )
    return Reuse(found, searches, stored.troubles)


def _texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Finds the text of each cell and says where it stands; single files come last and count."""
    for path in sorted((folder / "cells").glob("*.jsonl")):
        for number, line in enumerate(_bytes(path).splitlines(), 1):
            yield f"line {number} of {path}", line
    for path in sorted((folder / "cells").glob("*.json")):
        yield str(path), _bytes(path)


def _bytes(path: Path) -> bytes:
    """Reads a file; what cannot be read holds nothing, which is reported like any damage."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _read(text: bytes) -> tuple[Identity, CellResult]:
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"expected format {FORMAT}")
    identity = data["identity"]
    if not isinstance(identity, dict) or identity_digest(identity) != data["digest"]:
        raise ValueError("its identity is not the one that it was written with")
    return identity, _result(data["result"])


def _result(data: Any) -> CellResult:
    if not isinstance(data, dict) or set(data) != set(CellResult._fields):
        raise ValueError("its result has other fields")
    values: dict[str, Any] = {name: tuple(map(_checked, data[name])) for name in _VALUES}
    result = CellResult(**(data | values))
    sound = (
        all(isinstance(getattr(result, name), int) for name in _COUNTS)
        and isinstance(result.formula, str)
        and _finite(result.seconds) is not None
        and isinstance(result.note, str | None)
        and isinstance(result.loss, dict | None)
        and isinstance(result.tuned_training, dict | None)
    )
    if not sound:
        raise ValueError("its result has values of other types")
    return result


def _checked(value: Any) -> float | None:
    if value is not None and _finite(value) is None:
        raise ValueError(f"{value!r} is no value of a metric")
    return value


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    return float(value) if math.isfinite(value) else None
