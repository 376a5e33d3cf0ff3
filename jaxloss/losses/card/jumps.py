"""Finds jumps: changes between neighbours that do not shrink, however closely one looks."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.lines import Along, Lined, Lines, along
from jaxloss.losses.card.probe import Probe
from jaxloss.losses.card.study import measure

_CELLS = 8
_ZOOM = 41
_ROUNDS = 5
_STAYS = 0.2
"""Share of the first change that a jump keeps. A kink keeps all of it; what is smooth keeps about
1/40 with each look."""


class Jump(NamedTuple):
    """The largest jump on some lines.

    Attributes:
        size: by how much; 0 if there is none.
        line: on which line.
        place: at which t.
    """

    size: float
    line: int
    place: float


def largest_jump(
    probe: Probe, lines: Lines, found: Along, kind: Literal["values", "slopes"]
) -> Jump:
    """Looks closer and closer at the places where a loss or its slope changes most abruptly."""
    values = _finite(getattr(found, kind))
    steps = np.abs(np.diff(values))
    cells, width = _abrupt(steps), float(found.places[0, 1] - found.places[0, 0])
    left = np.take_along_axis(found.places, cells, 1)
    before = jumps = np.take_along_axis(steps, cells, 1)
    for _ in range(_ROUNDS):
        places = left[..., None] + np.linspace(0.0, width, _ZOOM)
        closer = along(probe, lines, places.reshape(len(left), -1))
        rows = _finite(getattr(closer, kind)).reshape(places.shape)
        changes = np.nan_to_num(np.abs(np.diff(rows)), nan=0.0)
        best = np.argmax(changes, -1)[..., None]
        jumps = np.take_along_axis(changes, best, -1)[..., 0]
        left = np.take_along_axis(places, best, -1)[..., 0]
        width /= _ZOOM - 1
    typical = np.nanmax(np.abs(values), axis=1, initial=0.0)[:, None]
    here = np.take_along_axis(np.nan_to_num(np.abs(values), nan=0.0), cells, 1)
    clear = (jumps > _STAYS * before) & (jumps > 1e-6 * measure(typical, here))
    jumps = np.where(clear, jumps, 0.0)
    line, cell = np.unravel_index(np.argmax(jumps), jumps.shape)
    return Jump(float(jumps[line, cell]), int(line), float(left[line, cell]))


def _finite(values: Lined) -> Lined:
    return np.where(np.isfinite(values), values, np.nan)


def _abrupt(steps: Lined) -> np.ndarray:
    """Chooses the cells whose change differs most from that of their neighbours.

    Half of them by how much it differs, half by how much of it: where a loss is steep, smooth
    changes are larger than any jump elsewhere.
    """
    around = np.pad(np.nan_to_num(steps, nan=0.0), ((0, 0), (1, 1)), mode="edge")
    unlike = np.abs(around[:, 1:-1] - (around[:, :-2] + around[:, 2:]) / 2)
    unlike: Float[np.ndarray, "lines cells"] = np.where(np.isnan(steps), -1.0, unlike)
    relative = unlike / (1e-9 + (around[:, :-2] + around[:, 2:]) / 2)
    most = [np.argsort(-by, axis=1, kind="stable")[:, : _CELLS // 2] for by in (unlike, relative)]
    return np.concatenate(most, axis=1)
