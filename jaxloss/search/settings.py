"""Settings that the genetic methods share."""

from dataclasses import dataclass, field

from jaxloss.errors import require
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses.ways import Way
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES
from jaxloss.symbols.variation import VariationSettings


@dataclass(frozen=True)
class GeneticSettings:
    """A search over trees; defaults are the paper's unless marked *assumed*."""

    population: int = 25
    """Trees in a generation."""
    generations: int = 50
    """Generations, the first population included."""
    max_nodes: int = 64
    """Nodes that a tree may have; *assumed*, the paper bounds the height alone."""
    start_from: tuple[str, ...] = ()
    """Formulas that stand in the first population."""
    equivalence_tolerance: float | None = None
    """If given, losses whose gradient norms agree within it share a fitness (EvoMAL: 0.01)."""
    chunk: int | None = None
    """Candidates on each device in one call of a compiled program; by default chosen for the
    network and the kind of device."""
    way: Way = "auto"
    """Whether one program interprets all trees, or each is compiled to its own code; by default
    whichever takes less time."""
    variation: VariationSettings = field(default_factory=VariationSettings)
    rejection: RejectionSettings = field(default_factory=RejectionSettings)
    fitness: FitnessSettings = field(default_factory=FitnessSettings)
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)
    trial: TrialSettings = field(default_factory=TrialSettings)

    def __post_init__(self) -> None:
        require(self.population >= 1, f"population must be 1 or more, got {self.population}")
        require(self.generations >= 1, f"generations must be 1 or more, got {self.generations}")
        require(self.chunk is None or self.chunk >= 1, f"chunk must be 1 or more, got {self.chunk}")
        require(
            self.equivalence_tolerance is None or self.equivalence_tolerance >= 0,
            f"equivalence_tolerance must be 0 or more, got {self.equivalence_tolerance}",
        )
        require(
            len(self.start_from) <= self.population,
            f"start_from has {len(self.start_from)} formulas for a population of {self.population}",
        )
        self.variation.check(Alphabet(EVOMAL_PRIMITIVES, self.max_nodes))
