"""Tables of the benchmarks in Markdown: ``python tests/benchmarks/tables.py benchmarks.json``."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        key: what rows call it.
        heading: what people call it, with the unit.
        form: format of its numbers.
    """

    key: str
    heading: str
    form: str = ""


def table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    """Writes rows as a Markdown table, padded so that it reads well as plain text too."""
    cells = [[column.heading for column in columns]]
    cells += [[_cell(row.get(column.key), column.form) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [
        all(isinstance(row.get(column.key), int | float | None) for row in rows)
        for column in columns
    ]

    def line(texts: Sequence[str]) -> str:
        padded = (
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(texts, widths, right, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = (
        "-" * (width - 1) + (":" if to_right else "-")
        for width, to_right in zip(widths, right, strict=True)
    )
    return "\n".join([line(cells[0]), f"| {' | '.join(rule)} |", *map(line, cells[1:])])


def part_text(part: Mapping[str, Any]) -> str:
    """Writes one part of a report: title, table, goal, notes, failures."""
    columns = [Column(*column) for column in part["columns"]]
    blocks = [f"### {part['title']}", table(columns, part["rows"])]
    blocks += [part["goal"]] if part.get("goal") else []
    blocks.append(part["notes"])
    blocks += [f"Failed: {failure}" for failure in part["failures"]]
    blocks.append(f"`{part['command']}`, {part['seconds']:.0f} s")
    return "\n\n".join(blocks)


def report_text(report: Mapping[str, Any]) -> str:
    """Writes a whole report."""
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    head = (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_bytes'] / 2**30:.0f} GiB; "
        f"{versions}; {report['date']}."
    )
    return "\n\n".join([head, *map(part_text, report["parts"].values())])


def _cell(value: Any, form: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format(value, form) if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    print(report_text(json.loads(Path(sys.argv[1]).read_text())))
