"""GP-LFL: EvoMAL's genetic programming alone, with every edge weight fixed at 1.

The baseline of Raymond et al., "Learning Symbolic Model-Agnostic Loss Functions via
Meta-Learning", https://arxiv.org/abs/2209.08907, Section 5.
"""

from dataclasses import dataclass

from jaxloss.search.evolution import evolution
from jaxloss.search.search import Search
from jaxloss.search.settings import GeneticSettings
from jaxloss.tasks.task import Task


@dataclass(frozen=True)
class GPLFLSettings(GeneticSettings):
    """Settings of GP-LFL; the defaults are the paper's."""


def gp_lfl(task: Task, settings: GPLFLSettings | None = None) -> Search:
    """Makes a GP-LFL search.

    Args:
        task: what losses are judged on.
        settings: the paper's by default.

    Raises:
        InvalidInputError: a formula to start from cannot be read or is not in the alphabet.
    """
    return evolution("gp_lfl", task, settings or GPLFLSettings(), None)
