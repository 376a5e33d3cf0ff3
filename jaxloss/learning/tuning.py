"""Tuned trainings: what makes losses comparable that need different learning rates and lengths.

Random search (https://jmlr.org/papers/v13/bergstra12a.html) with draws that fill the ranges evenly:
every loss gets the same budget, the same networks and the same learning rates and weight decays,
and is scored on the validation split. A shorter training is read off on the way of a longer one, so
that the number of steps is tuned for free.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import Trials
from jaxloss.learning.tuning_programs import (
    observed_trainings,
    parted,
    runs_at_once,
    whole_trainings,
)
from jaxloss.losses.tunable import ParameterRange, TunableLoss
from jaxloss.tasks.task import Task


@dataclass(frozen=True)
class TuningSettings:
    """How a training is tuned; all defaults are *assumed*."""

    budget: int
    """Inner training steps that all configurations together may take; one is always trained."""
    seeds: int = 2
    """Trainings of each configuration; their mean fitness counts."""
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
    def configurations(self) -> int:
        """How many configurations the budget pays for, at least one."""
        return max(self.budget // (self.seeds * self.steps), 1)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps after which trainings are scored."""
        apart = self.steps // self.observations
        return tuple(range(apart, self.steps + 1, apart))


class TunedTraining(NamedTuple):
    """The training that scored best on the validation split, and what finding it took.

    Attributes:
        learning_rate: step size.
        weight_decay: factor of the parameters that is added to their gradient.
        steps: training steps.
        parameters: the loss's own, by name.
        valid: mean fitness on the validation split, lower is better; infinite if no training was
            finite. It is the best of many, so fresh seeds will on average score worse.
        untuned: the same of the default training, with the same networks.
        configurations: how many were tried, the default one among them.
        training_steps: how many steps they took, all together.
    """

    learning_rate: float
    weight_decay: float
    steps: int
    parameters: dict[str, float]
    valid: float
    untuned: float
    configurations: int
    training_steps: int


def tune_training(
    task: Task,
    optimizer: BaseOptimizerSettings,
    settings: TuningSettings,
    key: PRNGKeyArray,
    loss: TunableLoss,
) -> TunedTraining:
    """Tunes learning rate, weight decay, length and the loss's own parameters.

    The first configuration is the default training: the optimiser as given and the loss's default
    parameters. The same key gives every loss the same networks, batches, learning rates and weight
    decays. A larger budget tries the same configurations and more. Nothing recompiles for another
    key, other ranges, or another learned tree of the same task.

    Args:
        task: gives the network, the training and validation splits and the metric.
        optimizer: the default training; rule, momentum and batch size stay as they are.
        settings: budget and ranges.
        key: draws configurations, networks and batches.
        loss: what is minimised.

    Returns:
        The configuration and length with the lowest mean fitness; at a tie the configuration that
        was drawn first, and its shortest training. One with a training that is not finite never
        wins; where none is finite, the default training at full length is returned.

    Raises:
        InvalidInputError: a range is empty, or one of ratios does not start above 0.
    """
    rates, decays = settings.learning_rates, settings.weight_decays
    ranges = (
        ParameterRange("learning_rate", optimizer.learning_rate, *rates, log=True),
        ParameterRange("weight_decay", optimizer.weight_decay, *decays, log=True),
        *loss.parameters,
    )
    count, seeds = settings.configurations, settings.seeds
    table = _configurations(named_key(key, "configurations"), ranges, count)
    keys = jax.random.split(named_key(key, "networks"), seeds)
    runs = count * seeds
    binding, data = parted(task, loss, optimizer.batch_size, runs * settings.steps)
    program = observed_trainings(
        task,
        optimizer.momentum,
        optimizer.batch_size,
        settings.steps,
        settings.observations,
        binding,
        runs_at_once(runs),
        optimizer.rule,
    )
    candidates = (
        np.tile(jax.random.key_data(keys), (count, 1)),
        np.repeat(table.astype(np.float32), seeds, axis=0),
    )
    fitness = program(((task.train, task.valid), data), candidates)
    means = fitness.reshape(count, seeds, -1).astype(float).mean(axis=1)
    row, length = np.unravel_index(np.argmin(means), means.shape)
    if not np.isfinite(means[row, length]):
        row, length = 0, -1
    learning_rate, weight_decay, *own = table[row].tolist()
    return TunedTraining(
        learning_rate,
        weight_decay,
        settings.lengths[length],
        {parameter.name: value for parameter, value in zip(loss.parameters, own, strict=True)},
        float(means[row, length]),
        float(means[0, -1]),
        count,
        runs * settings.steps,
    )


def trained_with(
    task: Task,
    optimizer: BaseOptimizerSettings,
    tuned: TunedTraining,
    loss: TunableLoss,
    steps_cap: int,
    key: PRNGKeyArray,
    seeds: int,
) -> Trials:
    """Trains with a tuned configuration over fresh seeds and scores on the test split too.

    Nothing recompiles for other tuned values, lengths, keys or learned trees of the same task. The
    same key gives every loss the same networks and batches.

    Args:
        task: gives the network, the splits and the metric.
        optimizer: gives momentum and batch size.
        tuned: the configuration.
        loss: what is minimised.
        steps_cap: length of the longest training that may be asked for.
        key: draws networks and batches.
        seeds: how many trainings.

    Returns:
        The metric in its own direction; the curves are empty.

    Raises:
        InvalidInputError: the training is longer than the cap, or its parameters are not those of
            the loss.
    """
    names = [parameter.name for parameter in loss.parameters]
    require(
        1 <= tuned.steps <= steps_cap,
        f"a training takes 1 to {steps_cap} steps, got {tuned.steps}",
    )
    require(
        set(names) == set(tuned.parameters),
        f"the loss has parameters {names}, the training was tuned for {list(tuned.parameters)}",
    )
    binding, data = parted(task, loss, optimizer.batch_size, seeds * steps_cap)
    program = whole_trainings(
        task,
        optimizer.momentum,
        optimizer.batch_size,
        steps_cap,
        binding,
        runs_at_once(seeds),
        optimizer.rule,
    )
    own = [tuned.parameters[name] for name in names]
    configuration = np.array([tuned.learning_rate, tuned.weight_decay, *own], np.float32)
    splits = (task.train, task.valid, task.test)
    shared = (splits, np.array(tuned.steps, np.int32), configuration, data)
    key_data = np.asarray(jax.random.key_data(jax.random.split(key, seeds)))
    valid, test = program(shared, key_data)
    return Trials(valid, test, np.zeros((seeds, 0), valid.dtype))


_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)


def _configurations(
    key: PRNGKeyArray, ranges: tuple[ParameterRange, ...], count: int
) -> Float[np.ndarray, "configurations ranges"]:
    """Puts the defaults first and draws the others.

    Each number takes steps of the square root of a prime around its range (Richtmyer's sequence),
    from a start that depends on its name: what else is tuned changes nothing about it.
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
