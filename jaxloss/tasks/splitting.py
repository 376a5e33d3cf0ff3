"""Draws disjoint training, validation and test rows, each class in each split."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from jaxloss.errors import InvalidInputError, require

MINIMUM_ROWS = 10
"""Fewer rows than this cannot be divided in three with any meaning (*assumed*)."""

Rows = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class SplitSettings:
    """How rows are divided; what the fractions leave of one is not used.

    With a test set of its own, a task divides its other rows in the proportion train : valid.

    Raises:
        InvalidInputError: a fraction is not above zero, or the sum is above one.
    """

    train: float = 0.6
    """Fraction of the rows that moves the model's parameters (*assumed*)."""

    valid: float = 0.2
    """Fraction that steers the meta-gradient and the fitness (*assumed*)."""

    test: float = 0.2
    """Fraction that only the final comparison sees (*assumed*)."""

    seed: int = 0
    """Seed of the shuffle; equal seeds give equal splits."""

    def __post_init__(self) -> None:
        fractions = {"train": self.train, "valid": self.valid, "test": self.test}
        for name, fraction in fractions.items():
            require(
                math.isfinite(fraction) and fraction > 0,
                f"the {name} fraction must be above 0, got {fraction}",
            )
        total = sum(fractions.values())
        # A sum such as 0.7 + 0.2 + 0.1 may pass one by rounding.
        require(total <= 1 + 1e-9, f"train, valid and test fractions sum to {total}, at most 1")
        require(self.seed >= 0, f"the split seed must be 0 or more, got {self.seed}")


def split_rows(
    classes: Int[np.ndarray, " rows"] | None,
    rows: int,
    settings: SplitSettings,
    class_names: tuple[str, ...] = (),
    own_test: bool = False,
) -> tuple[Rows, Rows, Rows]:
    """Draws the rows of the three splits.

    Args:
        classes: the class of each row, to be divided in equal proportion; None for regression.
        rows: how many rows there are.
        settings: fractions and seed.
        class_names: for the error messages.
        own_test: the task brings its test set, so the rows are divided in two.

    Returns:
        Row numbers for train, valid and test, in random order; test is empty with ``own_test``.

    Raises:
        InvalidInputError: too few rows, or a class with too few to be in each split.
    """
    require(
        rows >= MINIMUM_ROWS,
        f"too few rows to divide into train, valid and test: {rows}; at least {MINIMUM_ROWS} "
        "are needed",
    )
    known = settings.train + settings.valid
    fractions = (settings.train, settings.valid, settings.test)
    if own_test:
        fractions = (settings.train / known, settings.valid / known)
    generator = np.random.default_rng(settings.seed)
    groups = [np.arange(rows)]
    if classes is not None:
        groups = [np.flatnonzero(classes == number) for number in np.unique(classes)]
    parts: list[list[Rows]] = [[] for _ in fractions]
    for number, group in enumerate(groups):
        if len(group) < len(fractions):
            name = class_names[number] if class_names else str(number)
            raise InvalidInputError(
                f"class {name!r} has {len(group)} row(s); at least {len(fractions)} are needed, "
                "one for each split: add rows or remove the class"
            )
        shuffled = generator.permutation(group)
        edges = np.cumsum((0, *_sizes(len(group), fractions)))
        for part, start, end in zip(parts, edges[:-1], edges[1:], strict=True):
            part.append(shuffled[start:end])
    # Joined class by class, the rows would come sorted.
    splits = [generator.permutation(np.concatenate(part)) for part in parts]
    train, valid, *test = splits
    return train, valid, test[0] if test else np.empty(0, dtype=int)


def _sizes(rows: int, fractions: tuple[float, ...]) -> tuple[int, ...]:
    """Rounds the fractions of a group to rows, at least one each; training takes the rounding."""
    others = [max(1, round(rows * fraction)) for fraction in fractions[1:]]
    while sum(others) > rows - 1:
        others[others.index(max(others))] -= 1
    used = min(rows, max(len(fractions), round(rows * sum(fractions))))
    return (max(1, used - sum(others)), *others)
