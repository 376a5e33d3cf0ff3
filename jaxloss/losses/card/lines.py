"""The straight ways through a model's outputs along which a loss is looked at."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num

from jaxloss.losses.card.finding import listed, written
from jaxloss.losses.card.probe import Probe, boxes_of
from jaxloss.losses.card.subject import Subject

TARGETS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
"""Targets of regression, which tasks scale to mean 0 and standard deviation 1."""
POSITIVE_TARGETS = (0.0, 0.5, 1.0, 2.0, 5.0)
VECTOR_WIDTH = 3
PLACES = 401
"""How many places of a line are looked at; odd, so that the middle is one of them."""
_MANY = 20
_THROUGH_ZERO = 5
_SEED = 0
Lined = Float[np.ndarray, "lines places"]


@dataclass(frozen=True)
class Lines:
    """Outputs ``start + t·direction`` for places t, each line with one target.

    Attributes:
        labels: what each line is.
        starts: outputs at t = 0.
        directions: how the outputs move with t.
        targets: as the loss takes them.
        reach: how far t goes to either side where the loss is looked at closely.
        least: outputs below it are none of the loss's business.
    """

    labels: tuple[str, ...]
    starts: Float[np.ndarray, "lines width"]
    directions: Float[np.ndarray, "lines width"]
    targets: Num[np.ndarray, "lines ..."]
    reach: float
    least: float = -np.inf

    def outputs(self, places: Lined) -> Float[np.ndarray, "lines places width"]:
        """Finds the outputs at some places."""
        return self.starts[:, None] + places[..., None] * self.directions[:, None]

    @property
    def grid(self) -> Lined:
        """Places from one end of the reach to the other."""
        return np.tile(np.linspace(-self.reach, self.reach, PLACES), (len(self.labels), 1))


class Along(NamedTuple):
    """A loss along lines.

    Attributes:
        places: where, as t.
        values: the loss, NaN where it is undefined.
        slopes: its derivative along the line.
        steepness: length of its gradient by all outputs.
    """

    places: Lined
    values: Lined
    slopes: Lined
    steepness: Lined


def along(
    probe: Probe, lines: Lines, places: Lined, double: bool = True, everywhere: bool = False
) -> Along:
    """Evaluates a loss along lines.

    Args:
        probe: the loss.
        lines: where.
        places: t, for each line.
        double: whether in double precision.
        everywhere: whether also at outputs that are none of its business; else NaN there.
    """
    outputs, shape = lines.outputs(places), places.shape
    width = outputs.shape[-1]
    targets = np.repeat(lines.targets, shape[1], axis=0)
    found = probe(outputs.reshape(-1, width), targets, double)
    gradients = found.gradients.reshape(*shape, width)
    with np.errstate(all="ignore"):
        slopes = np.sum(gradients * lines.directions[:, None], axis=-1)
        steepness = np.linalg.norm(gradients, axis=-1)
    outside = np.any(outputs < lines.least, axis=-1) & (not everywhere)
    values, slopes, steepness = (
        np.where(outside | np.isnan(array), np.nan, array)
        for array in (found.values.reshape(shape), slopes, steepness)
    )
    return Along(places, values, slopes, steepness)


def main_lines(subject: Subject, classes: int) -> Lines:
    """The lines that lead to the target: t is the error, or the margin of the right class."""
    if subject.view == "boxes":
        return _box_lines()
    if subject.view == "sigmoid":
        labels = ("label 1", "label 0")
        ways = np.array([[1.0], [-1.0]])
        return Lines(labels, np.zeros((2, 1)), ways, np.array([[1.0], [0.0]]), 20.0)
    if subject.is_classifier:
        return _class_lines(classes)
    least = 0.0 if subject.positive else -np.inf
    if subject.vectors:
        return _vector_lines(subject.positive, least)
    targets = np.array(POSITIVE_TARGETS if subject.positive else TARGETS)[:, None]
    labels = tuple(f"y = {written(target)}" for target in targets[:, 0])
    return Lines(labels, targets, np.ones_like(targets), targets, 10.0, least)


def _class_lines(classes: int) -> Lines:
    """The right class against all others alike, for two classes; and against one other."""
    eye = np.eye(classes)
    starts = np.zeros((3, classes))
    starts[2, 2:] = -40.0
    labels = ("the first class", f"class {classes}", "the first class against the second alone")
    return Lines(labels, starts, eye[[0, -1, 0]], np.array([0, classes - 1, 0]), 20.0)


def _vector_lines(positive: bool, least: float) -> Lines:
    random = np.random.default_rng(_SEED)
    targets = random.normal(size=(3, VECTOR_WIDTH))
    targets = np.abs(targets) if positive else targets
    diagonal = np.full(VECTOR_WIDTH, 1 / np.sqrt(VECTOR_WIDTH))
    ways = np.array([np.eye(VECTOR_WIDTH)[0], diagonal, unit(random, VECTOR_WIDTH)])
    targets, ways = np.repeat(targets, 3, axis=0), np.tile(ways, (3, 1))
    names = [f"y = ({', '.join(written(part, 2) for part in row)})" for row in targets]
    kinds = ("one output moves", "all move alike", "all move") * 3
    labels = tuple(f"{name}, {kind}" for name, kind in zip(names, kinds, strict=True))
    return Lines(labels, targets, ways, targets, 10.0, least)


def _box_lines() -> Lines:
    """Boxes moved and stretched; the true ones are what some outputs decode to."""
    truths = np.array([[0.0, 0.0, 0.0, 0.0], [0.5, -0.7, 0.4, -0.3]])
    ways = np.array([[1.0, 0, 0, 0], [1.0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 1.0, 1.0]])
    kinds = ("moved sideways", "moved aslant", "stretched in width", "stretched")
    boxes = boxes_of(truths)
    labels = tuple(f"box {place + 1} {kind}" for place in range(2) for kind in kinds)
    starts, targets = np.repeat(truths, 4, axis=0), np.repeat(boxes, 4, axis=0)
    return Lines(labels, starts, np.tile(ways, (2, 1)), targets, 3.0)


def random_lines(subject: Subject, main: Lines) -> Lines | None:
    """Lines through random outputs in random directions, where there is more than one output."""
    width = main.starts.shape[1]
    if width == 1:
        return None
    random = np.random.default_rng(_SEED + 1)
    starts = random.normal(size=(_MANY, width)) * (1.0 if subject.view == "boxes" else 2.0)
    ways = np.array([unit(random, width) for _ in range(_MANY)])
    if subject.vectors:
        # A direction of its own is all that counts to some losses.
        starts[:_THROUGH_ZERO] = 0.0
    targets = main.targets[np.arange(_MANY) % len(main.targets)]
    if subject.is_classifier:
        targets = np.arange(_MANY) % width
    labels = tuple(f"random line {place + 1}" for place in range(_MANY))
    return Lines(labels, starts, ways, targets, min(main.reach, 10.0), main.least)


def unit(random: np.random.Generator, width: int) -> Float[np.ndarray, " width"]:
    """Draws a direction."""
    way = random.normal(size=width)
    return way / np.linalg.norm(way)


def where_words(subject: Subject, lines: Lines) -> str:
    """Says which outputs and targets the lines are, for people."""
    reach, count = written(lines.reach), PLACES
    if subject.view == "boxes":
        return (
            f"at {count} boxes on each of {len(lines.labels)} ways past a true box: "
            f"moved and stretched, raw outputs within {reach} of the best"
        )
    if subject.view == "sigmoid":
        return f"at {count} outputs from -{reach} to {reach}, for labels 1 and 0"
    if subject.is_classifier:
        classes = lines.starts.shape[1]
        return (
            f"at {count} margins of the right class from -{reach} to {reach}, over all others "
            f"alike and over one alone, {classes} classes"
        )
    if subject.vectors:
        return (
            f"at {count} predictions within {reach} of the target on each of "
            f"{len(lines.labels)} ways past it, {VECTOR_WIDTH} outputs for an example"
        )
    above = ", from f = 0 on" if subject.positive else ""
    targets = listed([written(target) for target in lines.targets[:, 0]])
    return f"at {count} predictions within {reach} of the target{above}, for y = {targets}"
