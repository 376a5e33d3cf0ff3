"""Turns raw numpy data into what a network trains on: checked, coded and standardised."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num, Shaped

from jaxloss.errors import InvalidInputError, require

LARGEST = 1e30
"""A greater magnitude could not be squared even in the double precision of the statistics."""


def as_inputs(inputs: Shaped[np.ndarray, "..."]) -> Num[np.ndarray, "rows ..."]:
    """Makes inputs numeric, with at least one axis besides the rows.

    Raises:
        InvalidInputError: they are not numbers or have no axis.
    """
    inputs = np.asarray(inputs)
    if inputs.dtype == bool:
        inputs = inputs.astype(np.int8)
    require(
        np.issubdtype(inputs.dtype, np.integer) or np.issubdtype(inputs.dtype, np.floating),
        f"inputs must be real numbers, got an array of {inputs.dtype}",
    )
    require(inputs.ndim >= 1, "inputs must be an array with one row for each example")
    require(inputs.size > 0, f"inputs are empty: their shape is {inputs.shape}")
    return inputs[:, None] if inputs.ndim == 1 else inputs


def require_finite(
    values: Shaped[np.ndarray, "rows ..."], what: str, columns: Sequence[str] = ()
) -> None:
    """Refuses values that are not finite, or greater than can be squared.

    Args:
        values: what to look through.
        what: how the message calls the values.
        columns: names of the columns, if they have any.

    Raises:
        InvalidInputError: naming the first such value by its row and column, counted from 1.
    """
    if not np.issubdtype(values.dtype, np.floating):
        return
    # NaN compares false, so it is bad as well.
    bad = ~(np.abs(values) <= min(LARGEST, float(np.finfo(values.dtype).max)))
    if not bad.any():
        return
    row, *rest = (int(position) for position in np.argwhere(bad)[0])
    place = f"data row {row + 1}"
    if len(rest) == 1:
        place += f", column {columns[rest[0]]!r}" if columns else f", column {rest[0] + 1}"
    elif rest:
        place += f", position {tuple(position + 1 for position in rest)}"
    raise InvalidInputError(
        f"{what}: {values[(row, *rest)]} in {place} (counted from 1); expected a finite number "
        f"up to {LARGEST:g}: fill in or remove such rows"
    )


def code_classes(
    targets: Shaped[np.ndarray, "rows ..."], class_names: Sequence[str] = ()
) -> tuple[Int[np.ndarray, " rows"], tuple[str, ...]]:
    """Numbers the classes that occur from zero on.

    Args:
        targets: a class for each row: text, or numbers.
        class_names: names of the classes 0, 1, ..., when the targets are such numbers.

    Returns:
        Class numbers in the order of the sorted targets, and the name of each.

    Raises:
        InvalidInputError: targets have a second axis, are not finite, or are all of one class.
    """
    targets = np.asarray(targets)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    require(
        targets.ndim == 1,
        f"classification needs one class for each row, got targets of shape {targets.shape}",
    )
    if np.issubdtype(targets.dtype, np.floating):
        require_finite(targets, "targets")
        if np.all(targets == np.round(targets)):
            require(
                bool(np.all(np.abs(targets) < 2**53)),
                "classes that are whole numbers of 2**53 or more cannot be told apart as "
                f"{targets.dtype}; write them as integers or text",
            )
            targets = targets.astype(int)
    found, classes = np.unique(targets, return_inverse=True)
    if len(found) < 2:
        raise InvalidInputError(
            f"classification needs two classes or more, got only {found.tolist()}"
        )
    if not class_names:
        return classes, tuple(str(value) for value in found)
    require(
        np.issubdtype(found.dtype, np.integer) and found[0] >= 0 and found[-1] < len(class_names),
        f"targets must be class numbers from 0 to {len(class_names) - 1}, got "
        f"{found[0]} to {found[-1]}",
    )
    return classes, tuple(str(class_names[value]) for value in found)


def as_values(
    targets: Shaped[np.ndarray, "rows ..."],
) -> Float[np.ndarray, " rows"] | Float[np.ndarray, "rows outputs"]:
    """Makes regression targets real numbers ``[rows]`` or ``[rows, outputs]``.

    Raises:
        InvalidInputError: they are not numbers, not finite, or of more axes.
    """
    targets = np.asarray(targets)
    require(
        any(np.issubdtype(targets.dtype, kind) for kind in (np.integer, np.floating, np.bool_)),
        f"regression needs targets that are numbers, got {targets.dtype}",
    )
    require(
        targets.ndim in (1, 2),
        f"regression needs targets [rows] or [rows, outputs], got shape {targets.shape}",
    )
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    require_finite(targets, "targets")
    return targets.astype(np.float64)


def standardised(
    train: Num[np.ndarray, "_ ..."], *others: Num[np.ndarray, "_ ..."]
) -> list[Float[np.ndarray, "_ ..."]]:
    """Shifts and scales to mean 0 and standard deviation 1 on the training rows.

    Tables and vectors are standardised column by column; images, which have three axes or more,
    by one mean and one deviation over all pixels. What is constant in training becomes 0.

    Args:
        train: the rows that give mean and deviation.
        others: further rows, to be treated alike.

    Returns:
        The training rows, then the others, in the precision of JAX (float32, or float64 under
        ``jax_enable_x64``).
    """
    axes = None if train.ndim > 2 else 0
    mean = np.mean(train, axis=axes, dtype=np.float64)
    deviation = np.std(train, axis=axes, dtype=np.float64)
    # The mean of a constant is rounded, so its deviation need not be exactly zero.
    constant = _constant(train, axes) | (deviation == 0)
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
    precision = np.dtype(jnp.result_type(float))
    # Tables may have great offsets; images are large and need no more than their final precision.
    working = np.float64 if axes == 0 else precision
    results = []
    for values in (train, *others):
        shifted = values.astype(working)
        shifted -= mean
        shifted *= scale
        results.append(shifted.astype(precision, copy=False))
    return results


def _constant(
    values: Num[np.ndarray, "rows ..."], axes: int | None
) -> Bool[np.ndarray, "..."] | np.bool_:
    return np.max(values, axis=axes) == np.min(values, axis=axes)
