"""A curve drawn with plain characters, for a terminal."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxloss.runs.words import number

_DIGITS = 3
_FLAT = 1e-6
"""Share of its size by which a curve has to change, or it counts as constant."""


def chart(
    places: Float[np.ndarray, " places"], values: Float[np.ndarray, " places"], height: int = 9
) -> list[str]:
    """Draws values over places, one column each; what is not finite stays empty.

    Args:
        places: rising, evenly spaced or not: each has one column.
        values: at the places.
        height: rows for the curve, two or more.

    Returns:
        The rows from top to bottom, then the axis and its numbers. Dots mark the value 0 where it
        lies between the least and the largest.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ["nothing here is a finite number"]
    low, high = float(finite.min()), float(finite.max())
    marks = {0: high, height - 1: low}
    if high - low <= _FLAT * max(abs(high), abs(low)):
        # A constant lies in the middle.
        marks = {height // 2: high}
        low, high = low - 1.0, high + 1.0
    rows = [[" "] * len(values) for _ in range(height)]

    def row_of(value: float) -> int:
        return round((high - value) / (high - low) * (height - 1))

    if low < 0 < high and len(marks) > 1:
        rows[row_of(0.0)] = ["."] * len(values)
        marks = {row_of(0.0): 0.0} | marks
    before: int | None = None
    for column, value in enumerate(values.tolist()):
        if not math.isfinite(value):
            before = None
            continue
        row = (height // 2) if len(marks) == 1 else row_of(value)
        for between in _strictly_between(before, row):
            rows[between][column] = "|"
        rows[row][column], before = "*", row
    labels = {row: number(value + 0.0, _DIGITS) for row, value in marks.items()}
    return _with_axes(["".join(row) for row in rows], labels, places)


def _strictly_between(first: int | None, second: int) -> range:
    if first is None:
        return range(0)
    return range(min(first, second) + 1, max(first, second))


def _with_axes(
    rows: list[str], labels: dict[int, str], places: Float[np.ndarray, " places"]
) -> list[str]:
    margin = max(map(len, labels.values()))
    lines = [f"{labels.get(row, ''):>{margin}} |{line}".rstrip() for row, line in enumerate(rows)]
    return [
        *lines,
        " " * margin + " +" + "-" * len(places),
        " " * (margin + 2) + _below([places[0], places[len(places) // 2], places[-1]], len(places)),
    ]


def _below(numbers: Sequence[float], width: int) -> str:
    """Writes three numbers below the first, the middle and the last column."""
    left, middle, right = (number(float(value), _DIGITS) for value in numbers)
    line = f"{left:<{width}}"
    start = max(width // 2 - len(middle) // 2, len(left) + 1)
    line = line[:start] + middle + line[start + len(middle) :]
    return line[: width - len(right)] + right
