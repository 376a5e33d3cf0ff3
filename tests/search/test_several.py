from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.finalists import SMALLEST_SCALE
from jaxloss.learning.fitness import FitnessSettings, partial_training
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.search.several import as_tasks, mean_over_tasks, names_of, task_scales
from jaxloss.tasks import SupervisedTask, supervised_task

OPTIMIZER = BaseOptimizerSettings(learning_rate=0.05, batch_size=16)
SETTINGS = FitnessSettings(steps=6, seeds=2, normalize=True)


def task_of(name: str, metric: str | None = None, noise: float = 1.0) -> SupervisedTask:
    generator = np.random.default_rng(len(name))
    inputs = generator.normal(size=(60, len(name)))
    targets = inputs @ generator.normal(size=len(name)) + noise * generator.normal(size=60)
    return supervised_task(name, inputs, targets, "regression", model="linear", metric=metric)


ONE, OTHER = task_of("one"), task_of("other", metric="r2")


def test_one_task_and_a_list_become_a_tuple():
    assert as_tasks(ONE) == (ONE,)
    assert as_tasks([ONE, ONE]) == (ONE, ONE)
    with pytest.raises(InvalidInputError, match="at least one task"):
        as_tasks([])


def test_tasks_of_other_metrics_are_refused():
    with pytest.raises(InvalidInputError, match="'one' has mse, but 'other' has r2"):
        as_tasks([ONE, OTHER])


def test_tasks_that_show_other_things_are_refused():
    classes = supervised_task(
        "classes", np.eye(30, 2), np.arange(30) % 2, "classification", model="linear"
    )
    with pytest.raises(InvalidInputError, match="'one' shows 'identity', but 'classes'"):
        as_tasks([ONE, classes])


def test_names_come_once():
    assert names_of((ONE, OTHER, ONE)) == ("one,other", "linear")


def test_scores_are_averaged_over_seeds_and_then_over_tasks():
    scores = [np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([[10.0, 30.0], [50.0, np.inf]])]
    np.testing.assert_array_equal(mean_over_tasks(scores, np.ones(2)), [11.0, np.inf])
    np.testing.assert_array_equal(mean_over_tasks(scores, np.array([2.0, 10.0])), [1.5, np.inf])
    assert mean_over_tasks(scores, np.ones(2)).dtype == np.float32


def test_one_task_of_scale_one_keeps_its_mean():
    scores = np.array([[0.25, 0.75], [-2.0, -1.0]], np.float32)
    np.testing.assert_array_equal(mean_over_tasks([scores], np.ones(1)), [0.5, -1.5])


def test_without_normalisation_all_scales_are_one():
    plain = replace(SETTINGS, normalize=False)
    scales = task_scales((ONE, OTHER), OPTIMIZER, plain)(jax.random.key(0))
    assert scales.tolist() == [1.0, 1.0]


def test_scales_are_the_size_of_what_the_usual_loss_reaches():
    scales = task_scales((ONE, OTHER), OPTIMIZER, SETTINGS)
    for key in (jax.random.key(0), jax.random.key(1), jax.random.key(0)):
        expected = [
            np.abs(
                partial_training(
                    key, task, OPTIMIZER, SETTINGS, task.task_loss, task.train, task.valid
                ).mean()
            )
            for task in (ONE, OTHER)
        ]
        np.testing.assert_allclose(scales(key), expected, rtol=1e-4)
    assert not np.allclose(scales(jax.random.key(0)), scales(jax.random.key(1)), rtol=1e-3)


@pytest.mark.parametrize(
    ("learning_rate", "noise", "scale"), [(1e6, 1.0, 1.0), (0.05, 0.0, SMALLEST_SCALE)]
)
def test_what_nothing_can_be_divided_by_is_replaced(
    learning_rate: float, noise: float, scale: float
):
    task = task_of("probe", noise=noise)
    settings = replace(SETTINGS, steps=150, seeds=1)
    optimizer = replace(OPTIMIZER, learning_rate=learning_rate)
    found = task_scales((task,), optimizer, settings)(jax.random.key(0))
    np.testing.assert_allclose(found, [scale], rtol=1e-6)
