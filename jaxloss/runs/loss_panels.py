"""What losses of each view look like as curves: which outputs move, and what is held."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxloss.losses.learned import LearnedLoss


class Panel(NamedTuple):
    """One curve of a loss.

    Attributes:
        title: what is held, the target for instance.
        label: what moves.
        places: where it moves to.
        values: ``(loss, places) -> values`` of the loss there.
    """

    title: str
    label: str
    places: Float[np.ndarray, " places"]
    values: Callable[[LearnedLoss, Float[np.ndarray, " places"]], Float[np.ndarray, " places"]]


def panels_of(losses: Sequence[LearnedLoss]) -> tuple[Panel, ...]:
    """Chooses what shows losses of one view beside each other.

    Predictions move where each loss is a sum over its elements, else the raw outputs do.
    """
    view = losses[0].view
    if all(loss.form.elementwise for loss in losses):
        return _PANELS.get(view, _CLASSES)
    return _WHOLE_PANELS[view]


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
    Panel(
        "y = 1",
        "predicted probability f of the right class (y = 1)",
        _PROBABILITIES,
        _over_predictions(1.0),
    ),
    Panel(
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
        Panel(
            f"target y = {target:g}",
            "prediction error f - y",
            _ERRORS,
            _over_predictions(target, target),
        )
        for target in (0.0, 1.0)
    ),
    "logits": (
        Panel(
            "two classes",
            "logit of the right class less that of the other",
            2 * _ERRORS,
            _over_outputs((0.5, -0.5), (1.0, 0.0)),
        ),
        Panel(
            "ten classes",
            "logit of the right class less that of each other",
            2 * _ERRORS,
            _over_outputs((1.0, *[0.0] * 9), (1.0, *[0.0] * 9)),
        ),
    ),
    "boxes": (
        Panel(
            "box of the right size, moved sideways",
            "raw output of the centre",
            _ERRORS / 2,
            _over_outputs((1.0, 0.0, 0.0, 0.0), _MIDDLE),
        ),
        Panel(
            "box in the right place, too small or too large",
            "raw output of the sides",
            _ERRORS / 2,
            _over_outputs((0.0, 0.0, 1.0, 1.0), _MIDDLE),
        ),
    ),
    "cell_classes": (
        Panel(
            "cell with an object",
            "logit of its class less that of the background",
            2 * _ERRORS,
            _in_cell((0.5, -0.5, 0.0, 0.0, 0.0, 0.0), (0.0, *[8.0] * 4)),
        ),
        Panel(
            "cell without one",
            "logit of the class less that of the background",
            2 * _ERRORS,
            _in_cell((0.5, -0.5, 0.0, 0.0, 0.0, 0.0), (1.0, *[0.0] * 4)),
        ),
    ),
    "cell_boxes": (
        Panel(
            "box moved sideways",
            "raw output of the right side, less of the left",
            _ERRORS / 2,
            _in_cell((0.0, 0.0, -1.0, 0.0, 1.0, 0.0), (0.0, *[8.0] * 4)),
        ),
        Panel(
            "box in the right place, too small or too large",
            "raw output of the sides",
            _ERRORS / 2,
            _in_cell((0.0, 0.0, 1.0, 1.0, 1.0, 1.0), (0.0, *[8.0] * 4)),
        ),
    ),
    "anchors": (
        Panel(
            "embedding between two anchors",
            f"place between its own anchor (0) and another ({_APART:g})",
            np.linspace(-1.0, _APART + 1.0, 301),
            _between_anchors,
        ),
        Panel(
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
        Panel(
            "the background is right",
            "logit of the object's pixels",
            2 * _ERRORS,
            _in_mask(1.0),
        ),
        Panel(
            "the object is right",
            "logit of the background's pixels",
            2 * _ERRORS,
            _in_mask(0.0),
        ),
    ),
    "identity": (
        Panel("target y = 0", "prediction error f - y", _ERRORS, _over_outputs((1.0,), (0.0,))),
    ),
    "sigmoid": tuple(
        Panel(f"y = {label:g}", "logit", 2 * _ERRORS, _over_outputs((1.0,), (label,)))
        for label in (1.0, 0.0)
    ),
    "softmax": _PANELS["logits"],
}
"""What is drawn where a loss is no sum over its elements, or not of what the view shows."""
