"""Loss-function learning, native to JAX: a formula, evidence that it helps, and code."""

from jaxloss.errors import InvalidInputError
from jaxloss.losses import LearnedLoss, LossFamily, TreeForm
from jaxloss.losses import compile_expression as compile
from jaxloss.search import EvoMALSettings, GPLFLSettings, Search, evomal, gp_lfl
from jaxloss.symbols import Expression, PrimitiveSet, parse
from jaxloss.tasks import SupervisedTask, Task, TaskSettings, load_task, supervised_task

__all__ = [
    "EvoMALSettings",
    "Expression",
    "GPLFLSettings",
    "InvalidInputError",
    "LearnedLoss",
    "LossFamily",
    "PrimitiveSet",
    "Search",
    "SupervisedTask",
    "Task",
    "TaskSettings",
    "TreeForm",
    "compile",
    "evomal",
    "gp_lfl",
    "load_task",
    "parse",
    "supervised_task",
]
