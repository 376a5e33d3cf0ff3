"""Losses: families of parametrised losses, the compiler of trees, and the frozen result."""

from jaxloss.losses.family import LossFamily
from jaxloss.losses.forms import TaskLossForm, TreeForm
from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.tree import compile_expression

__all__ = [
    "LearnedLoss",
    "LossFamily",
    "TaskLossForm",
    "TreeForm",
    "assemble",
    "compile_expression",
    "interpret",
]
