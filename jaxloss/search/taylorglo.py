"""TaylorGLO: a third-order Taylor polynomial whose parameters CMA-ES finds.

Gonzalez & Miikkulainen, "Optimizing Loss Functions Through Multivariate Taylor Polynomial
Parameterization", https://arxiv.org/abs/2002.00059. The polynomial is in the prediction with the
target as its second variable, without the terms that have no gradient to the prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxloss.losses.taylor import TaylorForm
from jaxloss.search.search import Search
from jaxloss.search.several import as_tasks
from jaxloss.search.strategy_search import StrategySettings, strategy_search
from jaxloss.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class TaylorGLOSettings(StrategySettings):
    """Settings of TaylorGLO; the defaults are the released code's unless *assumed*."""

    order: int = 3
    """Highest total power of the polynomial."""


def taylorglo(tasks: Task | Sequence[Task], settings: TaylorGLOSettings | None = None) -> Search:
    """Makes a TaylorGLO search; it starts from the zero vector.

    Args:
        tasks: what losses are judged on: one task, or several that show their losses the same.
        settings: by default the released code's unless *assumed*.

    Raises:
        InvalidInputError: the order or the strategy cannot be used, or the tasks do not fit each
            other.
    """
    settings = settings or TaylorGLOSettings()
    together = as_tasks(tasks)
    form = TaylorForm(settings.order, together[0].view.variables)
    start = np.zeros(form.parameter_count, np.float32)
    return strategy_search("taylorglo", together, settings, form, start)
