"""The pictures of two loss landscapes side by side."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxloss.runs.landscape.sides import Landscapes, Side
from jaxloss.runs.plots import LEARNED_COLOUR, TASK_COLOUR, draw
from jaxloss.runs.words import cut, number
from jaxloss.tasks.metrics import Metric

SHARES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Contours of a loss, as shares of the training's progress that are undone there."""

_COLOURS = (LEARNED_COLOUR, TASK_COLOUR)
_STYLES = ("-", "--")
_NAME = 30
"""Characters of a loss's name that a panel has room for."""
_FAILED = "#bbbbbb"


def plane_picture(path: Path, found: Landscapes) -> None:
    """Draws the loss of each training and, below it, the metric, around the trained network.

    Contours of a loss lie at the same shares of its training's progress for both, so that equal
    colours mean the same; the metric's are the same numbers.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 9.2), layout="constrained", dpi=120)
    panels: Any = figure.subplots(2, 2)
    metric = found.task.metric
    levels = _metric_levels(found)
    colours = _colours(len(levels) + 1)[:: -1 if metric.higher_is_better else 1]
    for (above, below), side, colour in zip(panels.T, found.sides, _COLOURS, strict=True):
        name, plane = cut(side.name, _NAME), side.plane
        values = _loss_levels(side)
        own_colours = _colours(len(values) + 1)
        bar = _fill(figure, above, plane.places, plane.losses[0], values, own_colours)
        bar.ax.set_yticks(values, _level_texts(values), fontsize=8)
        bar.set_label(f"{name} (share of the training undone)", fontsize=8)
        above.set_title("the loss itself, training split", fontsize=11)
        above.annotate(
            f"Trained under {name}",
            (0.5, 1.1),
            xycoords="axes fraction",
            ha="center",
            color=colour,
            fontsize=14,
            fontweight="bold",
        )
        bar = _fill(figure, below, plane.places, plane.metric, levels, colours)
        bar.ax.set_yticks(levels, [number(level, 3) for level in levels], fontsize=8)
        bar.set_label(_label(metric), fontsize=8)
        below.set_title(f"{metric.name}, validation split", fontsize=11)
        for axes in (above, below):
            axes.set_xlabel("second random direction", fontsize=9)
            axes.set_ylabel("first random direction", fontsize=9)
    figure.savefig(path, format="png", metadata={"Software": None})


def _loss_levels(side: Side) -> Float[np.ndarray, " levels"]:
    above = side.plane.losses[0] - side.trained
    highest = float(np.max(above[np.isfinite(above)], initial=0.0))
    # A training that did not lower its loss has no progress to measure by.
    unit = side.progress if np.isfinite(side.progress) else highest or 1.0
    centre = side.trained if np.isfinite(side.trained) else 0.0
    return centre + unit * np.array(SHARES)


def _level_texts(values: Float[np.ndarray, " levels"]) -> list[str]:
    """Writes each level, and in brackets its share, with digits enough to tell them apart."""
    digits = next((n for n in range(3, 8) if len({number(v, n) for v in values}) == len(values)), 8)
    return [f"{number(v, digits)} ({share:.0%})" for v, share in zip(values, SHARES, strict=True)]


def _metric_levels(found: Landscapes) -> Float[np.ndarray, " levels"]:
    """Spaces levels from the best value of both planes to that before training, finer at first."""
    sign = -1.0 if found.task.metric.higher_is_better else 1.0
    values = sign * np.concatenate([side.plane.metric.ravel() for side in found.sides])
    finite = values[np.isfinite(values)]
    best, worst = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    before = sign * found.sides[0].untrained_metric
    # What is worse than an untrained network is of no use, however much worse it is.
    end = before if best < before < worst else worst if worst > best else best + 1.0
    return np.sort(sign * (best + (end - best) * np.linspace(0.1, 1.0, 10) ** 2))


def _colours(count: int) -> Any:
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0.0, 1.0, count))


def _fill(
    figure: Any,
    axes: Any,
    places: Float[np.ndarray, " points"],
    values: Float[np.ndarray, "points points"],
    levels: Float[np.ndarray, " levels"],
    colours: Any,
) -> Any:
    """Draws one panel and returns its colour bar; points that are not finite are grey."""
    axes.set_facecolor(_FAILED)
    shown = np.ma.masked_invalid(values)
    filled = axes.contourf(places, places, shown, levels, colors=colours, extend="both")
    axes.contour(places, places, shown, levels, colors="white", linewidths=0.6, alpha=0.7)
    if np.isfinite(values).any():
        centre = {"markerfacecolor": "white", "markeredgecolor": "black", "markersize": 11}
        axes.plot(0, 0, "X", label="the trained network", **centre)
        axes.legend(loc="upper left", fontsize=8, framealpha=0.9)
    else:
        axes.text(0, 0, "the training failed:\nno value is a finite number", ha="center")
    axes.tick_params(labelsize=8)
    return figure.colorbar(filled, ax=axes)


def lines_picture(path: Path, found: Landscapes) -> None:
    """Draws both losses and the metric along random directions, one at a time."""
    metric = found.task.metric

    def paint(left: Any, right: Any) -> None:
        drawn: dict[Any, list[Any]] = {left: [], right: []}
        for side, colour, style in zip(found.sides, _COLOURS, _STYLES, strict=True):
            lines, name = side.lines, cut(side.name, _NAME)
            undone = (lines.losses[0] - side.trained) / side.progress
            label = name if np.isfinite(lines.metric).any() else f"{name} (failed)"
            for axes, values in ((left, undone), (right, lines.metric)):
                axes.plot(lines.places, values.T, color=colour, linewidth=0.7, alpha=0.3)
                mean = np.mean(values, axis=0)
                axes.plot(lines.places, mean, style, color=colour, linewidth=2.5, label=label)
                drawn[axes] += values[np.isfinite(values)].tolist()
        pick = np.fmax if metric.higher_is_better else np.fmin
        best = float(pick.reduce([side.valid for side in found.sides]))
        _limit(left, drawn[left], 0.0, 1.0)
        _limit(right, drawn[right], best, found.sides[0].untrained_metric)
        left.set_title("the loss itself, training split")
        left.set_ylabel("share of the training undone")
        right.set_title(f"{metric.name}, validation split")
        right.set_ylabel(_label(metric))
        for axes in (left, right):
            axes.set_xlabel("distance along a random direction")
        right.legend(title="trained under", loc="best")

    draw(path, 11.5, 4.2, 2, paint)


def _limit(axes: Any, drawn: list[float], best: float, before: float) -> None:
    """Cuts off what is far worse than before the training, and marks what it was like then."""
    if not drawn or not (np.isfinite(best) and np.isfinite(before)) or best == before:
        return
    far = before + (before - best) / 2
    low, high = min(drawn), max(drawn)
    low, high = (low, min(high, far)) if before > best else (max(low, far), high)
    margin = 0.05 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    if low < before < high:
        axes.axhline(before, color="#666666", linewidth=1, linestyle=":")
        axes.text(
            0.5,
            before,
            "as before the training",
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
            fontsize=9,
            color="#666666",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )


def _label(metric: Metric) -> str:
    return f"{metric.name} ({'higher' if metric.higher_is_better else 'lower'} is better)"
