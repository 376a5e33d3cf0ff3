"""Searches as people run them: folders, progress, checkpoints, comparisons and reports."""

from jaxloss.runs.comparison import Comparison, compare
from jaxloss.runs.evaluation import EvaluationSettings, evaluate
from jaxloss.runs.loop import RunResult, run_search
from jaxloss.runs.settings import RunSettings

__all__ = [
    "Comparison",
    "EvaluationSettings",
    "RunResult",
    "RunSettings",
    "compare",
    "evaluate",
    "run_search",
]
