"""GP-LFL: EvoMAL's genetic programming alone, with every edge weight fixed at 1.

The baseline of Raymond et al., "Learning Symbolic Model-Agnostic Loss Functions via
Meta-Learning", https://arxiv.org/abs/2209.08907, Section 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxloss.search.evolution import evolution
from jaxloss.search.search import Search
from jaxloss.search.settings import GeneticSettings
from jaxloss.search.several import as_tasks
from jaxloss.tasks.task import Task


@dataclass(frozen=True)
class GPLFLSettings(GeneticSettings):
    """Settings of GP-LFL; the defaults are the paper's."""


def gp_lfl(tasks: Task | Sequence[Task], settings: GPLFLSettings | None = None) -> Search:
    """Makes a GP-LFL search.

    Args:
        tasks: what losses are judged on: one task, or several that show their losses the same.
        settings: the paper's by default.

    Raises:
        InvalidInputError: a formula to start from cannot be read or is not in the alphabet, or the
            tasks do not fit each other.
    """
    return evolution("gp_lfl", as_tasks(tasks), settings or GPLFLSettings(), None)
