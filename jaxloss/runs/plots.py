"""The pictures of a report. Colours are Okabe and Ito's, which colour-blind people tell apart."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxloss.learning.trials import Trials
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.comparison import Comparison
from jaxloss.runs.records import GenerationRecord
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
    parts = all(loss.form.elementwise for loss in (learned, task_loss))
    panels = _PANELS.get(learned.view, _CLASSES) if parts else _WHOLE_PANELS[learned.view]

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


class _Panel(NamedTuple):
    title: str
    label: str
    places: Float[np.ndarray, " places"]
    values: Callable[[LearnedLoss, Float[np.ndarray, " places"]], Float[np.ndarray, " places"]]


def _over_predictions(target: float, offset: float = 0.0) -> Callable[..., np.ndarray]:
    """Makes the values of a loss of predictions, for one target."""

    def values(loss: LearnedLoss, places: np.ndarray) -> np.ndarray:
        f = jnp.asarray(places + offset, jnp.float32)
        parameters = jnp.asarray(loss.parameters, jnp.float32)
        # A loss that is constant in f can be a number without an axis.
        seen = loss.family.apply(parameters, f, jnp.full_like(f, target))
        return np.broadcast_to(np.asarray(seen), places.shape)

    return values


def _over_outputs(direction: Sequence[float], target: Sequence[float]) -> Callable[..., np.ndarray]:
    """Makes the values of a loss of raw outputs that move along a line, for one target."""

    def values(loss: LearnedLoss, places: np.ndarray) -> np.ndarray:
        outputs = jnp.asarray(np.outer(places, direction), jnp.float32)
        targets = jnp.broadcast_to(jnp.asarray(target, jnp.float32), outputs.shape)
        return np.asarray(loss(outputs, targets))

    return values


def _between_anchors(loss: LearnedLoss, places: np.ndarray) -> np.ndarray:
    """Gives the values where an embedding goes from its own anchor, at 0, to another one."""
    anchors = np.broadcast_to([[0.0], [_APART]], (len(places), 2, 1))
    return _of_each(loss, np.concatenate([places[:, None, None], anchors], 1))


def _nearing_anchor(loss: LearnedLoss, places: np.ndarray) -> np.ndarray:
    """Gives the values where another anchor lies beside an embedding that is on its own."""
    own = np.zeros((len(places), 2, 1))
    return _of_each(loss, np.concatenate([own, places[:, None, None]], 1))


def _of_each(loss: LearnedLoss, outputs: np.ndarray) -> np.ndarray:
    """Gives the values of examples that have anchors of their own, one by one."""
    target = jnp.zeros(1, jnp.int32)
    values = jax.vmap(lambda one: loss(one[None], target)[0])(jnp.asarray(outputs, jnp.float32))
    return np.asarray(values)


def _in_cell(
    direction: Sequence[float], target: Sequence[float]
) -> Callable[[LearnedLoss, np.ndarray], np.ndarray]:
    """Makes the values of a detector's loss where the outputs of one cell move along a line."""

    def values(loss: LearnedLoss, places: np.ndarray) -> np.ndarray:
        outputs = jnp.asarray(np.outer(places, direction), jnp.float32)[:, None]
        targets = jnp.broadcast_to(jnp.asarray(target, jnp.float32), (len(places), 1, 5))
        return np.asarray(loss(outputs, targets))

    return values


def _in_mask(label: float) -> Callable[[LearnedLoss, np.ndarray], np.ndarray]:
    """Makes the values of a loss of masks, 2 x 2 pixels of 4 x 4, where some logits move.

    Args:
        label: of the pixels whose logits move; the others are right.
    """
    mask = np.pad(np.ones((2, 2)), 1)

    def values(loss: LearnedLoss, places: np.ndarray) -> np.ndarray:
        moved = np.where(mask == label, places[:, None, None], _SURE * (2.0 * mask - 1.0))
        targets = jnp.broadcast_to(jnp.asarray(mask, jnp.float32), moved.shape)
        return np.asarray(loss(jnp.asarray(moved, jnp.float32), targets))

    return values


_SURE = 3.0
"""Size of the logit of pixels that are right, in pictures."""
_APART = 4.0
"""Where class anchor margin wants anchors to be: twice its usual margin."""

_PROBABILITIES = np.linspace(0.01, 0.99, 197)
_ERRORS = np.linspace(-3.0, 3.0, 301)
_CLASSES = (
    _Panel(
        "y = 1",
        "predicted probability f of the right class (y = 1)",
        _PROBABILITIES,
        _over_predictions(1.0),
    ),
    _Panel(
        "y = 0",
        "predicted probability f of a wrong class (y = 0)",
        _PROBABILITIES,
        _over_predictions(0.0),
    ),
)
_MIDDLE = (24.0, 24.0, 40.0, 40.0)
"""The box of all outputs 0."""
_PANELS = {
    "identity": tuple(
        _Panel(
            f"target y = {target:g}",
            "prediction error f - y",
            _ERRORS,
            _over_predictions(target, target),
        )
        for target in (0.0, 1.0)
    ),
    "logits": (
        _Panel(
            "two classes",
            "logit of the right class less that of the other",
            2 * _ERRORS,
            _over_outputs((0.5, -0.5), (1.0, 0.0)),
        ),
        _Panel(
            "ten classes",
            "logit of the right class less that of each other",
            2 * _ERRORS,
            _over_outputs((1.0, *[0.0] * 9), (1.0, *[0.0] * 9)),
        ),
    ),
    "boxes": (
        _Panel(
            "box of the right size, moved sideways",
            "raw output of the centre",
            _ERRORS / 2,
            _over_outputs((1.0, 0.0, 0.0, 0.0), _MIDDLE),
        ),
        _Panel(
            "box in the right place, too small or too large",
            "raw output of the sides",
            _ERRORS / 2,
            _over_outputs((0.0, 0.0, 1.0, 1.0), _MIDDLE),
        ),
    ),
    "cell_classes": (
        _Panel(
            "cell with an object",
            "logit of its class less that of the background",
            2 * _ERRORS,
            _in_cell((0.5, -0.5, 0.0, 0.0, 0.0, 0.0), (0.0, *[8.0] * 4)),
        ),
        _Panel(
            "cell without one",
            "logit of the class less that of the background",
            2 * _ERRORS,
            _in_cell((0.5, -0.5, 0.0, 0.0, 0.0, 0.0), (1.0, *[0.0] * 4)),
        ),
    ),
    "cell_boxes": (
        _Panel(
            "box moved sideways",
            "raw output of the right side, less of the left",
            _ERRORS / 2,
            _in_cell((0.0, 0.0, -1.0, 0.0, 1.0, 0.0), (0.0, *[8.0] * 4)),
        ),
        _Panel(
            "box in the right place, too small or too large",
            "raw output of the sides",
            _ERRORS / 2,
            _in_cell((0.0, 0.0, 1.0, 1.0, 1.0, 1.0), (0.0, *[8.0] * 4)),
        ),
    ),
    "anchors": (
        _Panel(
            "embedding between two anchors",
            f"place between its own anchor (0) and another ({_APART:g})",
            np.linspace(-1.0, _APART + 1.0, 301),
            _between_anchors,
        ),
        _Panel(
            "embedding on its own anchor",
            "distance of another anchor",
            np.linspace(0.0, 1.5 * _APART, 301),
            _nearing_anchor,
        ),
    ),
}
"""What is drawn for losses of each view; of classes where none is named."""
_PANELS["masks"] = tuple(
    panel._replace(title=title, label=f"predicted probability f of a pixel of the {what}")
    for panel, what, title in zip(
        _CLASSES,
        ("object", "background"),
        ("pixel of the object (y = 1)", "pixel of the background (y = 0)"),
        strict=True,
    )
)
_WHOLE_PANELS = _PANELS | {
    "masks": (
        _Panel(
            "the background is right",
            "logit of the object's pixels",
            2 * _ERRORS,
            _in_mask(1.0),
        ),
        _Panel(
            "the object is right",
            "logit of the background's pixels",
            2 * _ERRORS,
            _in_mask(0.0),
        ),
    ),
    "identity": (
        _Panel("target y = 0", "prediction error f - y", _ERRORS, _over_outputs((1.0,), (0.0,))),
    ),
    "sigmoid": tuple(
        _Panel(f"y = {label:g}", "logit", 2 * _ERRORS, _over_outputs((1.0,), (label,)))
        for label in (1.0, 0.0)
    ),
    "softmax": _PANELS["logits"],
}
"""What is drawn where a loss is no sum over its elements, or not of what the view shows."""


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
            mean, deviation = _curve(trials)
            steps = np.arange(1, len(mean) + 1) * (comparison.steps // len(mean))
            axes.plot(steps, mean, style, color=colour, label=name, linewidth=2)
            axes.fill_between(
                steps, mean - deviation, mean + deviation, color=colour, alpha=0.18, linewidth=0
            )
            # The first steps of a training can be so far off that nothing else would be seen.
            late = slice(len(mean) // 10, None)
            shown += [*(mean - deviation)[late], *(mean + deviation)[late]]
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
) -> tuple[Float[np.ndarray, " observations"], Float[np.ndarray, " observations"]]:
    """Averages over the seeds whose trainings did not fail; NaN where all did."""
    curve = np.asarray(trials.curve, np.float64)
    sound = curve[np.isfinite(curve).all(axis=1)]
    if not len(sound):
        return np.full(curve.shape[1], np.nan), np.full(curve.shape[1], np.nan)
    return sound.mean(axis=0), sound.std(axis=0)


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
