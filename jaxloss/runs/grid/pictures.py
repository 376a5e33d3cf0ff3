"""The pictures of a comparison: ranks over all problems, or values on each."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxloss.runs.grid.rank_statistics import alike_groups
from jaxloss.runs.grid.ranking import JudgedProblem, JudgedRow, Standing
from jaxloss.runs.plots import LEARNED_COLOUR, TASK_COLOUR, draw
from jaxloss.runs.words import cut, number

_KEY = "learned losses orange, hand-made ones blue"
_LABEL = 34
"""Characters of a row's name that a picture has room for."""


def standing_picture(path: Path, standing: Standing) -> str:
    """Draws ranks where they were tested, and values on each problem otherwise.

    Returns:
        What the picture shows, in words.
    """
    if standing.critical_difference is None:
        box_picture(path, standing)
        return f"Test values, seed by seed, with quartiles; {_KEY}; dotted: mean of the usual loss"
    rank_picture(path, standing, standing.critical_difference)
    return f"Average ranks, a bar joins rows that cannot be told apart; {_KEY}"


def rank_picture(path: Path, standing: Standing, difference: float) -> None:
    """Draws a critical-difference diagram: names at their average ranks, bars over what is alike.

    After Demšar, https://www.jmlr.org/papers/v7/demsar06a.html, figure 1.
    """
    ranked = sorted(zip(standing.average_ranks, standing.rows, strict=True), key=lambda one: one[0])
    count = len(ranked)
    bars = _stacked(alike_groups(standing.average_ranks, difference), 0.03 * count)
    first_name = 0.75 + 0.28 * (1 + max((level for *_, level in bars), default=-1))
    half = (count + 1) // 2
    depth = first_name + 0.5 * half
    reach = 0.06 * (count - 1)

    def paint(axes: Any) -> None:
        axes.axis("off")
        axes.grid(visible=False)
        axes.set_xlim(1 - 0.62 * (count - 1), count + 0.62 * (count - 1))
        axes.set_ylim(depth, -2.0)
        _paint_scale(axes, count, difference)
        for low, high, level in bars:
            height = 0.55 + 0.28 * level
            margin = 0.004 * (count - 1)
            ends = [low - margin, high + margin]
            axes.plot(ends, [height] * 2, color="black", linewidth=3.5, solid_capstyle="round")
        for place, (rank, row) in enumerate(ranked):
            left = place < half
            height = first_name + 0.5 * (place if left else count - 1 - place)
            end = 1 - reach if left else count + reach
            name, place_text = cut(row.name, _LABEL), f"{rank:.2f}"
            axes.plot([rank, rank, end], [0, height, height], color=_colour(row), linewidth=1.2)
            axes.text(
                end + (-reach / 4 if left else reach / 4),
                height,
                f"{name}  {place_text}" if left else f"{place_text}  {name}",
                ha="right" if left else "left",
                va="center",
                color=_colour(row),
                fontsize=9,
            )

    draw(path, 9.0, 0.4 * (depth + 2.0) + 0.3, 1, paint)


def _paint_scale(axes: Any, count: int, difference: float) -> None:
    """Draws the axis of ranks, and above it how long the critical difference is."""
    axes.plot([1, count], [0, 0], color="black", linewidth=1)
    for rank in range(1, count + 1, math.ceil(count / 12)):
        axes.plot([rank, rank], [0, -0.15], color="black", linewidth=1)
        axes.text(rank, -0.22, str(rank), ha="center", va="bottom", fontsize=9)
    axes.plot([1, 1], [-1.25, -1.05], color="black", linewidth=1)
    # A difference longer than the scale is cut off there, with an arrow.
    end = min(1 + difference, count)
    cut_off = 1 + difference > count
    axes.plot([1, end], [-1.15, -1.15], color="black", linewidth=1)
    axes.plot([end], [-1.15], ">" if cut_off else "|", color="black", markersize=6)
    edge = count + 0.62 * (count - 1)
    for place, height, text, side, colour in (
        (1, -1.35, f"critical difference {number(difference, 3)}", "left", "black"),
        (edge, -0.22, "average rank (1 is best)", "right", "black"),
        (edge, -1.35, "learned loss", "right", LEARNED_COLOUR),
        (edge, -0.85, "hand-made loss", "right", TASK_COLOUR),
    ):
        axes.text(place, height, text, ha=side, va="bottom", fontsize=9, color=colour)


def _stacked(stretches: list[tuple[float, float]], gap: float) -> list[tuple[float, float, int]]:
    """Gives each stretch the lowest level at which it touches no other."""
    ends: list[float] = []
    stacked: list[tuple[float, float, int]] = []
    for low, high in stretches:
        level = next((number for number, end in enumerate(ends) if end + gap < low), len(ends))
        ends[level : level + 1] = [high]
        stacked.append((low, high, level))
    return stacked


def _colour(row: JudgedRow) -> str:
    return LEARNED_COLOUR if row.learned else TASK_COLOUR


def box_picture(path: Path, standing: Standing) -> None:
    """Draws for each problem the values that every row reached, seed by seed, with quartiles."""
    ranked = sorted(zip(standing.average_ranks, standing.rows, strict=True), key=lambda one: one[0])
    rows = [row for _, row in ranked]

    def paint(*panels: Any) -> None:
        for axes, problem in zip(panels, standing.problems, strict=True):
            limits = _limits(standing, problem)
            for place, row in enumerate(rows):
                values = np.array(standing.entries[row.name, problem.name].values)
                _paint_box(axes, place, values, _colour(row), limits)
            reference = standing.entries.get((problem.reference, problem.name))
            if reference is not None and math.isfinite(reference.mean):
                axes.axvline(reference.mean, color="#666666", linestyle=":", linewidth=1)
            axes.set_xlim(*limits)
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.set_yticks(range(len(rows)), [""] * len(rows))
            axes.set_title(cut(problem.name, _LABEL))
            better = "higher" if problem.higher_is_better else "lower"
            axes.set_xlabel(f"{problem.metric} ({better} is better)")
        panels[0].set_yticks(range(len(rows)), [cut(row.name, _LABEL) for row in rows])

    width = 3.0 + 3.2 * len(standing.problems)
    draw(path, width, 1.3 + 0.32 * len(rows), len(standing.problems), paint)


def _limits(standing: Standing, problem: JudgedProblem) -> tuple[float, float]:
    """Finds the range to show: one training gone wrong must not make all others look alike."""
    values = np.array(
        [
            value
            for row in standing.rows
            for value in standing.entries[row.name, problem.name].values
            if math.isfinite(value)
        ]
    )
    if not len(values):
        return 0.0, 1.0
    low, high = np.percentile(values, [25, 75])
    shown = values[np.abs(values - np.clip(values, low, high)) <= 3 * (high - low)]
    margin = 0.05 * float(np.ptp(shown)) or 0.05 * abs(float(shown[0])) or 1.0
    return float(shown.min()) - margin, float(shown.max()) + margin


def _paint_box(
    axes: Any,
    place: int,
    values: Float[np.ndarray, " seeds"],
    colour: str,
    limits: tuple[float, float],
) -> None:
    finite = values[np.isfinite(values)]
    if len(finite) < len(values) or not len(values):
        text = f"{len(values) - len(finite)} failed" if len(values) else "no value"
        axes.text(
            0.99,
            place,
            text,
            ha="right",
            va="center",
            fontsize=8,
            transform=axes.get_yaxis_transform(),
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
    if not len(finite):
        return
    low, middle, high = np.percentile(finite, [25, 50, 75])
    axes.barh(place, high - low, left=low, height=0.6, color=colour, alpha=0.25, zorder=2)
    axes.plot([middle, middle], [place - 0.3, place + 0.3], color=colour, linewidth=2, zorder=3)
    inside = (finite >= limits[0]) & (finite <= limits[1])
    axes.plot(
        finite[inside], np.full(inside.sum(), place), ".", color=colour, markersize=4, zorder=4
    )
    for edge, beyond, marker in (
        (limits[0], finite < limits[0], "<"),
        (limits[1], finite > limits[1], ">"),
    ):
        if beyond.any():
            axes.plot([edge], [place], marker, color=colour, clip_on=False, markersize=6, zorder=4)
