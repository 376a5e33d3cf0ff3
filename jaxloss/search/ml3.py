"""ML³, supervised: a loss network tuned by unrolled differentiation.

Bechtle et al., "Meta-Learning via Learned Loss", https://arxiv.org/abs/1906.05374; the network and
its 250 meta steps as in the comparison of the EvoMAL paper, https://arxiv.org/abs/2209.08907.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxloss.losses.network import ml3_network
from jaxloss.search.meta_training import MetaSettings, meta_training
from jaxloss.search.search import Search
from jaxloss.search.several import as_tasks
from jaxloss.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class ML3Settings(MetaSettings):
    """Settings of ML³; the defaults are those of the released EvoMAL code unless *assumed*."""


def ml3(tasks: Task | Sequence[Task], settings: ML3Settings | None = None) -> Search:
    """Makes an ML³ search.

    Args:
        tasks: what losses are judged on: one task, or several that show their losses the same.
        settings: those of the EvoMAL paper's comparison by default.

    Raises:
        InvalidInputError: the tasks do not fit each other.
    """
    together = as_tasks(tasks)
    form = ml3_network(together[0].view.variables)
    return meta_training("ml3", together, settings or ML3Settings(), form)
