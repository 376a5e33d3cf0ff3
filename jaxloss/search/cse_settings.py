"""Settings of CSE-Autoloss (https://arxiv.org/abs/2102.04700)."""

from dataclasses import dataclass, field

from jaxloss.errors import require
from jaxloss.learning.convergence import ConvergenceSettings
from jaxloss.learning.simulation import SimulationSettings
from jaxloss.search.cse_proposals import ProposalSettings
from jaxloss.search.settings import PopulationSettings


@dataclass(frozen=True, kw_only=True)
class CSEAutoLossSettings(PopulationSettings):
    """Settings of CSE-Autoloss; ``rejection`` is not used, its own filters take its place."""

    population: int = 20
    """Trees of a generation that are trained with: the best in simulation (*assumed*)."""
    proposals: int = 1000
    """Trees of a generation that the filters see (*assumed*)."""
    parents: int = 8
    """Best trees so far that others are bred from (*assumed*)."""
    first_rounds: int = 30
    """Times that the first generation may propose, until as many trees as a generation trains have
    passed the filters: of few, all that follow would be variants (*assumed*)."""
    seed_from: tuple[str, ...] = ()
    """Losses among the first proposals: formulas, or names of the zoo that have one."""
    proposal: ProposalSettings = field(default_factory=ProposalSettings)
    convergence: ConvergenceSettings = field(default_factory=ConvergenceSettings)
    simulation: SimulationSettings = field(default_factory=SimulationSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.fitness.rungs == 1,
            f"only EvoMAL's trees race: expected 1 fitness rung, got {self.fitness.rungs}",
        )
        require(self.parents >= 1, f"parents must be 1 or more, got {self.parents}")
        require(self.first_rounds >= 1, f"first_rounds must be 1 or more, got {self.first_rounds}")
        require(
            self.proposals >= self.population,
            f"proposals must be at least the population of {self.population}, got {self.proposals}",
        )
