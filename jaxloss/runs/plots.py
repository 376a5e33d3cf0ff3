"""The pictures of a report. Colours are Okabe and Ito's, which colour-blind people tell apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxloss.learning.trials import Trials
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.comparison import Comparison
from jaxloss.runs.loss_panels import panels_of
from jaxloss.runs.records import GenerationRecord
from jaxloss.runs.statistics import summarise
from jaxloss.search.search import FrontEntry

TASK_COLOUR = "#0072B2"
LEARNED_COLOUR = "#D55E00"
_OTHER_COLOUR = "#666666"


def draw(path: Path, width: float, height: float, panels: int, paint: Callable[..., None]) -> None:
    """Draws a picture and saves it; ``paint`` is given one axes object for each panel."""
    # Matplotlib takes most of a second to import. Figure alone needs no display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=130)
    axes = [figure.add_subplot(1, panels, panel + 1) for panel in range(panels)]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25)
    paint(*axes)
    figure.savefig(path, format="png", metadata={"Software": None})


def fitness_picture(
    path: Path, records: list[GenerationRecord], metric: str, higher_is_better: bool
) -> None:
    """Draws the best value of the metric so far, over the generations."""
    sign = -1.0 if higher_is_better else 1.0
    known = [
        (record.generation, sign * record.best_fitness)
        for record in records
        if record.best_fitness is not None
    ]

    def paint(axes: Any) -> None:
        if known:
            numbers, values = zip(*known, strict=True)
            axes.step(numbers, values, where="post", color=LEARNED_COLOUR, marker="o")
        else:
            axes.text(0.5, 0.5, "no candidate survived", ha="center", transform=axes.transAxes)
        axes.set_xlabel("generation")
        axes.set_ylabel(_metric_label(metric, higher_is_better))
        axes.set_title("Best candidate so far (validation split)")
        axes.xaxis.get_major_locator().set_params(integer=True)

    draw(path, 6.0, 3.6, 1, paint)


def loss_picture(path: Path, learned: LearnedLoss, task_loss: LearnedLoss) -> None:
    """Draws both losses as curves, each shifted and scaled to lie within 0 and 1.

    Only the shape of a loss can be compared: a factor acts like another step size, and a constant
    does not act at all.
    """
    panels = panels_of((learned, task_loss))

    def paint(*drawn: Any) -> None:
        for axes, panel in zip(drawn, panels, strict=True):
            for loss, name, colour, style in (
                (task_loss, "task loss", TASK_COLOUR, "--"),
                (learned, "learned loss", LEARNED_COLOUR, "-"),
            ):
                curve = scaled(panel.values(loss, panel.places))
                axes.plot(panel.places, curve, style, color=colour, label=name, linewidth=2)
            axes.set_ylim(-0.05, 1.05)
            axes.set_ylabel("loss, shifted and scaled")
            axes.set_xlabel(panel.label)
            axes.set_title(panel.title)
        drawn[0].legend(frameon=False)

    draw(path, 9.0, 3.6, len(panels), paint)


def scaled(values: Float[np.ndarray, " places"]) -> Float[np.ndarray, " places"]:
    """Shifts and scales a curve to lie within 0 and 1; what is not finite becomes NaN."""
    finite = np.where(np.isfinite(values), values, np.nan)
    if np.all(np.isnan(finite)):
        return finite
    low, high = np.nanmin(finite), np.nanmax(finite)
    return (finite - low) / (high - low) if high > low else np.zeros_like(finite)


def training_picture(path: Path, comparison: Comparison) -> None:
    """Draws the metric on the validation split during training: mean and deviation over seeds."""
    sides = (
        (comparison.task_trials, "task loss", TASK_COLOUR, "--"),
        (comparison.learned_trials, "learned loss", LEARNED_COLOUR, "-"),
    )

    def paint(axes: Any) -> None:
        shown: list[float] = []
        for trials, name, colour, style in sides:
            mean, deviation, seeds = _curve(trials)
            steps = np.arange(1, len(mean) + 1) * (comparison.steps // len(mean))
            all_drawn = seeds == comparison.seeds
            label = name if all_drawn else f"{name} ({seeds} of {comparison.seeds} seeds)"
            axes.plot(steps, mean, style, color=colour, label=label, linewidth=2)
            axes.fill_between(
                steps, mean - deviation, mean + deviation, color=colour, alpha=0.18, linewidth=0
            )
            # The first steps of a training can be so far off that nothing else would be seen.
            late = slice(len(mean) // 10, None)
            shown += [*mean[late], *(mean - deviation)[late], *(mean + deviation)[late]]
        finite = [value for value in shown if np.isfinite(value)]
        if finite and max(finite) > min(finite):
            margin = 0.05 * (max(finite) - min(finite))
            axes.set_ylim(min(finite) - margin, max(finite) + margin)
        axes.set_xlabel("training step")
        axes.set_ylabel(_metric_label(comparison.metric, comparison.higher_is_better))
        axes.set_title(f"Training, validation split (mean ± std, {comparison.seeds} seeds)")
        axes.legend(frameon=False)

    draw(path, 6.0, 3.6, 1, paint)


def _curve(
    trials: Trials,
) -> tuple[Float[np.ndarray, " observations"], Float[np.ndarray, " observations"], int]:
    """Gives mean and deviation over the seeds whose values are all finite, and their number."""
    curve = np.asarray(trials.curve, np.float64)
    sound = curve[np.isfinite(curve).all(axis=1)]
    points = [summarise(values) for values in sound.T]
    mean = np.array([point.mean for point in points])
    return mean, np.array([point.deviation for point in points]), len(sound)


def front_picture(path: Path, front: list[FrontEntry], metric: str, higher_is_better: bool) -> None:
    """Draws size against fitness for the losses that no smaller one beats."""
    sign = -1.0 if higher_is_better else 1.0

    def paint(axes: Any) -> None:
        sizes = [entry.size for entry in front]
        values = [sign * entry.fitness for entry in front]
        if front:
            axes.step(sizes, values, where="post", color=_OTHER_COLOUR, linewidth=1)
            axes.plot(sizes, values, "o", color=LEARNED_COLOUR)
        axes.set_xlabel("size (nodes of a tree, else parameters)")
        axes.set_ylabel(_metric_label(metric, higher_is_better))
        axes.set_title("Losses that no smaller one beats")
        axes.xaxis.get_major_locator().set_params(integer=True)

    draw(path, 6.0, 3.6, 1, paint)


def _metric_label(metric: str, higher_is_better: bool) -> str:
    return f"{metric} ({'higher' if higher_is_better else 'lower'} is better)"
