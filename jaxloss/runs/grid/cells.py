"""The cells of a comparison: one row on one problem from one seed, and what came of it."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxloss.losses.tunable import ParameterRange
from jaxloss.runs.grid.budget import GridBudget
from jaxloss.runs.grid.evaluating import tuning_settings
from jaxloss.runs.grid.problems import ProblemSpec

_REVISION = 2
"""Raised when what all rows share changes and no settings say so."""

_REVISIONS = {"cse_autoloss": 3}
"""The same for rows of which only their own algorithm has changed."""

Identity = dict[str, Any]
"""All that decides what comes of a cell, in JSON's terms."""


class Row(NamedTuple):
    """What is compared: a method that learns losses, or a hand-made loss.

    Attributes:
        name: of the method, or of the loss in the zoo, with its parameters where they are not the
            defaults: ``huber:delta=0.5``.
        learned: whether it is a method.
    """

    name: str
    learned: bool


class Cell(NamedTuple):
    """One row on one problem from one seed."""

    row: Row
    problem: ProblemSpec
    seed: int


class CellResult(NamedTuple):
    """What came of a cell. Values are in the metric's own direction; None is a failed training.

    Attributes:
        test: metric on the test split, one for each evaluation training.
        valid: metric on the validation split.
        tuned_test: the same with learning rate, weight decay, steps and the loss's own parameters
            chosen on the validation split.
        tuned_valid: their metric on the validation split.
        tuned_training: what was chosen, by name; None if nothing was.
        loss: the learned loss in JSON's terms; None for a hand-made one.
        formula: the loss as people read it.
        training_steps: inner training steps that the search took, with those of the trainings that
            chose among its finalists, which its budget does not count.
        tuning_steps: training steps that the tuning took.
        seconds: what the cell took altogether; without the search, if that was known.
        note: what a reader should know, such as why the row cannot serve this problem.
    """

    test: tuple[float | None, ...] = ()
    valid: tuple[float | None, ...] = ()
    tuned_test: tuple[float | None, ...] = ()
    tuned_valid: tuple[float | None, ...] = ()
    tuned_training: dict[str, Any] | None = None
    loss: dict[str, Any] | None = None
    formula: str = ""
    training_steps: int = 0
    tuning_steps: int = 0
    seconds: float = 0.0
    note: str | None = None


class FinishedCell(NamedTuple):
    """A cell with its result."""

    cell: Cell
    result: CellResult


def revision_of(row: Row) -> int:
    """Numbers the algorithm behind a row: what an earlier one brought is not taken for its own."""
    return _REVISIONS.get(row.name, _REVISION)


def cell_identity(
    cell: Cell,
    search: Any,
    budget: GridBudget,
    data: str,
    optimizer: Any = None,
    ranges: Sequence[ParameterRange] = (),
) -> Identity:
    """Gathers all that decides what comes of a cell.

    What the problem is called, how many seeds there are, and where files go decide nothing.

    Args:
        cell: the cell.
        search: dataclass of the settings that the method runs with; None for a hand-made loss.
        budget: what every cell may spend. Only what this one spends counts, as it comes out.
        data: fingerprint of the problem's data.
        optimizer: dataclass of how networks are trained.
        ranges: where tuning looks for the loss's own parameters.
    """
    tuning = dataclasses.asdict(tuning_settings(budget)) if budget.tuning else None
    identity = {
        "revision": revision_of(cell.row),
        "row": cell.row.name,
        "learned": cell.row.learned,
        "task": cell.problem.task,
        "problem": dataclasses.asdict(cell.problem.settings),
        "seed": cell.seed,
        "search": None if search is None else dataclasses.asdict(search),
        "trainings": budget.trainings,
        "steps": budget.steps,
        "search_steps": budget.search_steps if cell.row.learned else None,
        "tuning": tuning,
        "ranges": [one._asdict() for one in ranges],
        "optimizer": None if optimizer is None else dataclasses.asdict(optimizer),
        "data": data,
    }
    return json.loads(json.dumps(identity, allow_nan=False))


_JUDGING = ("trainings", "steps", "tuning", "ranges")
"""The parts of an identity that a search has nothing to do with."""


def search_digest(identity: Identity) -> str:
    """Digests all that decides which loss a search learns, whatever way it is judged."""
    return identity_digest({k: v for k, v in identity.items() if k not in _JUDGING})


def identity_digest(identity: Identity) -> str:
    """Digests an identity; equal ones, in whatever order their keys are, have equal digests."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
