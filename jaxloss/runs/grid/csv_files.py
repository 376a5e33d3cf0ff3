"""A comparison's numbers for other programs, as comma-separated values."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from jaxloss.runs.grid.cells import CellResult, FinishedCell
from jaxloss.runs.grid.ranking import Entry, JudgedProblem, Standing

_LONG = (
    *("row", "learned", "problem", "task", "model", "metric", "higher_is_better", "seed"),
    *("tuned", "training", "valid", "test"),
    *("formula", "training_steps", "tuning_steps", "seconds", "note"),
)


def long_csv(cells: Iterable[FinishedCell], problems: Sequence[JudgedProblem]) -> str:
    """Writes one line for each evaluation training of each cell.

    A training that failed has empty values. A cell without any training has one line, for its note.
    """
    judged = {problem.name: problem for problem in problems}
    lines: list[dict[str, Any]] = []
    for cell, result in cells:
        problem = judged.get(cell.problem.name)
        about = {
            "row": cell.row.name,
            "learned": _truth(cell.row.learned),
            "problem": cell.problem.name,
            "task": cell.problem.task,
            "model": cell.problem.settings.model,
            "metric": problem.metric if problem else "",
            "higher_is_better": _truth(problem.higher_is_better) if problem else "",
            "seed": cell.seed,
            "formula": result.formula,
            "training_steps": result.training_steps,
            "tuning_steps": result.tuning_steps,
            "seconds": result.seconds,
            "note": result.note or "",
        }
        lines += [about | values for values in _trainings(result) or [{}]]
    return _written(_LONG, lines)


def _trainings(result: CellResult) -> list[dict[str, Any]]:
    return [
        {
            "tuned": _truth(tuned),
            "training": number,
            "valid": _value(valid),
            "test": _value(test),
        }
        for tuned, valids, tests in (
            (False, result.valid, result.test),
            (True, result.tuned_valid, result.tuned_test),
        )
        for number, (valid, test) in enumerate(zip_longest(valids, tests))
    ]


def summary_csv(standing: Standing) -> str:
    """Writes one line for each row, with several columns for each problem."""
    lines: list[dict[str, Any]] = []
    for row, rank in zip(standing.rows, standing.average_ranks, strict=True):
        line: dict[str, Any] = {
            "row": row.name,
            "learned": _truth(row.learned),
            "tuned": _truth(row.tuned),
            "average_rank": rank,
        }
        for problem in standing.problems:
            columns = _summary(standing.entries[row.name, problem.name])
            line |= {f"{problem.name}: {name}": value for name, value in columns.items()}
        lines.append(line)
    return _written(tuple(lines[0]), lines)


def _summary(entry: Entry) -> dict[str, Any]:
    against = entry.against
    return {
        "mean": _value(entry.mean),
        "standard_deviation": _value(entry.deviation),
        "seeds": len(entry.values),
        "failed": entry.failed,
        "rank": entry.rank,
        "difference": _value(against.difference) if against else "",
        "p": _value(against.p) if against else "",
        "p_holm": _value(entry.p),
        "significant": _truth(entry.significant),
    }


def _written(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _value(value: float | None) -> float | str:
    return value if value is not None and math.isfinite(value) else ""
