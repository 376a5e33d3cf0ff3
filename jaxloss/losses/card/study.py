"""A loss evaluated wherever a card looks: near the target, far from it, and across."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxloss.losses.card.finding import share, written
from jaxloss.losses.card.lines import (
    Along,
    Lined,
    Lines,
    along,
    main_lines,
    random_lines,
    where_words,
)
from jaxloss.losses.card.probe import Probe
from jaxloss.losses.card.subject import Subject

CLASSES = 10
"""Classes that a card looks at by default: as many as MNIST, CIFAR-10 and SVHN have, on which the
learned losses of the literature were judged. The smoothing that a loss implies depends on it."""
DECADES = np.arange(-9, 8.01, 0.25)
"""Powers of ten of the distances that far and near are."""
_ROUNDING = 1e-10
"""What sums of a few numbers of about 1 can be off by, with a margin."""
_AROUND_ZERO = np.arange(-9, 0.01, 0.25)


@dataclass(frozen=True, eq=False)
class Study:
    """What was evaluated, for all findings to share.

    Attributes:
        subject: the loss.
        probe: evaluates it elsewhere too.
        lines: ways to the target, past it and beyond.
        grid: the loss along them, evenly.
        far: the loss along them at distances by powers of ten, and around an output of 0.
        across: lines in random directions, the loss along them, and far out on them; where there
            are several outputs.
    """

    subject: Subject
    probe: Probe
    lines: Lines
    grid: Along
    far: Along
    across: tuple[Lines, Along, Along] | None

    @property
    def where(self) -> str:
        """Says where the loss was looked at closely."""
        return where_words(self.subject, self.lines)

    @property
    def width(self) -> int:
        """Outputs of an example."""
        return self.lines.starts.shape[1]

    @property
    def step(self) -> float:
        """Distance of neighbours on the grid."""
        return float(self.grid.places[0, 1] - self.grid.places[0, 0])

    @property
    def scale(self) -> Float[np.ndarray, " lines"]:
        """How much the loss varies on each line, however far out; see `measure`."""
        finite = np.where(np.isfinite(self.grid.values), self.grid.values, np.nan)
        spread = np.array([np.ptp(row[~np.isnan(row)]) if _any(row) else 0.0 for row in finite])
        size = np.array([np.max(np.abs(row[~np.isnan(row)])) if _any(row) else 0 for row in finite])
        # Where the loss is all but constant, its size says how large rounding errors are.
        return np.maximum(spread, 1e-6 * size) + 1e-300

    @property
    def is_constant(self) -> bool:
        """Whether the loss is one number everywhere, but for rounding errors."""
        found = [self.grid, self.far, *(self.across[1:] if self.across else [])]
        values = np.concatenate([part.values.ravel() for part in found])
        steepness = np.concatenate([part.steepness.ravel() for part in found])
        return bool(np.ptp(values) < _ROUNDING and np.all(steepness < _ROUNDING))

    def at(self, places: Lined, everywhere: bool = False) -> Along:
        """Evaluates the loss elsewhere on the lines."""
        return along(self.probe, self.lines, places, everywhere=everywhere)

    def place_words(self, line: int, place: float) -> str:
        """Says which prediction a place is: ``f = 1.5 for y = 1``, ``a margin of 2``."""
        subject, lines = self.subject, self.lines
        if subject.is_classifier:
            words = f"a margin of {written(place)}"
            if not subject.scores and line < 2:
                words = f"p = {share(self.probability(place))}"
            return words if line == 0 else f"{words} ({lines.labels[line]})"
        if subject.view == "boxes" or subject.vectors:
            return f"t = {written(place)} ({lines.labels[line]})"
        return f"f = {written(lines.starts[line, 0] + place)} for {lines.labels[line]}"

    def probability(self, margin: float) -> float:
        """Computes the probability of the right class, all others alike."""
        others = 1 if self.subject.view == "sigmoid" else self.width - 1
        with np.errstate(over="ignore"):
            return float(1.0 / (1.0 + others * np.exp(-margin)))


def measure(
    scale: Float[np.ndarray, "..."], values: Float[np.ndarray, "..."] | float
) -> Float[np.ndarray, "..."]:
    """Finds what differences are held against where a loss has such values: far less is rounding.

    Args:
        scale: how much the loss varies on the same lines. Of a loss that is huge far out it says
            nothing of what happens near the minimum.
        values: the loss where one stands.
    """
    return np.minimum(scale, 1.0 + np.abs(values))


def _any(row: Float[np.ndarray, " places"]) -> bool:
    return bool(np.any(~np.isnan(row)))


def study(subject: Subject, classes: int = CLASSES) -> Study:
    """Evaluates a loss wherever a card looks at it."""
    looked = _looked(subject, Probe(subject.loss), main_lines(subject, classes))
    if looked.is_constant:
        # What is left are rounding errors, in which every finding would see something.
        return _looked(subject, Probe(_constant), looked.lines)
    return looked


def _looked(subject: Subject, probe: Probe, lines: Lines) -> Study:
    others = random_lines(subject, lines)
    across = None
    if others is not None:
        far = along(probe, others, far_places(subject, others))
        across = (others, along(probe, others, others.grid[:, ::2]), far)
    far = along(probe, lines, far_places(subject, lines))
    return Study(subject, probe, lines, along(probe, lines, lines.grid), far, across)


def _constant(outputs: Array, targets: Array) -> Array:
    del targets
    return jnp.sum(0.0 * outputs, axis=-1)


def far_places(subject: Subject, lines: Lines) -> Lined:
    """Places near the middle and far from it on both sides, and around an output of 0."""
    sizes = 10.0**DECADES
    places = np.tile(np.concatenate([-sizes[::-1], sizes]), (len(lines.labels), 1))
    if subject.view != "identity" or subject.vectors or lines.starts.shape[1] > 1:
        return places
    near = 10.0**_AROUND_ZERO
    zero = -lines.starts[:, :1]
    return np.concatenate([places, zero - near, zero + near], axis=1)
