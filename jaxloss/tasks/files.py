"""A person's own data: ``.csv``, ``.parquet`` and ``.npz`` files."""

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num, Shaped

from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.tasks.metrics import Kind
from jaxloss.tasks.preparation import require_finite
from jaxloss.tasks.raw import RawData

SUFFIXES = (".csv", ".parquet", ".npz")
"""The files that can be read."""

MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are values, not classes (*assumed*)."""

ROWS_PER_CLASS = 5
"""Whole numbers with fewer rows than this for each value are values, not classes (*assumed*)."""

_INPUT_NAMES = ("inputs", "x", "X")

_HIDDEN_INDEX = re.compile(r"__index_level_\d+__")
"""How pandas calls an index without a name that it writes to ``.parquet``; it hides the column when
it reads the file again (https://pandas.pydata.org/docs/development/developer.html)."""


def file_data(path: str | Path, target: str | None, kind: Kind | None = None) -> RawData:
    """Reads a table, or arrays, with one column to be predicted.

    Text and booleans are classes. Whole numbers are classes if there are at most 20 different ones
    and at least five rows for each; all other numbers are values. What only names the rows is no
    column: the hidden row index of pandas in ``.parquet`` (``__index_level_0__``), and in ``.csv``
    a first column without a name, as pandas and R write it.

    Args:
        path: a ``.csv`` file whose first line names the columns, a ``.parquet`` file, or an
            ``.npz`` file with the targets and either one array of inputs called ``inputs``, ``x``
            or ``X``, or several columns ``[rows]``.
        target: name of the column or array that is to be predicted.
        kind: what the task is, if the rule above is to be overruled.

    Returns:
        All other columns as inputs ``[rows, columns]`` in the order of the file, and the targets.

    Raises:
        InvalidInputError: there is no such file or target, the file cannot be read, or it has text
            or gaps where numbers are needed; the message names column and row.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path], Mapping[str, np.ndarray]]] = {
        ".csv": _read_table,
        ".parquet": _read_table,
        ".npz": _read_arrays,
    }
    require(
        path.suffix in readers,
        f"unknown kind of file {path.suffix!r} ({path}); valid: {', '.join(SUFFIXES)}",
    )
    require(path.is_file(), _missing_file(path))
    columns = dict(readers[path.suffix](path))
    if target is None or target not in columns:
        reason = "say which one to predict" if target is None else f"none is called {target!r}"
        ordered = list(columns) if target is None else nearest_first(target, columns)
        raise InvalidInputError(f"{path} needs a target: {reason}; columns: {', '.join(ordered)}")
    targets = _checked_target(columns.pop(target), target, kind)
    inputs = _inputs(path, columns)
    require(
        len(inputs) == len(targets),
        f"{path}: inputs have {len(inputs)} rows, target {target!r} has {len(targets)}",
    )
    found = kind or _guessed_kind(targets)
    require(
        found == "regression" or len(set(targets.ravel().tolist())) > 1,
        f"{path}: target column {target!r} holds one class only, '{targets.ravel()[0]}'; "
        "classification needs two classes or more",
    )
    return RawData(path.stem, inputs, targets, found)


def _missing_file(path: Path) -> str:
    folder = path.parent
    beside = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    readable = [name for name in beside if name.endswith(SUFFIXES)]
    nearest = ", ".join(nearest_first(path.name, readable)[:5]) or "no data files"
    return f"no file {path}; in {folder.absolute()}: {nearest}"


def _read_table(path: Path) -> dict[str, np.ndarray]:
    """Reads columns as numpy arrays: numbers, booleans, or objects with None for a gap."""
    import pyarrow as pa

    try:
        table = _arrow_table(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    hidden = [name for name in table.column_names if _HIDDEN_INDEX.fullmatch(name)]
    table = table.drop_columns(hidden)
    if path.suffix == ".csv" and table.column_names[:1] == [""]:
        table = table.remove_column(0)
    names = table.column_names
    require("" not in names, f"{path} has a column without a name; name it or leave it out")
    repeated = sorted({name for name in names if names.count(name) > 1})
    require(not repeated, f"{path} has more than one column called {', '.join(repeated)}")
    require(table.num_rows > 0, f"{path} has a header but no rows")
    columns = {}
    for name, column in zip(names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        whole = pa.types.is_integer(column.type)
        if (whole or pa.types.is_boolean(column.type)) and column.null_count == 0:
            columns[name] = column.to_numpy()
        elif whole or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
            columns[name] = column.cast(pa.float64(), safe=False).to_numpy()
        else:
            columns[name] = np.array([*column.to_pylist(), None], dtype=object)[:-1]
    return columns


def _arrow_table(path: Path) -> Any:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(path)
    from pyarrow import csv

    return csv.read_csv(path)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays; pickled objects are refused, since unpickling runs code."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error


def _checked_target(
    values: np.ndarray, name: str, kind: Kind | None
) -> Shaped[np.ndarray, "rows ..."]:
    """Refuses gaps, and text where values are wanted; a single column becomes a vector."""
    require(
        values.ndim >= 1 and values.size > 0,
        f"target {name!r} needs a value for each row, got an array of shape {values.shape}",
    )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype == object:
        gaps = [row for row, value in enumerate(values) if value is None or value == ""]
        require(not gaps, f"target {name!r} is empty in data row {(gaps or [0])[0] + 1}")
        values = values.astype(str)
    require(
        values.dtype.kind in "USbiuf",
        f"target {name!r} is {values.dtype}; expected numbers, booleans or text",
    )
    is_text = values.dtype.kind in "US"
    require(
        not (is_text and kind == "regression"),
        f"target {name!r} is text (for instance {str(values.flat[0])!r}); regression needs numbers",
    )
    if not is_text:
        require_finite(values, f"target {name!r}")
    return values


def _guessed_kind(targets: Shaped[np.ndarray, "rows ..."]) -> Kind:
    if targets.dtype.kind in "USb":
        return "classification"
    if targets.ndim > 1 or np.any(targets != np.round(targets)):
        return "regression"
    distinct = len(np.unique(targets))
    few = distinct <= MOST_CLASSES and distinct * ROWS_PER_CLASS <= len(targets)
    return "classification" if few else "regression"


def _inputs(path: Path, columns: Mapping[str, np.ndarray]) -> Num[np.ndarray, "rows ..."]:
    require(bool(columns), f"{path} has no columns besides the target")
    named = [name for name in _INPUT_NAMES if name in columns and columns[name].ndim > 1]
    if named:
        require_finite(columns[named[0]], f"inputs {named[0]!r} of {path}")
        return columns[named[0]]
    table = [name for name, values in columns.items() if values.ndim != 1]
    require(
        not table,
        f"{path}: array(s) {', '.join(table)} are no columns; call the array of inputs "
        f"{' or '.join(_INPUT_NAMES)}",
    )
    lengths = {name: len(values) for name, values in columns.items()}
    require(len(set(lengths.values())) == 1, f"{path}: columns differ in length: {lengths}")
    numbers = [_as_numbers(values, name) for name, values in columns.items()]
    inputs = np.stack(numbers, axis=1)
    require_finite(inputs, f"inputs of {path}", list(columns))
    return inputs


def _as_numbers(values: np.ndarray, name: str) -> Num[np.ndarray, " rows"]:
    """Refuses a column of text or gaps, naming the first row that is to blame."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    for row, value in enumerate(values.tolist()):
        try:
            float(value)
        except (TypeError, ValueError) as error:
            empty = value is None or value == ""
            what = "is empty" if empty else f"has {value!r}, which is not a number,"
            raise InvalidInputError(
                f"column {name!r} {what} in data row {row + 1} (counted from 1); remove the "
                "column or row, or write it as numbers"
            ) from error
    return values.astype(np.float64)
