"""What pictures of a loss show: curves, the surface over prediction and target, beliefs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.lines import Along
from jaxloss.losses.card.probe import Loss, Probe
from jaxloss.losses.card.study import Study

_SIDE = 101
_REACH = 3.0
"""How far predictions and targets of regression are drawn, in standard deviations of the target."""
_ERRORS = 4.0
_MARGIN = 5.0
_CERTAIN = 12.0
"""A margin at which a model is all but certain."""
_DRAWN = {5: (0, 2, 4), 7: (1, 3, 5)}
"""Which targets are drawn, of as many as are looked at."""


class Curve(NamedTuple):
    """A loss along one line.

    Attributes:
        label: what the line is; empty if there is but one.
        places: where, on the horizontal axis.
        values: the loss.
        slopes: its derivative.
    """

    label: str
    places: Float[np.ndarray, " places"]
    values: Float[np.ndarray, " places"]
    slopes: Float[np.ndarray, " places"]


class Curves(NamedTuple):
    """Curves that belong in one picture.

    Attributes:
        axis: what the horizontal axis is.
        slope: what the derivative is by.
        curves: the curves.
    """

    axis: str
    slope: str
    curves: tuple[Curve, ...]


class Surface(NamedTuple):
    """The loss of one prediction and one target.

    Attributes:
        predictions: values of f.
        targets: values of y.
        values: the loss.
        slopes: its derivative by f.
    """

    predictions: Float[np.ndarray, " predictions"]
    targets: Float[np.ndarray, " targets"]
    values: Float[np.ndarray, "targets predictions"]
    slopes: Float[np.ndarray, "targets predictions"]


class Beliefs(NamedTuple):
    """What a model that minimises the loss says of a class, over that class's true probability.

    Attributes:
        truth: the true probability, the rest shared evenly among the other classes.
        predicted: the probability with the least expected loss, the others alike.
    """

    truth: Float[np.ndarray, " problems"]
    predicted: Float[np.ndarray, " problems"]


def curves(study: Study) -> Curves:
    """Draws the loss along the lines to the target."""
    subject, grid = study.subject, study.grid
    if subject.is_classifier and subject.scores:
        near = np.abs(grid.places[0]) <= _MARGIN
        name = "score times label (1 or -1)" if study.width == 1 else "margin of the right class"
        return Curves(name, "output of the right class", _kept(study, grid, near, grid.places))
    if subject.is_classifier:
        others = 1 if study.width == 1 else study.width - 1
        p = np.linspace(0.002, 0.998, 499)
        found = study.at(np.tile(np.log(p * others / (1 - p)), (len(grid.places), 1)))
        shown = np.tile(p, (len(grid.places), 1))
        return Curves(
            "predicted probability p of the right class",
            "output of the right class",
            _kept(study, found, np.full(len(p), True), shown),
        )
    if subject.view == "boxes":
        near = np.full(grid.places.shape[1], True)
        drawn = _kept(study, grid, near, grid.places, range(4))
        return Curves("raw output less that of the true box", "raw outputs, along the way", drawn)
    if subject.vectors:
        near = np.abs(grid.places[0]) <= _ERRORS
        return Curves(
            "distance from the target",
            "predictions, along the way",
            _kept(study, grid, near, grid.places, range(3)),
        )
    near = np.abs(grid.places[0]) <= _ERRORS
    shown = study.lines.starts + grid.places
    lines = _DRAWN[len(shown)]
    return Curves("prediction f", "f", _kept(study, grid, near, shown, lines))


def _kept(
    study: Study,
    found: Along,
    near: np.ndarray,
    shown: Float[np.ndarray, "lines places"],
    lines: range | tuple[int, ...] | None = None,
) -> tuple[Curve, ...]:
    """Chooses lines; of classes that are treated alike, one is enough."""
    labels = study.lines.labels
    if lines is None:
        alike = np.allclose(found.values[0], found.values[1], rtol=1e-9, atol=1e-12, equal_nan=True)
        lines = (0,) if alike else (0, 1)
    return tuple(
        Curve(
            labels[line] if len(lines) > 1 else "",
            shown[line][near],
            found.values[line][near],
            found.slopes[line][near],
        )
        for line in lines
    )


def element_curves(study: Study) -> Curves | None:
    """Draws one element of a classification loss over its probability; None if it has no such."""
    loss = study.subject.elementwise
    if loss is None or not study.subject.is_classifier:
        return None
    f = np.linspace(0.002, 0.998, 499)
    drawn = list[Curve]()
    for target, label in ((1.0, "y = 1, the right class"), (0.0, "y = 0, a wrong class")):
        found = Probe(loss)(f[:, None], np.full((len(f), 1), target))
        drawn.append(Curve(label, f, found.values, found.gradients[:, 0]))
    return Curves("predicted probability f", "f", tuple(drawn))


def surface(study: Study) -> Surface | None:
    """Computes the loss of every pair of prediction and target; None if it is no sum of such."""
    loss: Loss | None = study.subject.elementwise
    if loss is None:
        return None
    if study.subject.is_classifier:
        f = y = np.linspace(0.005, 0.995, _SIDE)
    elif study.subject.positive:
        f = y = np.linspace(0.0, 2 * _REACH, _SIDE)
    else:
        f = y = np.linspace(-_REACH, _REACH, _SIDE)
    pairs = np.stack(np.meshgrid(f, y), -1).reshape(-1, 2)
    found = Probe(loss)(pairs[:, :1], pairs[:, 1:])
    shape = (len(y), len(f))
    return Surface(f, y, found.values.reshape(shape), found.gradients.reshape(shape))


def beliefs(study: Study) -> Beliefs | None:
    """Finds what the loss makes a model say of a class; None for losses of scores."""
    subject = study.subject
    if not subject.is_classifier or subject.scores:
        return None
    margins = np.linspace(-_CERTAIN, _CERTAIN, 2001)
    outputs = margins[:, None] * study.lines.directions[0]
    labels = study.lines.targets[[0, 1]] if study.width == 1 else np.array([0, 1])
    own, rival = (
        study.probe(outputs, np.repeat(label[None], len(outputs), axis=0)).values
        for label in labels
    )
    truth = np.linspace(0.0, 1.0, 101)
    expected = truth[:, None] * own + (1 - truth[:, None]) * rival
    best = np.argmin(np.where(np.isnan(expected), np.inf, expected), 1)
    return Beliefs(truth, np.array([study.probability(float(margins[one])) for one in best]))
