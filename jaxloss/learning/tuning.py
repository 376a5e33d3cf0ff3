"""Tuned trainings: what makes losses comparable that need different learning rates and lengths.

Random search (https://jmlr.org/papers/v13/bergstra12a.html) with draws that fill the ranges evenly:
every loss gets the same budget, the same networks and the same learning rates and weight decays,
and is scored on the validation split. The best meet again over fresh networks, and the default
training with them. A shorter training is read off on the way of a longer one, so that the number of
steps is tuned for free.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

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
from jaxloss.learning.tuning_settings import TuningSettings, configurations
from jaxloss.losses.tunable import ParameterRange, TunableLoss
from jaxloss.tasks.task import Task


class TunedTraining(NamedTuple):
    """The training that scored best on the validation split, and what finding it took.

    Attributes:
        learning_rate: step size.
        weight_decay: factor of the parameters that is added to their gradient.
        steps: training steps.
        parameters: the loss's own, by name.
        valid: mean fitness on the validation split over all its trainings, lower is better;
            infinite if one was not finite. It is the best of several, so fresh seeds will on
            average score worse.
        untuned: the same of the default training, with the same networks.
        configurations: how many were tried, the default one among them.
        finalists: how many were trained again with fresh networks; 0 if the first look decided.
        training_steps: how many steps they took, all together.
    """

    learning_rate: float
    weight_decay: float
    steps: int
    parameters: dict[str, float]
    valid: float
    untuned: float
    configurations: int
    finalists: int
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
    parameters; it always comes to the finals, so that what wins has beaten it there. The same key
    gives every loss the same networks, batches, learning rates and weight decays. A larger budget
    tries the same configurations and more. Nothing recompiles for another key, other ranges, or
    another learned tree of the same task.

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
    count = settings.configurations
    configured = configured_trainings(task, optimizer, settings, key, loss, count)

    def means(name: str, rows: np.ndarray, seeds: int) -> Float[np.ndarray, "rows lengths"]:
        return configured.fitness(named_key(key, name), rows, seeds).mean(axis=1)

    choice = choose(settings, means)
    learning_rate, weight_decay, *own = configured.table[choice.row].tolist()
    return TunedTraining(
        learning_rate,
        weight_decay,
        settings.lengths[choice.length],
        {parameter.name: value for parameter, value in zip(loss.parameters, own, strict=True)},
        choice.valid,
        choice.untuned,
        count,
        settings.finalists,
        settings.training_steps,
    )


class ConfiguredTrainings(NamedTuple):
    """Configurations of a training, and what they reach.

    Attributes:
        table: learning rate, weight decay and the loss's own parameters, the default ones first.
        fitness: ``(key, rows, seeds) -> fitness`` of shape ``[rows, seeds, lengths]`` trains some
            configurations, each from the same networks.
    """

    table: Float[np.ndarray, "configurations ranges"]
    fitness: Callable[
        [PRNGKeyArray, Int[np.ndarray, " rows"], int], Float[np.ndarray, "rows seeds lengths"]
    ]


def configured_trainings(
    task: Task,
    optimizer: BaseOptimizerSettings,
    settings: TuningSettings,
    key: PRNGKeyArray,
    loss: TunableLoss,
    count: int,
) -> ConfiguredTrainings:
    """Draws ``count`` configurations and makes their trainings; see `tune_training`."""
    rates, decays = settings.learning_rates, settings.weight_decays
    ranges = (
        ParameterRange("learning_rate", optimizer.learning_rate, *rates, log=True),
        ParameterRange("weight_decay", optimizer.weight_decay, *decays, log=True),
        *loss.parameters,
    )
    table = configurations(named_key(key, "configurations"), ranges, count)
    binding, data = parted(task, loss, optimizer.batch_size, settings.training_steps)
    program = observed_trainings(
        task,
        optimizer.momentum,
        optimizer.batch_size,
        settings.steps,
        settings.observations,
        binding,
        runs_at_once(count * settings.seeds),
        optimizer.rule,
    )

    def fitness(
        key: PRNGKeyArray, rows: np.ndarray, seeds: int
    ) -> Float[np.ndarray, "rows seeds lengths"]:
        key_data = jax.random.key_data(jax.random.split(key, seeds))
        candidates = (
            np.tile(key_data, (len(rows), 1)),
            np.repeat(table[rows].astype(np.float32), seeds, axis=0),
        )
        found = program(((task.train, task.valid), data), candidates)
        return found.reshape(len(rows), seeds, -1).astype(float)

    return ConfiguredTrainings(table, fitness)


class Choice(NamedTuple):
    """Which configuration was chosen, after how many of the lengths, and what it reached."""

    row: int
    length: int
    valid: float
    untuned: float


def choose(
    settings: TuningSettings,
    means: Callable[[str, Int[np.ndarray, " rows"], int], Float[np.ndarray, "rows lengths"]],
) -> Choice:
    """Looks at all configurations and compares the best over fresh networks.

    Args:
        settings: how many there are, and how many come to the finals.
        means: ``(name, configurations, seeds) -> found`` trains configurations with as many
            networks each, others for another name; the mean fitness of each at each length.
    """
    seeds, finalists = settings.seeds, settings.finalists
    rows = np.arange(settings.configurations)
    found = means("networks", rows, seeds)
    if finalists:
        rows = finalists_of(found, finalists)
        again = means("finals", rows, finalists)
        found = (seeds * found[rows] + finalists * again) / (seeds + finalists)
    place, length = np.unravel_index(np.argmin(found), found.shape)
    if not np.isfinite(found[place, length]):
        place, length = 0, -1
    return Choice(int(rows[place]), int(length), float(found[place, length]), float(found[0, -1]))


def finalists_of(
    found: Float[np.ndarray, "configurations lengths"], count: int
) -> Int[np.ndarray, " finalists"]:
    """Finds the default configuration, the first, and those with the best lengths, in order.

    Error rates are often equal; then the configuration that is better at all lengths goes first.
    """
    others = found[1:]
    order = np.lexsort((others.mean(axis=1), others.min(axis=1)))
    return np.concatenate([[0], np.sort(order[: count - 1]) + 1])


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
