"""Settings of the sequential search."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SequentialSettings:
    """Step counts, rates and operators; defaults from the released EvoMAL code."""

    learning_rate: float = 0.01
    """Step size of the base optimiser, SGD."""
    momentum: float = 0.9
    """Nesterov momentum."""
    weight_decay: float = 5e-4
    """Factor of the parameters that is added to their gradient."""
    batch_size: int = 128
    """Examples in a batch; all of them where there are fewer."""
    meta_steps: int = 250
    """Steps of local search, each from a fresh network through one inner step."""
    meta_learning_rate: float = 1e-3
    """Step size of local search's Adam."""
    rejection_steps: int = 1000
    """Adam steps on the outputs themselves."""
    rejection_learning_rate: float = 0.01
    """Step size of that Adam."""
    rejection_examples: int = 100
    """Training examples whose outputs are optimised."""
    training_steps: int = 500
    """Steps of partial training."""
    crossover: float = 0.70
    """Chance that a child comes from one-point crossover."""
    mutation: float = 0.25
    """Chance that a child comes from uniform mutation; the rest are copies."""
    tournament: int = 4
    """How many individuals compete for each place among the parents."""
    elite: float = 0.05
    """Share of the population, rounded up, that passes unchanged; published, not in the code."""
    max_height: int = 10
    """Of a taller child a parent is kept."""
