"""Loss-function learning, native to JAX: a formula, evidence that it helps, and code."""

from jaxloss.errors import InvalidInputError
from jaxloss.learning import (
    BaseOptimizerSettings,
    FitnessSettings,
    LocalSearchSettings,
    RejectionSettings,
    TrialSettings,
    trial_runner,
)
from jaxloss.losses import LearnedLoss, LossFamily, TreeForm, zoo
from jaxloss.losses import compile_expression as compile
from jaxloss.runs.devices import use_all_cores
from jaxloss.search import EvoMALSettings, GPLFLSettings, Search, evomal, gp_lfl
from jaxloss.symbols import Expression, PrimitiveSet, parse
from jaxloss.tasks import SupervisedTask, Task, TaskSettings, load_task, supervised_task

__all__ = [
    "BaseOptimizerSettings",
    "EvoMALSettings",
    "Expression",
    "FitnessSettings",
    "GPLFLSettings",
    "InvalidInputError",
    "LearnedLoss",
    "LocalSearchSettings",
    "LossFamily",
    "PrimitiveSet",
    "RejectionSettings",
    "Search",
    "SupervisedTask",
    "Task",
    "TaskSettings",
    "TreeForm",
    "TrialSettings",
    "compile",
    "evomal",
    "gp_lfl",
    "load_task",
    "parse",
    "supervised_task",
    "trial_runner",
    "use_all_cores",
    "zoo",
]
