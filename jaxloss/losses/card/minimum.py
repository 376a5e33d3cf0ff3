"""Where a loss has its minimum: at the target, elsewhere, in a limit, or nowhere."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.study import Study

_CANDIDATES = 4
_ROUNDS = 5
_DIGITS = 7
_ZOOM = 101
_ENDLESS = (1e5, 1e6, 1e7, 1e8)


class Minimum(NamedTuple):
    """The least value along one line.

    Attributes:
        kind: a ``point``, a ``flat`` stretch, a ``limit`` that t goes to, ``endless`` if the loss
            falls on and on, or ``undefined`` if it has no values at all.
        low: the least t of it; of a limit or an endless fall, the infinity.
        high: the largest t.
        value: the loss there; of an endless fall, at the furthest place.
        others: further points with the same value.
    """

    kind: Literal["point", "flat", "limit", "endless", "undefined"]
    low: float
    high: float
    value: float
    others: tuple[float, ...] = ()


def minima(study: Study) -> tuple[Minimum, ...]:
    """Finds the minimum on every line, to about eight digits of t."""
    grid = study.grid
    values = np.where(np.isnan(grid.values), np.inf, grid.values)
    candidates = np.array([_lowest(row) for row in values])
    centres = np.take_along_axis(grid.places, candidates, 1)
    points, least = _zoomed(study, centres)
    falls = [study.at(np.tile(np.multiply(side, _ENDLESS), (len(values), 1))) for side in (-1, 1)]
    return tuple(
        _of_line(study, line, points[line], least[line], [fall.values[line] for fall in falls])
        for line in range(len(values))
    )


def _lowest(values: Float[np.ndarray, " places"]) -> Float[np.ndarray, " candidates"]:
    """Finds the lowest of the local minima on the grid; repeats the last if there are few."""
    padded = np.concatenate([[np.inf], values, [np.inf]])
    local = np.flatnonzero((values <= padded[:-2]) & (values <= padded[2:]))
    chosen = local[np.argsort(values[local], kind="stable")][:_CANDIDATES]
    return np.resize(chosen, _CANDIDATES) if len(chosen) else np.zeros(_CANDIDATES, int)


def _zoomed(
    study: Study, centres: Float[np.ndarray, "lines candidates"]
) -> tuple[Float[np.ndarray, "lines candidates"], Float[np.ndarray, "lines candidates"]]:
    """Looks closer and closer around each candidate."""
    half, shape = study.step, centres.shape
    least = np.full(shape, np.inf)
    for _ in range(_ROUNDS):
        places = centres[..., None] + np.linspace(-half, half, _ZOOM)
        found = study.at(places.reshape(shape[0], -1)).values.reshape(places.shape)
        found = np.where(np.isnan(found), np.inf, found)
        best = np.argmin(found, -1)[..., None]
        centres = np.take_along_axis(places, best, -1)[..., 0]
        least = np.take_along_axis(found, best, -1)[..., 0]
        half = 2 * half / (_ZOOM - 1)
    return centres, least


def _of_line(
    study: Study,
    line: int,
    points: Float[np.ndarray, " candidates"],
    least: Float[np.ndarray, " candidates"],
    falls: list[Float[np.ndarray, " distances"]],
) -> Minimum:
    grid, far = study.grid, study.far
    scale = float(study.scale[line])
    best = int(np.argmin(least))
    value = float(least[best])
    for side, fall in zip((-1.0, 1.0), falls, strict=True):
        if _is_endless(fall, value):
            return Minimum("endless", side * np.inf, side * np.inf, float(fall[-1]))
    if not np.isfinite(value):
        kind = "undefined" if value > 0 else "point"
        return Minimum(kind, float(points[best]), float(points[best]), value)
    outside = np.abs(far.places[line]) > study.lines.reach
    beyond = np.where(outside & ~np.isnan(far.values[line]), far.values[line], np.inf)
    lowest = int(np.argmin(beyond))
    if beyond[lowest] < value - 1e-13 * scale:
        side = float(np.sign(far.places[line, lowest]))
        return Minimum("limit", side * np.inf, side * np.inf, float(beyond[lowest]))
    close = np.abs(grid.values[line] - value) <= 1e-12 * scale
    low, high = _stretch(close, int(np.argmin(np.abs(grid.places[line] - points[best]))))
    if high - low >= 2:
        if _still_falls(grid.values[line, [low, high]], beyond[lowest]) and high == len(close) - 1:
            return Minimum("limit", np.inf, np.inf, float(beyond[lowest]))
        ends = [float(grid.places[line, low]), float(grid.places[line, high])]
        for place, (index, edge) in enumerate(((low, 0), (high, len(close) - 1))):
            sign = -1.0 if edge == 0 else 1.0
            goes_on = beyond[np.argmax(sign * far.places[line])] <= value + 1e-12 * scale
            if index == edge and goes_on:
                ends[place] = sign * np.inf
        return Minimum("flat", ends[0], ends[1], value)
    points = np.sort(points[least <= value + 1e-6 * scale])
    points = points[np.concatenate([[True], np.diff(points) > 2 * study.step])]
    # What is nearer to 0 than the search could see is 0.
    value = value if abs(value) > 1e-9 * scale else 0.0
    points = np.round(points, _DIGITS)
    nearest = float(points[np.argmin(np.abs(points))])
    others = tuple(float(point) for point in points if point != nearest)
    return Minimum("point", nearest, nearest, value, others)


def _still_falls(stretch: Float[np.ndarray, "2"], far: float) -> bool:
    """Says whether a stretch that looks flat falls by more than rounding errors."""
    return bool(stretch[0] - min(stretch[1], far) > 1e-14 * abs(stretch[0]))


def _is_endless(fall: Float[np.ndarray, " distances"], value: float) -> bool:
    """Says whether a loss goes on falling at the last distances, by no less each time."""
    drops = -np.diff(fall)
    return bool(
        np.all(np.isfinite(fall))
        and fall[-1] < value
        and np.all(drops > 1e-9 * max(1.0, abs(fall[-1])))
        and drops[-1] >= 0.5 * drops[-2]
    )


def _stretch(inside: Float[np.ndarray, " places"], centre: int) -> tuple[int, int]:
    """Finds the ends of the run of true values around one place."""
    low = high = centre
    while low > 0 and inside[low - 1]:
        low -= 1
    while high < len(inside) - 1 and inside[high + 1]:
        high += 1
    return low, high
