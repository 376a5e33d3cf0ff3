"""Losses that were learned on one problem and judged on another."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxloss.runs.grid.ranking import (
    JudgedProblem,
    JudgedRow,
    Observation,
    Standing,
    stand,
)

USUAL = "usual loss"
"""The row that stands for each problem's usual loss, whichever that is."""

NOTHING_MOVED = "nothing was learned there at some seeds"
"""The note of a seed without a loss to move."""

NOT_STORED = "the loss itself is not stored at some seeds"
"""The note of a seed whose cell came without its loss, as large ones do in a pack."""


class Transferred(NamedTuple):
    """What a loss reached that ``method`` had learned on ``source``, trained on ``target``.

    Without a loss there are no values, and the note says why.
    """

    method: str
    source: str
    target: str
    seed: int
    values: tuple[float | None, ...]
    note: str | None = None


def transfer_standing(
    problems: Sequence[JudgedProblem],
    transferred: Iterable[Transferred],
    usual: Iterable[Observation],
    tuned: bool = False,
) -> Standing:
    """Compares losses by the problem that they come from, and with each problem's usual loss.

    Args:
        problems: the targets.
        transferred: what the learned losses reached; a row of the standing for each method and
            source.
        usual: observations of any rows; those of a problem's reference row are taken.
        tuned: whether all values come from tuned trainings.
    """
    observed: list[Observation] = []
    rows: dict[str, JudgedRow] = {}
    for one in transferred:
        name = f"{one.method} from {one.source}"
        rows.setdefault(name, JudgedRow(name, learned=True, tuned=tuned, home=one.source))
        observed.append(Observation(name, one.target, one.seed, one.values, one.note))
    references = {problem.name: problem.reference for problem in problems}
    observed += [one._replace(row=USUAL) for one in usual if references.get(one.problem) == one.row]
    return stand(
        [problem._replace(reference=USUAL) for problem in problems],
        [*rows.values(), JudgedRow(USUAL, learned=False, tuned=tuned)],
        observed,
    )
