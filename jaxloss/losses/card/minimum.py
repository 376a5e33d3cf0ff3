"""Where a loss has its minimum: at the target, elsewhere, in a limit, or nowhere."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxloss.losses.card.study import Study, measure

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
        best = _middle_of_lowest(found)[..., None]
        centres = np.take_along_axis(places, best, -1)[..., 0]
        least = np.take_along_axis(found, best, -1)[..., 0]
        half = 2 * half / (_ZOOM - 1)
    return centres, least


def _middle_of_lowest(
    values: Float[np.ndarray, "lines candidates places"],
) -> Int[np.ndarray, "lines candidates"]:
    """Finds the middle of the lowest places: rounding may make many alike around a minimum."""
    first = np.argmin(values, -1)
    last = values.shape[-1] - 1 - np.argmin(values[..., ::-1], -1)
    middle = (first + last) // 2
    there = np.take_along_axis(values, middle[..., None], -1)[..., 0]
    return np.where(there == np.min(values, -1), middle, first)


def _of_line(
    study: Study,
    line: int,
    points: Float[np.ndarray, " candidates"],
    least: Float[np.ndarray, " candidates"],
    falls: list[Float[np.ndarray, " distances"]],
) -> Minimum:
    best = int(np.argmin(least))
    place, value = float(points[best]), float(least[best])
    for side, fall in zip((-np.inf, np.inf), falls, strict=True):
        if _is_endless(fall, value):
            return Minimum("endless", side, side, float(fall[-1]))
    if not np.isfinite(value):
        return Minimum("undefined" if value > 0 else "point", place, place, value)
    return (
        _in_the_limit(study, line, value)
        or _flat(study, line, place, value)
        or _points(study, line, points, least)
    )


def _far_values(study: Study, line: int) -> Float[np.ndarray, " places"]:
    """The values beyond the grid; infinite within it and where there are none."""
    places, values = study.far.places[line], study.far.values[line]
    beyond = (np.abs(places) > study.lines.reach) & ~np.isnan(values)
    return np.where(beyond, values, np.inf)


def _in_the_limit(study: Study, line: int, value: float) -> Minimum | None:
    """Looks for less beyond the grid than on it."""
    beyond = _far_values(study, line)
    lowest = int(np.argmin(beyond))
    if beyond[lowest] >= value - 1e-13 * measure(study.scale[line], value):
        return None
    side = float(np.copysign(np.inf, study.far.places[line, lowest]))
    return Minimum("limit", side, side, float(beyond[lowest]))


def _flat(study: Study, line: int, place: float, value: float) -> Minimum | None:
    """Looks for a stretch of the least value, which may go on beyond the grid."""
    places, values = study.grid.places[line], study.grid.values[line]
    near = 1e-12 * measure(study.scale[line], value)
    low, high = _stretch(np.abs(values - value) <= near, int(np.argmin(np.abs(places - place))))
    if high - low < 2:
        return None
    beyond = _far_values(study, line)
    far = study.far.places[line]
    ends = [_edge(study, line, low, -1, value), _edge(study, line, high, 1, value)]
    if low == 0 and beyond[np.argmin(far)] <= value + near:
        ends[0] = -np.inf
    if high == len(values) - 1 and beyond[np.argmax(far)] <= value + near:
        ends[1] = np.inf
        if _still_falls(values[[low, high]], float(np.min(beyond))):
            return Minimum("limit", np.inf, np.inf, float(np.min(beyond)))
    return Minimum("flat", ends[0], ends[1], value)


def _points(
    study: Study,
    line: int,
    points: Float[np.ndarray, " candidates"],
    least: Float[np.ndarray, " candidates"],
) -> Minimum:
    """Collects the candidates that are equally low."""
    value = float(np.min(least))
    size = float(measure(study.scale[line], value))
    points = np.sort(points[least <= value + 1e-6 * size])
    points = points[np.concatenate([[True], np.diff(points) > 2 * study.step])]
    points = np.round(points, _DIGITS)
    nearest = float(points[np.argmin(np.abs(points))])
    others = tuple(float(point) for point in points if point != nearest)
    # What is nearer to 0 than the search could see is 0.
    value = value if abs(value) > 1e-9 * size else 0.0
    return Minimum("point", nearest, nearest, value, others)


def _still_falls(stretch: Float[np.ndarray, "2"], far: float) -> bool:
    """Says whether a stretch that looks flat falls by more than rounding errors."""
    return bool(stretch[0] - min(stretch[1], far) > 1e-14 * abs(stretch[0]))


def _is_endless(fall: Float[np.ndarray, " distances"], value: float) -> bool:
    """Says whether a loss goes on falling at the last distances, by no less each time."""
    if not np.all(np.isfinite(fall)):
        return False
    drops = -np.diff(fall)
    return bool(
        fall[-1] < value
        and np.all(drops > 1e-9 * max(1.0, abs(fall[-1])))
        and drops[-1] >= 0.5 * drops[-2]
    )


def _edge(study: Study, line: int, index: int, side: int, value: float) -> float:
    """Finds where a flat stretch ends, between two places of the grid."""
    place, step = float(study.grid.places[line, index]), study.step
    if not 0 <= index + side < study.grid.places.shape[1]:
        return place
    for _ in range(2):
        beyond = place + side * np.linspace(0.0, step, _ZOOM)
        found = study.at(np.tile(beyond, (len(study.lines.labels), 1))).values[line]
        flat = np.abs(found - value) <= 1e-12 * measure(study.scale[line], value)
        place, step = float(beyond[flat][-1]) if flat[0] else place, step / (_ZOOM - 1)
    return place


def _stretch(inside: Float[np.ndarray, " places"], centre: int) -> tuple[int, int]:
    """Finds the ends of the run of true values around one place."""
    low = high = centre
    while low > 0 and inside[low - 1]:
        low -= 1
    while high < len(inside) - 1 and inside[high + 1]:
        high += 1
    return low, high
