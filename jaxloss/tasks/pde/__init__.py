"""Differential equations as tasks, each a distribution over one parameter."""

from jaxloss.tasks.pde.network import outputs_of, rows_of
from jaxloss.tasks.pde.problem import Problem, Range, Weights
from jaxloss.tasks.pde.registry import PDES, load_pde
from jaxloss.tasks.pde.task import PDETask, grid_points, pde_task

__all__ = [
    "PDES",
    "PDETask",
    "Problem",
    "Range",
    "Weights",
    "grid_points",
    "load_pde",
    "outputs_of",
    "pde_task",
    "rows_of",
]
