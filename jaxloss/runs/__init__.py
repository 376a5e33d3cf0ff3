"""Searches as people run them: folders, progress, checkpoints, comparisons and reports."""

from jaxloss.runs.comparison import Comparison, compare
from jaxloss.runs.evaluation import EvaluationSettings, evaluate
from jaxloss.runs.grid import GridResult, GridSettings, grid_settings, run_grid
from jaxloss.runs.loop import RunResult, run_search
from jaxloss.runs.settings import RunSettings

__all__ = [
    "Comparison",
    "EvaluationSettings",
    "GridResult",
    "GridSettings",
    "RunResult",
    "RunSettings",
    "compare",
    "evaluate",
    "grid_settings",
    "run_grid",
    "run_search",
]
