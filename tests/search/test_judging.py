"""Judging on several tasks at once."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.keys import named_key
from jaxloss.learning.filters import RejectionSettings, empty_archive
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search.candidate import candidate_way
from jaxloss.search.judging import Verdicts, tree_judge
from jaxloss.search.settings import GeneticSettings
from jaxloss.search.several import Tasks
from jaxloss.symbols import Alphabet, parse
from jaxloss.symbols.variation import VariationSettings
from jaxloss.tasks import Split, SupervisedTask, supervised_task

ALPHABET = Alphabet(capacity=16)
FORMULAS = ("square(sub(f, y))", "abs(sub(f, y))", "tanh(abs(sub(f, y)))")
GENOMES = np.stack([ALPHABET.encode(parse(formula)) for formula in FORMULAS])
SETTINGS = GeneticSettings(
    population=len(FORMULAS),
    max_nodes=ALPHABET.capacity,
    variation=VariationSettings(initial_height=(1, 2)),
    rejection=RejectionSettings(when="never"),
    fitness=FitnessSettings(steps=12, seeds=2),
    optimizer=BaseOptimizerSettings(learning_rate=0.05, batch_size=16),
)
TUNING = LocalSearchSettings(meta_steps=3, learning_rate=0.1)


def task_of(seed: int, features: int) -> SupervisedTask:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(80, features))
    targets = inputs @ generator.normal(size=features) + generator.normal(size=80)
    return supervised_task(f"probe {seed}", inputs, targets, "regression", model="linear")


ONE, OTHER = task_of(0, 3), task_of(1, 5)


def judged(
    tasks: Tasks, settings: GeneticSettings = SETTINGS, tuning: LocalSearchSettings | None = None
) -> Verdicts:
    judge = tree_judge(tasks, settings, tuning, ALPHABET)
    return judge(jax.random.key(0), GENOMES, empty_archive(8, 20), 0)[0]


class Judged(NamedTuple):
    one: Verdicts
    other: Verdicts
    both: Verdicts


@pytest.fixture(scope="module")
def verdicts() -> Judged:
    return Judged(judged((ONE,)), judged((OTHER,)), judged((ONE, OTHER)))


def test_fitness_is_the_mean_over_tasks(verdicts: Judged):
    mean = (verdicts.one.fitness + verdicts.other.fitness) / 2
    np.testing.assert_allclose(verdicts.both.fitness, mean, rtol=1e-5)
    assert np.all(np.abs(verdicts.one.fitness / verdicts.other.fitness - 1) > 0.01)


def test_normalised_fitness_is_relative_to_the_task_loss(verdicts: Judged):
    settings = replace(SETTINGS, fitness=replace(SETTINGS.fitness, normalize=True))
    found = judged((ONE, OTHER), settings).fitness
    # The first formula is the task loss.
    relative = [each.fitness / each.fitness[0] for each in (verdicts.one, verdicts.other)]
    np.testing.assert_allclose(found, np.mean(relative, axis=0), rtol=1e-4)
    np.testing.assert_allclose(found[0], 1.0, rtol=1e-4)
    assert np.all(np.abs(found[1:] - 1) > 0.01)


def test_steps_of_training_are_counted_on_every_task(verdicts: Judged):
    assert [each.training_steps for each in verdicts] == [3 * 2 * 12, 3 * 2 * 12, 2 * 3 * 2 * 12]


def test_a_task_twice_is_judged_and_tuned_as_once():
    once, twice = judged((ONE,), tuning=TUNING), judged((ONE, ONE), tuning=TUNING)
    np.testing.assert_allclose(twice.weights, once.weights, rtol=1e-5)
    np.testing.assert_allclose(twice.fitness, once.fitness, rtol=1e-4)
    # Fresh weights are close to 1.
    assert np.all(np.max(np.abs(once.weights - 1), axis=1) > 0.05), "the weights moved"
    assert once.training_steps == 3 * (2 * 12 + 3 * TUNING.inner_steps)
    assert twice.training_steps == 2 * once.training_steps


def gain_under_the_task_loss(task: SupervisedTask, settings: GeneticSettings) -> float:
    key = named_key(jax.random.key(0), "untrained network")
    examples = Split(*(part[: settings.rejection.examples] for part in task.train))
    improve = candidate_way(task, settings).improve
    return float(improve((key, examples), lambda _: task.task_loss, jnp.ones(1)))


def test_the_rejection_test_takes_the_mean_of_gains():
    settings = replace(SETTINGS, rejection=RejectionSettings(when="before", steps=5, examples=20))
    gains = {task.name: gain_under_the_task_loss(task, settings) for task in (ONE, OTHER)}
    worse, better = sorted((ONE, OTHER), key=lambda task: gains[task.name])
    # Between the lesser gain and the mean of both.
    threshold = 0.75 * gains[worse.name] + 0.25 * gains[better.name]
    strict = replace(settings, rejection=replace(settings.rejection, threshold=threshold))
    # The first formula is the task loss.
    assert not judged((worse,), strict).trained[0]
    assert judged((worse, better), strict).trained[0]


def test_steps_of_a_race_are_those_of_who_stays():
    settings = replace(SETTINGS, fitness=FitnessSettings(steps=12, seeds=2, rungs=2))
    found = judged((ONE,), settings)
    # Three take six steps, and two, the larger half, six more.
    assert found.training_steps == 2 * (3 * 6 + 2 * 6)
    assert found.trained.sum() == 2


def test_candidates_race_on_one_task_only():
    settings = replace(SETTINGS, fitness=FitnessSettings(steps=12, rungs=2))
    with pytest.raises(InvalidInputError, match="race on one task only, got 2"):
        tree_judge((ONE, OTHER), settings, None, ALPHABET)
