from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.fitness import FitnessSettings, partial_training, scored
from jaxloss.learning.inner import BaseOptimizerSettings, predict, train
from jaxloss.tasks import Split, SupervisedTask, supervised_task

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
SCORES = INPUTS @ np.array([1.0, -1.0, 2.0])
OPTIMIZER = BaseOptimizerSettings(learning_rate=0.05)


@pytest.fixture(scope="module")
def task() -> SupervisedTask:
    return supervised_task("toy", INPUTS, SCORES, "regression", model="linear")


def fitness_of(task: SupervisedTask, loss: Callable, steps: int = 30, seeds: int = 2) -> Any:
    settings = FitnessSettings(steps, seeds)
    key = jax.random.key(0)
    return partial_training(key, task, OPTIMIZER, settings, loss, task.train, task.valid)


def test_fitness_is_the_metric_after_training_for_each_seed(task: SupervisedTask):
    found = fitness_of(task, task.task_loss)
    for seed, key in enumerate(jax.random.split(jax.random.key(0), 2)):
        variables, _ = train(key, task.model, OPTIMIZER, task.task_loss, task.train, 30)
        outputs = predict(task.model, variables, task.valid.inputs)[:, 0]
        expected = np.mean(np.square(np.asarray(outputs) - np.asarray(task.valid.targets)))
        np.testing.assert_allclose(found[seed], expected, rtol=1e-4)
    assert found[0] != found[1]


def test_training_that_is_not_finite_is_infinitely_bad(task: SupervisedTask):
    def broken(outputs: Any, targets: Any) -> Any:
        return task.task_loss(outputs, targets) * jnp.nan

    def exploding(outputs: Any, targets: Any) -> Any:
        return -1e6 * task.task_loss(outputs, targets)

    for loss in (broken, exploding):
        np.testing.assert_array_equal(fitness_of(task, loss), [np.inf, np.inf])


@pytest.mark.parametrize(
    ("keep", "candidates", "stay"), [(0.5, 5, 3), (0.28, 25, 7), (0.07, 100, 7), (0.1, 3, 1)]
)
def test_who_stays_is_rounded_up_and_not_by_the_last_digit(keep: float, candidates: int, stay: int):
    assert FitnessSettings(keep=keep).survivors(candidates) == stay


def test_higher_is_better_metrics_are_turned_round():
    r2 = supervised_task("toy", INPUTS, SCORES, "regression", model="linear", metric="r2")
    perfect = Split(r2.valid.inputs, r2.valid.targets)
    assert float(scored(r2, perfect.targets[:, None], perfect)) == -1.0
    worse = scored(r2, perfect.targets[:, None] + 1.0, perfect)
    assert float(worse) > -1.0
    assert float(scored(r2, perfect.targets[:, None] * jnp.nan, perfect)) == np.inf


@pytest.mark.parametrize(("steps", "seeds", "name"), [(0, 1, "steps"), (10, 0, "seeds")])
def test_impossible_settings_are_refused(steps: int, seeds: int, name: str):
    with pytest.raises(InvalidInputError, match=f"fitness {name} must be 1 or more, got 0"):
        FitnessSettings(steps, seeds)
