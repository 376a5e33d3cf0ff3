"""How a training is tuned: what that may cost, and which configurations are tried."""

import math
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.losses.tunable import ParameterRange


@dataclass(frozen=True)
class TuningSettings:
    """How a training is tuned; all defaults are *assumed*.

    About half of the trainings look at all configurations, the others compare the best of them over
    fresh networks: what is best of many by one training is mostly lucky, or about to blow up.
    """

    budget: int
    """Inner training steps that all configurations together may take; one is always trained."""
    seeds: int = 1
    """Trainings of each configuration before the finals."""
    steps: int = 2000
    """Steps of the longest training."""
    observations: int = 10
    """How many lengths are compared, evenly spaced, the last at ``steps``."""
    learning_rates: tuple[float, float] = (1e-3, 1.0)
    """Smallest and largest step size tried; ratios matter."""
    weight_decays: tuple[float, float] = (1e-6, 1e-1)
    """Smallest and largest weight decay tried; ratios matter."""

    def __post_init__(self) -> None:
        require(self.budget >= 1, f"tuning budget must be 1 or more, got {self.budget}")
        require(self.seeds >= 1, f"tuning seeds must be 1 or more, got {self.seeds}")
        require(self.observations >= 1, f"observations must be 1 or more, got {self.observations}")
        require(
            self.steps >= 1 and self.steps % self.observations == 0,
            f"tuning steps must be a multiple of the {self.observations} observations, "
            f"got {self.steps}",
        )
        for name, (low, high) in (
            ("learning_rates", self.learning_rates),
            ("weight_decays", self.weight_decays),
        ):
            require(
                0 < low <= high < math.inf,
                f"{name} must be two rising numbers above 0, got {low:g} and {high:g}",
            )

    @property
    def _trainings(self) -> int:
        return self.budget // self.steps

    @property
    def finalists(self) -> int:
        """How many configurations come to the finals, each over as many fresh networks.

        As many as half of the budget pays for and the other half finds; if that is less than three,
        there are no finals, and all of it looks at configurations.
        """
        finalists = math.isqrt(self._trainings // 2)
        while finalists >= 3 and (self._trainings - finalists**2) // self.seeds < finalists:
            finalists -= 1
        return finalists if finalists >= 3 else 0

    @property
    def configurations(self) -> int:
        """How many configurations the rest of the budget pays for, at least one."""
        return max((self._trainings - self.finalists**2) // self.seeds, 1)

    @property
    def training_steps(self) -> int:
        """How many steps all trainings take together; more than the budget if that is tiny."""
        return (self.configurations * self.seeds + self.finalists**2) * self.steps

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps after which trainings are scored."""
        apart = self.steps // self.observations
        return tuple(range(apart, self.steps + 1, apart))


_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)


def configurations(
    key: PRNGKeyArray, ranges: tuple[ParameterRange, ...], count: int
) -> Float[np.ndarray, "configurations ranges"]:
    """Puts the defaults first and draws the others.

    Each number takes steps of the square root of a prime around its range (Richtmyer's sequence),
    from a start that depends on its name and by the prime of its place: what the loss has besides
    changes nothing about learning rate and weight decay, which come first.
    """
    require(
        len(ranges) <= len(_PRIMES),
        f"at most {len(_PRIMES) - 2} parameters of a loss can be tuned, got {len(ranges) - 2}",
    )
    starts = [float(jax.random.uniform(named_key(key, one.name))) for one in ranges]

    def drawn(number: int) -> list[float]:
        return [
            one.at((start + number * math.sqrt(prime)) % 1.0)
            for one, start, prime in zip(ranges, starts, _PRIMES, strict=False)
        ]

    return np.array([[one.default for one in ranges], *map(drawn, range(count - 1))])
