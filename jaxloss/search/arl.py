"""ARL-style: a Taylor polynomial of order 4 learned under label noise on several tasks at once.

After Gao et al., "Searching for Robustness: Loss Learning for Noisy Classification Tasks",
https://arxiv.org/abs/2103.00243. The polynomial and CMA-ES are the paper's; population and step
size are TaylorGLO's (*assumed*). The noise belongs to the tasks: give tasks with noisy labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jaxloss.learning.fitness import FitnessSettings
from jaxloss.losses.taylor import TaylorForm
from jaxloss.search.search import Search
from jaxloss.search.several import as_tasks
from jaxloss.search.strategy_search import StrategySettings, strategy_search
from jaxloss.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class ARLSettings(StrategySettings):
    """Settings of the ARL-style search."""

    order: int = 4
    """Highest total power of the polynomial (the paper: 12 parameters)."""
    fitness: FitnessSettings = field(default_factory=lambda: FitnessSettings(normalize=True))
    """Partial training; scores are normalised and averaged over the tasks (the paper)."""


def arl(tasks: Task | Sequence[Task], settings: ARLSettings | None = None) -> Search:
    """Makes an ARL-style search; it starts from the zero vector.

    Args:
        tasks: data sets and architectures, all with noisy labels as the paper has it; one works
            as well.
        settings: by default the paper's unless *assumed*.

    Raises:
        InvalidInputError: the order or the strategy cannot be used, or the tasks do not fit each
            other.
    """
    settings = settings or ARLSettings()
    together = as_tasks(tasks)
    form = TaylorForm(settings.order, together[0].view.variables)
    start = np.zeros(form.parameter_count, np.float32)
    return strategy_search("arl", together, settings, form, start)
