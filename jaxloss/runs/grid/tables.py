"""The table of a comparison, and the words below it that say how to read it."""

import math
from typing import NamedTuple

from jaxloss.runs.comparison import p_text
from jaxloss.runs.document import Block, Heading, Paragraph, Table
from jaxloss.runs.grid.ranking import Entry, JudgedProblem, JudgedRow, Standing
from jaxloss.runs.statistics import SIGNIFICANCE
from jaxloss.runs.words import mean_and_deviation, number, plural

BETTER, WORSE, REFERENCE = "+", "−", "°"
"""Marks of an entry: clearly better or worse than the usual loss, or the usual loss itself."""


class TableCell(NamedTuple):
    """One row on one problem, as text.

    Attributes:
        value: mean and deviation, ``failed``, or a dash.
        remark: what belongs behind it, such as ``1 failed``.
        mark: `BETTER`, `WORSE`, `REFERENCE` or nothing.
        best: whether no row ranks before it.
        home: whether the loss was learned on this very problem, in tables of transfer.
    """

    value: str
    remark: str
    mark: str
    best: bool
    home: bool

    def text(self) -> str:
        """Writes the cell without any emphasis."""
        value = f"[{self.value}]" if self.home else self.value
        remark = f"({self.remark})" if self.remark else ""
        return " ".join(filter(None, (value, remark, self.mark)))


class TableLine(NamedTuple):
    """One row: its name, what kind of loss and training it is, its cells, its average rank."""

    name: str
    kind: str
    cells: tuple[TableCell, ...]
    rank: str


class GridTable(NamedTuple):
    """A table of a comparison.

    Attributes:
        title: what it shows.
        problems: a heading for each column of values.
        lines: the best average rank first.
        captions: sentences that say how to read it.
    """

    title: str
    problems: tuple[str, ...]
    lines: tuple[TableLine, ...]
    captions: tuple[str, ...]


NAME, KIND, RANK = "loss", "kind", "average rank"
"""Headings of the columns that hold no values."""


def grid_table(standing: Standing, title: str) -> GridTable:
    """Makes a table of a standing, rows sorted by average rank."""
    ranked = sorted(
        zip(standing.rows, standing.average_ranks, strict=True), key=lambda pair: pair[1]
    )
    lines = tuple(
        TableLine(
            row.name,
            _kind(row),
            tuple(_cell(standing, row, problem) for problem in standing.problems),
            f"{rank:.2f}",
        )
        for row, rank in ranked
    )
    return GridTable(title, tuple(map(_heading, standing.problems)), lines, captions(standing))


def table_blocks(table: GridTable) -> list[Block]:
    """Writes a table for a report; documents know no bold, so a star marks the best."""
    rows = tuple(
        (
            line.name,
            line.kind,
            *(cell.text() + (" ★" if cell.best else "") for cell in line.cells),
            line.rank,
        )
        for line in table.lines
    )
    captions = ("★: best on its problem.", *table.captions)
    return [
        Heading(table.title),
        Table((NAME, KIND, *table.problems, RANK), rows),
        *map(Paragraph, captions),
    ]


def _heading(problem: JudgedProblem) -> str:
    return f"{problem.name} ({problem.metric} {'↑' if problem.higher_is_better else '↓'})"


def _kind(row: JudgedRow) -> str:
    return ("learned" if row.learned else "hand-made") + (", tuned" if row.tuned else "")


def _cell(standing: Standing, row: JudgedRow, problem: JudgedProblem) -> TableCell:
    entry = standing.entries[row.name, problem.name]
    home = row.home == problem.name
    if entry.missing:
        return TableCell("–", "", "", best=False, home=home)
    remarks: list[str] = []
    if entry.failed and not math.isnan(entry.mean):
        remarks.append(f"{entry.failed} failed")
    if len(entry.values) < standing.seeds:
        remarks.append(f"{len(entry.values)} of {plural(standing.seeds, 'seed')}")
    column = [standing.entries[one.name, problem.name] for one in standing.rows]
    most = max(len(one.values) for one in column)
    # Who has fewer seeds may have the easier ones.
    finished = [one.rank for one in column if len(one.values) == most]
    best = len(entry.values) == most and entry.rank == min(finished)
    return TableCell(
        mean_and_deviation(entry.mean, entry.deviation),
        ", ".join(remarks),
        REFERENCE if row.name == problem.reference else _mark(entry),
        best=best and not math.isnan(entry.mean),
        home=home,
    )


def _mark(entry: Entry) -> str:
    if not entry.significant or entry.against is None:
        return ""
    return BETTER if entry.against.better else WORSE


def captions(standing: Standing) -> tuple[str, ...]:
    """Says how to read the table, and what its tests counted."""
    entries = standing.entries
    said = [
        f"Test split: mean ± standard deviation over {plural(standing.seeds, 'seed')}; the value "
        "of a seed is the mean over its evaluation trainings. All seeds share one division of the "
        "data: what is clear here is clear on this test split.",
        _test_caption(standing),
        _rank_caption(standing),
    ]
    if any(entry.failed for entry in entries.values()):
        said.append(
            "A seed is failed if any of its trainings did not end in a finite value. Failed seeds "
            "are left out of means and tests, and their row ranks after all rows with fewer of "
            "them."
        )
    missing = any(entry.missing for entry in entries.values())
    if missing:
        said.append("–: no value; such rows rank last on the problem.")
    short = [entry for entry in entries.values() if 0 < len(entry.values) < standing.seeds]
    if short:
        unless = ", unless a note says otherwise" if any(one.notes for one in short) else ""
        said.append(
            f"Entries with fewer seeds than the others are not finished{unless}; they rank by the "
            "seeds that they have, and are never marked as the best."
        )
    if any(row.home for row in standing.rows):
        said.append("In brackets: the problem that the loss was learned on.")
    return (*said, *_notes(standing))


def _test_caption(standing: Standing) -> str:
    if not standing.comparisons:
        return f"{REFERENCE}: usual loss. Differences are not tested: that takes 2 seeds or more."
    return (
        f"{REFERENCE}: usual loss. {BETTER} / {WORSE}: better / worse than it by a paired t-test "
        f"over seeds, p < {SIGNIFICANCE:g} after Holm's correction for "
        f"{plural(standing.comparisons, 'comparison')}: every row with every problem's usual loss "
        "in this table."
    )


def _rank_caption(standing: Standing) -> str:
    if standing.friedman is None or standing.critical_difference is None:
        return "Average ranks are not tested: that takes 2 problems and 3 rows or more."
    difference = number(standing.critical_difference, 3)
    return (
        f"Average rank over {plural(len(standing.problems), 'problem')}, 1 is best. Friedman test "
        f"that all rows are alike: χ² = {number(standing.friedman.statistic, 3)}, "
        f"p {_equals(standing.friedman.p)}. Average ranks less than {difference} apart cannot be "
        f"told apart (Nemenyi's test, p < {SIGNIFICANCE:g})."
    )


def _equals(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def _notes(standing: Standing) -> list[str]:
    """Gathers the rows that have the same note on the same problems."""
    problems: dict[tuple[str, str], list[str]] = {}
    for (row, problem), entry in standing.entries.items():
        for note in entry.notes:
            problems.setdefault((note, row), []).append(problem)
    rows: dict[tuple[str, str], list[str]] = {}
    for (note, row), names in problems.items():
        rows.setdefault((note, ", ".join(names)), []).append(row)
    return [f"On {where}, {', '.join(names)}: {note}." for (note, where), names in rows.items()]
