"""The pictures of a loss card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card import Curves, Explanation, Surface
from jaxloss.runs.plots import LEARNED_COLOUR, TASK_COLOUR, draw, scaled

_COLOURS = (TASK_COLOUR, LEARNED_COLOUR, "#009E73", "#CC79A7")
_STYLES = ("-", "--", "-.", ":")
_SPIKE = 8.0
"""How many times the middle part of a curve the whole may span before its ends are cut off."""


def formula_picture(path: Path, latex: str) -> bool:
    """Sets a formula; says no if matplotlib, which knows part of LaTeX, cannot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.1, 0.1), dpi=160)
    plain = latex.replace(r"\tfrac", r"\frac").replace(r"\lVert", r"\|").replace(r"\rVert", r"\|")
    figure.text(0.0, 0.0, f"${plain}$", fontsize=15)
    try:
        figure.savefig(
            path, format="png", bbox_inches="tight", pad_inches=0.08, metadata={"Software": None}
        )
    except ValueError:
        path.unlink(missing_ok=True)
        return False
    return True


def curves_picture(path: Path, curves: Curves, name: str = "loss") -> None:
    """Draws value and gradient along lines."""

    def paint(values: Any, slopes: Any) -> None:
        for number, curve in enumerate(curves.curves):
            look = {"color": _COLOURS[number % 4], "linestyle": _STYLES[number % 4]}
            values.plot(curve.places, curve.values, label=curve.label, linewidth=2, **look)
            slopes.plot(curve.places, curve.slopes, label=curve.label, linewidth=2, **look)
        _finish(values, curves, f"value of the {name}", [one.values for one in curves.curves])
        _finish(
            slopes,
            curves,
            f"derivative by {curves.slope}",
            [one.slopes for one in curves.curves],
        )
        slopes.axhline(0.0, color="#666666", linewidth=1)
        if len(curves.curves) > 1:
            values.legend(frameon=False, fontsize="small")

    draw(path, 9.0, 3.4, 2, paint)


def values_picture(path: Path, curves: Curves) -> None:
    """Draws values along lines."""

    def paint(axes: Any) -> None:
        for number, curve in enumerate(curves.curves):
            look = {"color": _COLOURS[number % 4], "linestyle": _STYLES[number % 4]}
            axes.plot(curve.places, curve.values, label=curve.label, linewidth=2, **look)
        _finish(axes, curves, "value of the loss", [one.values for one in curves.curves])
        axes.legend(frameon=False, fontsize="small")

    draw(path, 6.0, 3.4, 1, paint)


def _finish(axes: Any, curves: Curves, label: str, shown: list[np.ndarray]) -> None:
    axes.set_xlabel(curves.axis)
    axes.set_ylabel(label)
    limits = _limits(np.concatenate(shown))
    if limits is not None:
        axes.set_ylim(*limits)


def _limits(values: Float[np.ndarray, " values"]) -> tuple[float, float] | None:
    """Chooses what part of the vertical axis is shown, so that a spike does not flatten all."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.percentile(known, (0, 100))
    inner = np.percentile(known, (3, 97))
    if high - low > _SPIKE * np.ptp(np.percentile(known, (10, 90))) and np.ptp(inner) > 0:
        low, high = inner
    margin = 0.06 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def compared_picture(path: Path, losses: Mapping[str, Explanation]) -> None:
    """Draws losses of one view over each other, each scaled: values to 0 and 1, slopes to 1.

    A factor acts like another step size, and a constant does not act at all.
    """

    def paint(values: Any, slopes: Any) -> None:
        for number, (name, explanation) in enumerate(losses.items()):
            curve = explanation.curves.curves[len(explanation.curves.curves) // 2]
            look = {"color": _COLOURS[number % 4], "linestyle": _STYLES[number % 4]}
            largest = np.nanmax(np.abs(curve.slopes), initial=1e-300)
            values.plot(curve.places, scaled(curve.values), label=name, linewidth=2, **look)
            slopes.plot(curve.places, curve.slopes / largest, label=name, linewidth=2, **look)
        first = next(iter(losses.values())).curves
        label = first.curves[len(first.curves) // 2].label
        for axes, what in ((values, "loss"), (slopes, "derivative")):
            axes.set_xlabel(first.axis)
            axes.set_ylabel(f"{what}, scaled")
            axes.set_title(label)
        values.legend(frameon=False, fontsize="small")

    draw(path, 9.0, 3.4, 2, paint)


def surface_picture(path: Path, surface: Surface, of_classes: bool) -> None:
    """Draws value and gradient as colours over prediction and target."""

    def paint(values: Any, slopes: Any) -> None:
        for axes, shown, title, map_name in (
            (values, surface.values, "value", "viridis"),
            (slopes, surface.slopes, "derivative by f", "RdBu_r"),
        ):
            low, high = _colour_limits(shown, map_name == "RdBu_r")
            mesh = axes.pcolormesh(
                surface.predictions,
                surface.targets,
                np.where(np.isfinite(shown), shown, np.nan),
                cmap=map_name,
                vmin=low,
                vmax=high,
                shading="nearest",
                rasterized=True,
            )
            axes.figure.colorbar(mesh, ax=axes, extend="both")
            axes.grid(visible=False)
            ends = [surface.predictions[0], surface.predictions[-1]]
            axes.plot(ends, ends, color="white" if map_name == "viridis" else "black", ls=":")
            axes.set_xlabel(f"{'predicted probability' if of_classes else 'prediction'} f")
            axes.set_ylabel(f"{'label' if of_classes else 'target'} y")
            axes.set_title(f"{title} (dotted: f = y)")

    draw(path, 9.0, 3.7, 2, paint)


def _colour_limits(shown: Float[np.ndarray, "..."], signed: bool) -> tuple[float, float]:
    known = shown[np.isfinite(shown)]
    if not len(known):
        return 0.0, 1.0
    if signed:
        most = float(np.percentile(np.abs(known), 97)) or 1.0
        return -most, most
    low, high = np.percentile(known, (1, 97))
    return float(low), float(high if high > low else low + 1.0)


def beliefs_picture(path: Path, losses: Mapping[str, Explanation]) -> None:
    """Draws what models that minimise losses say of a class, over its true probability."""

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color="#666666", linestyle=":", label="the truth")
        for number, (name, explanation) in enumerate(losses.items()):
            beliefs = explanation.beliefs
            if beliefs is not None:
                look = {"color": _COLOURS[number % 4], "linestyle": _STYLES[number % 4]}
                axes.plot(beliefs.truth, beliefs.predicted, label=name, linewidth=2, **look)
        axes.set_xlabel("true probability of a class, the others alike")
        axes.set_ylabel("what minimises the expected loss")
        axes.legend(frameon=False, fontsize="small")
        axes.set_aspect("equal")

    draw(path, 4.6, 3.9, 1, paint)
