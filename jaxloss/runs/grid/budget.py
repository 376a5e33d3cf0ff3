"""What each cell of a comparison may spend."""

from dataclasses import dataclass, replace

from jaxloss.errors import require
from jaxloss.search.glo import GLOSettings
from jaxloss.search.meta_training import MetaSettings
from jaxloss.search.registry import Preset
from jaxloss.search.settings import MethodSettings, PopulationSettings

PAPER_TUNING_STEPS = 625_000
"""What EvoMAL's partial trainings take by the paper's settings, if no filter spares any: 50
generations of 25 losses, 500 steps each."""

WIDER = 10
"""How many times its generations a search with a budget may take (*assumed*)."""


@dataclass(frozen=True)
class GridBudget:
    """What each cell may spend; all defaults are *assumed*.

    Raises:
        InvalidInputError: a number is out of range.
    """

    trainings: int = 5
    """Trainings that judge the loss of a cell."""
    steps: int = 2000
    """Steps of each of them; where they are tuned, the most that they may take."""
    search_steps: int | None = 300_000
    """Inner training steps that each search may take, the same for all methods; the step of a
    search that passes it is its last. Without it, each takes what its own settings ask for."""
    tuning_steps: int | None = None
    """Training steps that tuning may take for each cell, 0 for no tuning; by default as many as a
    search."""

    def __post_init__(self) -> None:
        for name, lowest in (("trainings", 1), ("steps", 1), ("search_steps", 1)):
            value = getattr(self, name)
            require(
                value is None or value >= lowest, f"{name} must be {lowest} or more, got {value}"
            )
        require(
            self.tuning_steps is None or self.tuning_steps >= 0,
            f"tuning_steps must be 0 or more, or none, got {self.tuning_steps}",
        )

    @property
    def tuning(self) -> int:
        """Training steps that tuning may take for each cell; 0 if nothing is tuned."""
        if self.tuning_steps is not None:
            return self.tuning_steps
        return PAPER_TUNING_STEPS if self.search_steps is None else self.search_steps


BUDGETS: dict[Preset, GridBudget] = {
    "quick": GridBudget(trainings=2, steps=1000, search_steps=20_000),
    "default": GridBudget(),
    "paper": GridBudget(trainings=10, steps=15_000, search_steps=None),
}
"""What each preset lets a cell spend; *assumed*."""


def widened(settings: MethodSettings, usual: MethodSettings, budget: GridBudget) -> MethodSettings:
    """Fits a search to its budget, so that this ends it and not its own count of generations.

    Filters spare cheap methods most trainings, and their usual generations would leave much of the
    budget: they get more. GLO's two stages get half of it each, where the first would else take
    all. Methods that tune by meta-gradients keep their generations, parts of one procedure.

    Args:
        settings: of the method.
        usual: those of its preset; numbers that differ from them were asked for and stay.
        budget: what every cell may spend.
    """
    steps = budget.search_steps
    if steps is None or isinstance(settings, MetaSettings):
        return settings
    if not isinstance(settings, PopulationSettings) or not isinstance(usual, PopulationSettings):
        return settings
    more = settings.generations
    if more == usual.generations:
        more *= WIDER
    if not isinstance(settings, GLOSettings):
        return replace(settings, generations=more)
    fitness = settings.fitness
    generations = settings.generations + settings.coefficient_generations
    most = generations * settings.population * fitness.seeds * fitness.steps
    return replace(
        settings,
        tree_steps=settings.tree_steps or max(steps // 2, 1),
        generations=settings.generations if most >= steps else more,
    )
