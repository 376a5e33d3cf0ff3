"""Which of evosax's algorithms there are, and what each of them can work with."""

import math
from typing import NamedTuple

from jaxloss.errors import require, unknown_name


class Kind(NamedTuple):
    """An algorithm, with the population sizes that it can work with."""

    algorithm: str
    smallest: int = 2
    even: bool = False


FROM_MEAN: dict[str, Kind] = {
    "ars": Kind("ARS", even=True),
    "asebo": Kind("ASEBO", even=True),
    "cma_anchored_les": Kind("CMAAnchoredLES"),
    "cma_es": Kind("CMA_ES"),
    "cr_fm_nes": Kind("CR_FM_NES", even=True),
    "discovered_es": Kind("DiscoveredES"),
    "esmc": Kind("ESMC", smallest=4, even=True),
    "evotf_es": Kind("EvoTF_ES"),
    "gradientless_descent": Kind("GradientlessDescent", smallest=1),
    "hill_climbing": Kind("HillClimbing", smallest=1),
    "iamalgam_full": Kind("iAMaLGaM_Full"),
    "iamalgam_univariate": Kind("iAMaLGaM_Univariate"),
    "learned_es": Kind("LearnedES"),
    "ma_es": Kind("MA_ES"),
    "noise_reuse_es": Kind("NoiseReuseES", even=True),
    "open_es": Kind("Open_ES", even=True),
    "persistent_es": Kind("PersistentES", even=True),
    "pgpe": Kind("PGPE", even=True),
    "rm_es": Kind("Rm_ES"),
    "sep_cma_es": Kind("Sep_CMA_ES"),
    "simple_es": Kind("SimpleES"),
    "simulated_annealing": Kind("SimulatedAnnealing", smallest=1),
    "snes": Kind("SNES"),
    "xnes": Kind("xNES"),
}
FROM_POPULATION: dict[str, Kind] = {
    "differential_evolution": Kind("DifferentialEvolution", smallest=4),
    "gesmr_ga": Kind("GESMR_GA"),
    "learned_ga": Kind("LearnedGA"),
    "mr15_ga": Kind("MR15_GA"),
    "pso": Kind("PSO"),
    "samr_ga": Kind("SAMR_GA"),
    "simple_ga": Kind("SimpleGA"),
}
KINDS = FROM_MEAN | FROM_POPULATION
"""By the name that `strategy` takes: those that start from a mean, and those from a population."""

REMEMBERING = frozenset(
    {
        "differential_evolution",
        "gesmr_ga",
        "gradientless_descent",
        "hill_climbing",
        "iamalgam_full",
        "iamalgam_univariate",
        "learned_ga",
        "mr15_ga",
        "pso",
        "rm_es",
        "simulated_annealing",
    }
)
"""Algorithms that compare a generation's fitness with that of earlier ones."""

STRATEGY_NAMES: tuple[str, ...] = tuple(KINDS)
"""What `strategy` can be asked for."""


def require_usable(name: str, population: int, dimensions: int, sigma: float | None) -> None:
    """Refuses what an algorithm cannot work with.

    Raises:
        InvalidInputError: says what it expects.
    """
    if name not in KINDS:
        raise unknown_name("strategy", name, STRATEGY_NAMES)
    kind = KINDS[name]
    parity = "an even number, " if kind.even else ""
    require(
        population >= kind.smallest and not (kind.even and population % 2),
        f"population: {population}; {name} expects {parity}at least {kind.smallest}",
    )
    require(
        name != "gesmr_ga" or groups_of(population) > 1,
        f"population: {population}; gesmr_ga expects one more than a product: 5, 7, 9, 10, 11, 13",
    )
    require(dimensions >= 1, f"dimensions: {dimensions}; expected at least 1")
    require(sigma is None or 0 < sigma < float("inf"), f"sigma: {sigma}; expected above 0")


def groups_of(population: int) -> int:
    """Counts GESMR's step sizes: all members but the elite share them, √members of them at most."""
    members = population - 1
    return max(
        (groups for groups in range(1, math.isqrt(max(members, 1)) + 1) if members % groups == 0),
    )
