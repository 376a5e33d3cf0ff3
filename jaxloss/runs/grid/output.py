"""Writes the tables and the picture of a comparison."""

from collections.abc import Sequence
from pathlib import Path

from jaxloss.runs.document import Block, Picture
from jaxloss.runs.folder import write_atomically
from jaxloss.runs.grid.cells import FinishedCell
from jaxloss.runs.grid.csv_files import long_csv, summary_csv
from jaxloss.runs.grid.formats import latex, markdown
from jaxloss.runs.grid.pictures import standing_picture
from jaxloss.runs.grid.ranking import JudgedProblem, Standing
from jaxloss.runs.grid.tables import grid_table, table_blocks


def write_standing(folder: Path, name: str, title: str, standing: Standing) -> list[Block]:
    """Writes ``NAME.csv``, ``NAME.md``, ``NAME.tex`` and ``NAME.png``.

    Returns:
        The table and the picture for a report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = grid_table(standing, title)
    write_atomically(folder / f"{name}.csv", summary_csv(standing))
    write_atomically(folder / f"{name}.md", markdown(table))
    write_atomically(folder / f"{name}.tex", latex(table))
    picture = folder / f"{name}.png"
    shown = standing_picture(picture, standing)
    return [*table_blocks(table), Picture(picture, shown)]


def write_cells(
    path: Path, cells: Sequence[FinishedCell], problems: Sequence[JudgedProblem]
) -> None:
    """Writes every evaluation training of every cell as comma-separated values."""
    write_atomically(path, long_csv(cells, problems))
