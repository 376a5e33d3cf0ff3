"""EvoMAL: genetic programming finds symbolic losses, unrolled differentiation tunes them.

Raymond et al., "Learning Symbolic Model-Agnostic Loss Functions via Meta-Learning",
https://arxiv.org/abs/2209.08907.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search.evolution import evolution
from jaxloss.search.search import Search
from jaxloss.search.settings import GeneticSettings
from jaxloss.search.several import as_tasks
from jaxloss.tasks.task import Task


@dataclass(frozen=True)
class EvoMALSettings(GeneticSettings):
    """Settings of EvoMAL; the defaults are the paper's."""

    local_search: LocalSearchSettings = field(default_factory=LocalSearchSettings)


def evomal(tasks: Task | Sequence[Task], settings: EvoMALSettings | None = None) -> Search:
    """Makes an EvoMAL search.

    Args:
        tasks: what losses are judged on: one task, or several that show their losses the same.
        settings: the paper's by default.

    Raises:
        InvalidInputError: a formula to start from cannot be read or is not in the alphabet, or the
            tasks do not fit each other.
    """
    settings = settings or EvoMALSettings()
    return evolution("evomal", as_tasks(tasks), settings, settings.local_search)
