"""What a report says beside its tables: findings, the losses learned, and what all this took."""

from collections.abc import Iterable, Sequence

import numpy as np

from jaxloss.runs.document import Block, Heading, Paragraph, Table
from jaxloss.runs.grid.arena import Arena
from jaxloss.runs.grid.cells import CellResult, FinishedCell
from jaxloss.runs.grid.contenders import Unfit
from jaxloss.runs.grid.learning import NOTHING_LEARNED
from jaxloss.runs.grid.ranking import Standing, seed_value
from jaxloss.runs.grid.standings import Named
from jaxloss.runs.words import cut, duration, number, plural

_FORMULA = 100
"""Characters of a formula that a table has room for; the whole is in cells.csv."""


def findings(found: Sequence[Named]) -> list[Block]:
    """Says in a sentence for each table who came first and what is clear."""
    return [Paragraph(f"{one.title}: {_finding(one.standing)}", strong=True) for one in found]


def listed(names: Sequence[str]) -> str:
    """Writes ``a``, ``a and b``, or ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _finding(standing: Standing) -> str:
    best = min(standing.average_ranks)
    first = [
        row.name
        for row, rank in zip(standing.rows, standing.average_ranks, strict=True)
        if rank == best
    ]
    several = len(standing.problems) > 1
    what = "the best average rank" if several else "the best mean"
    text = f"{listed(first)} {'has' if len(first) == 1 else 'have'} {what}"
    if not standing.comparisons:
        return f"{text}; with so few seeds nothing is tested."
    clear = [
        (row.name, problem.name, entry.against.better)
        for row in standing.rows
        for problem in standing.problems
        for entry in (standing.entries[row.name, problem.name],)
        if entry.significant and entry.against is not None
    ]
    better, worse = (sum(one[2] is side for one in clear) for side in (True, False))
    return (
        f"{text}. Of {plural(standing.comparisons, 'comparison')} with the usual loss, {better} "
        f"came out clearly better and {worse} clearly worse."
    )


def learned_losses(arena: Arena, cells: Iterable[FinishedCell]) -> list[Block]:
    """Shows for each method and problem the loss of the seed with the best validation score."""
    best: dict[tuple[str, str], tuple[float, int, CellResult]] = {}
    for cell, result in cells:
        if result.loss is None or result.note == NOTHING_LEARNED:
            continue
        sign = -1 if arena.problems[cell.problem.name].judged.higher_is_better else 1
        value = sign * seed_value(result.valid)
        place = cell.row.name, cell.problem.name
        if place not in best or value < best[place][0] or np.isnan(best[place][0]):
            best[place] = value, cell.seed, result
    if not best:
        return []
    rows = tuple(
        (problem, method, str(seed), number(seed_value(result.test)), cut(result.formula, _FORMULA))
        for (method, problem), (_, seed, result) in sorted(best.items(), key=lambda one: one[0][1])
    )
    header = ("problem", "method", "seed", "test", "loss")
    text = (
        "Of each method on each problem, the loss of the seed that scored best on the validation "
        "split. All of them are in cells.csv, and in full in the files of the folder cells."
    )
    return [Heading("Losses that were learned"), Paragraph(text), Table(header, rows)]


def spent(arena: Arena, cells: Sequence[FinishedCell]) -> list[Block]:
    """Shows what the cells of each row took on average, and which rows could not be used where."""
    rows: list[tuple[str, ...]] = []
    for row in arena.rows:
        results = [result for cell, result in cells if cell.row == row and result.test]
        if not results:
            continue
        means = [
            float(np.mean([getattr(result, name) for result in results]))
            for name in ("training_steps", "tuning_steps", "seconds")
        ]
        steps = [f"{mean:,.0f}" for mean in means[:2]]
        rows.append((row.name, str(len(results)), *steps, duration(means[2])))
    header = ("loss", "cells", "training steps of the search", "of the tuning", "time")
    text = (
        "Where a cell took over a search from an earlier one that was judged otherwise, the steps "
        "of that search count, but its time does not."
    )
    blocks: list[Block] = [Heading("What a cell took, on average"), Table(header, tuple(rows))]
    blocks += [Paragraph(text)] if any(row.learned for row in arena.rows) else []
    reasons = {
        place: one.reason for place, one in arena.contenders.items() if isinstance(one, Unfit)
    }
    if reasons:
        unfit = tuple((row, problem, reason) for (row, problem), reason in reasons.items())
        blocks += [Heading("Left out"), Table(("loss", "problem", "why"), unfit)]
    return blocks
