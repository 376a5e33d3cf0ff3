"""Comparisons of many methods and losses on many problems: settings, results, tables, pictures."""

from jaxloss.runs.grid.budget import BUDGETS, GridBudget
from jaxloss.runs.grid.cells import (
    Cell,
    CellResult,
    FinishedCell,
    Row,
    cell_identity,
    identity_digest,
)
from jaxloss.runs.grid.file import read_grid_file
from jaxloss.runs.grid.output import write_cells, write_standing
from jaxloss.runs.grid.problems import ProblemSpec, problem_spec
from jaxloss.runs.grid.ranking import (
    JudgedProblem,
    JudgedRow,
    Observation,
    Standing,
    observations,
    stand,
)
from jaxloss.runs.grid.runner import GridResult, run_grid
from jaxloss.runs.grid.settings import GridSettings, grid_settings
from jaxloss.runs.grid.store import find_cells, load_cells, locked, write_cell
from jaxloss.runs.grid.tables import GridTable, grid_table
from jaxloss.runs.grid.transfer import Transferred, transfer_standing

__all__ = [
    "BUDGETS",
    "Cell",
    "CellResult",
    "FinishedCell",
    "GridBudget",
    "GridResult",
    "GridSettings",
    "GridTable",
    "JudgedProblem",
    "JudgedRow",
    "Observation",
    "ProblemSpec",
    "Row",
    "Standing",
    "Transferred",
    "cell_identity",
    "find_cells",
    "grid_settings",
    "grid_table",
    "identity_digest",
    "load_cells",
    "locked",
    "observations",
    "problem_spec",
    "read_grid_file",
    "run_grid",
    "stand",
    "transfer_standing",
    "write_cell",
    "write_cells",
    "write_standing",
]
