"""Settings that several methods share."""

from dataclasses import dataclass, field
from typing import get_args

from jaxloss.errors import require, unknown_name
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses.ways import Way
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES
from jaxloss.symbols.variation import VariationSettings, elite_count


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What every method has: how networks are trained, and how its losses are judged at last."""

    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)
    trial: TrialSettings = field(default_factory=TrialSettings)


@dataclass(frozen=True, kw_only=True)
class PopulationSettings(MethodSettings):
    """A method that judges many losses at once by partial training."""

    population: int = 25
    """Losses in a generation (the released EvoMAL code)."""
    generations: int = 50
    """Generations, the first population included (the released EvoMAL code)."""
    chunk: int | None = None
    """Candidates on each device in one call of a compiled program; by default chosen for the
    network and the kind of device."""
    rejection: RejectionSettings = field(default_factory=RejectionSettings)
    fitness: FitnessSettings = field(default_factory=FitnessSettings)

    def __post_init__(self) -> None:
        require(self.population >= 1, f"population must be 1 or more, got {self.population}")
        require(self.generations >= 1, f"generations must be 1 or more, got {self.generations}")
        require(self.chunk is None or self.chunk >= 1, f"chunk must be 1 or more, got {self.chunk}")


@dataclass(frozen=True, kw_only=True)
class GeneticSettings(PopulationSettings):
    """A search over trees; defaults are the EvoMAL paper's unless marked *assumed*."""

    max_nodes: int = 64
    """Nodes that a tree may have, at most 250; *assumed*, the paper bounds the height alone."""
    seed_from: tuple[str, ...] = ()
    """Losses that stand in the first population: formulas, or names of the zoo that have one."""
    equivalence_tolerance: float | None = None
    """If given, losses whose gradient norms agree within it share a fitness (EvoMAL: 0.01)."""
    way: Way = "auto"
    """Whether one program interprets all trees, or each is compiled to its own code; by default
    whichever takes less time."""
    variation: VariationSettings = field(default_factory=VariationSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.way not in get_args(Way):
            raise unknown_name("way", self.way, get_args(Way))
        require(
            self.equivalence_tolerance is None or self.equivalence_tolerance >= 0,
            f"equivalence_tolerance must be 0 or more, got {self.equivalence_tolerance}",
        )
        self.variation.check(Alphabet(EVOMAL_PRIMITIVES, self.max_nodes))
        require(
            self.generations == 1 or elite_count(self.variation, self.population) < self.population,
            f"population: all {self.population} would be elite, and no generation bring anything "
            "new; expected a larger one, or less elitism",
        )
