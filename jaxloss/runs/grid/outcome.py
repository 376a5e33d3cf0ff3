"""The tables, pictures and report of a comparison."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from jaxloss.runs.document import Block, Code, Heading, Paragraph, as_html, as_markdown
from jaxloss.runs.folder import write_atomically
from jaxloss.runs.grid.arena import Arena
from jaxloss.runs.grid.cells import FinishedCell
from jaxloss.runs.grid.formats import console_table
from jaxloss.runs.grid.output import write_cells, write_standing
from jaxloss.runs.grid.overview import fairness
from jaxloss.runs.grid.progress import say_line
from jaxloss.runs.grid.repeating import settings_text
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.runs.grid.standings import Named, standings, transfer_standings
from jaxloss.runs.grid.tables import BETTER, REFERENCE, WORSE, grid_table
from jaxloss.runs.grid.transfer import Transferred
from jaxloss.runs.grid.writeup import findings, learned_losses, spent
from jaxloss.runs.words import plural

SETTINGS_FILE = "comparison.yaml"
"""The comparison's own settings, which repeat it."""

_LEGEND = (
    f"bold: best on its problem; {REFERENCE}: usual loss; {BETTER} / {WORSE}: clearly better / "
    "worse than it, corrected for all comparisons of the table; the report says more"
)


def write_outcome(
    settings: GridSettings,
    arena: Arena,
    cells: Sequence[FinishedCell],
    moved: Sequence[Transferred],
    console: Console,
) -> Path:
    """Writes and prints all that came of a comparison.

    Returns:
        Path of the report.
    """
    folder = settings.folder
    judged = [problem.judged for problem in arena.problems.values()]
    write_atomically(folder / SETTINGS_FILE, settings_text(settings))
    write_cells(folder / "cells.csv", cells, judged)
    found = [*standings(settings, arena, cells), *transfer_standings(arena, cells, moved)]
    blocks: list[Block] = [*_unfinished(settings, arena, cells)]
    blocks += [*findings(found), *_tables(folder, found)]
    blocks += [*learned_losses(arena, cells), *spent(arena, cells)]
    blocks += [Heading("How it was compared"), *map(Paragraph, fairness(settings))]
    blocks += [
        Heading("Repeat it"),
        Code(f"jaxloss compare {folder / SETTINGS_FILE} --out OTHER_FOLDER", "sh"),
    ]
    title = f"{plural(len(arena.rows), 'loss', 'losses and methods')} compared"
    report = folder / "report.html"
    write_atomically(report, as_html(title, blocks))
    write_atomically(folder / "report.md", as_markdown(title, blocks, folder))
    for one in found:
        console.print()
        console.print(console_table(grid_table(one.standing, one.title), captions=False))
    console.print()
    say_line(console, _LEGEND)
    say_line(console, f"report:   {report}")
    return report


def _unfinished(settings: GridSettings, arena: Arena, cells: Sequence[FinishedCell]) -> list[Block]:
    """Warns of a comparison that was reported on before its end."""
    count = len(list(settings.cells(arena.added)))
    if len(cells) == count:
        return []
    text = f"Not finished: {count - len(cells)} of {plural(count, 'cell')} are missing."
    return [Paragraph(text, strong=True)]


def _tables(folder: Path, found: Sequence[Named]) -> list[Block]:
    blocks: list[Block] = []
    for one in found:
        blocks += write_standing(folder, one.name, one.title, one.standing)
    return blocks
