"""The search by meta-gradients, with ML³'s network."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.keys import named_key
from jaxloss.learning.fitness import FitnessSettings, partial_training
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings, local_search
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.network import ml3_network
from jaxloss.search import Info, Search
from jaxloss.search.ml3 import ML3Settings, ml3
from jaxloss.tasks import SupervisedTask, supervised_task

SETTINGS = ML3Settings(
    population=2,
    generations=4,
    chunk=2,
    tuning=LocalSearchSettings(meta_steps=80, inner_steps=4, learning_rate=5e-3),
    fitness=FitnessSettings(steps=30),
    optimizer=BaseOptimizerSettings(learning_rate=0.05, momentum=0.0, batch_size=16),
    trial=TrialSettings(steps=30, finalists=3, finalist_seeds=2),
)
KEY = jax.random.key(0)


class Course(NamedTuple):
    task: SupervisedTask
    search: Search
    states: list[Any]
    infos: list[Info]


@pytest.fixture(scope="module")
def course() -> Course:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(90, 2))
    targets = inputs @ np.array([1.0, -2.0]) + 0.3 * generator.normal(size=90)
    task = supervised_task("line", inputs, targets, "regression", model="linear")
    search = ml3(task, SETTINGS)
    states, infos = [search.init(KEY)], []
    for _ in range(search.steps):
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
    return Course(task, search, states, infos)


def fitness_of(course: Course, params: np.ndarray) -> Array:
    """Scores losses as the search does, in a program of its own."""
    task = course.task
    bind = family_binding(ml3_network(task.view.variables), task.view)
    key = named_key(KEY, "partial training")

    @jax.jit
    @jax.vmap
    def score(params: Array) -> Array:
        splits = task.train, task.valid
        return partial_training(
            key, task, SETTINGS.optimizer, SETTINGS.fitness, bind(params), *splits
        ).mean()

    return score(jnp.asarray(params))


def test_meta_training_lowers_the_fitness(course: Course):
    fresh = fitness_of(course, course.states[0].losses.loss_params)
    tuned = fitness_of(course, course.states[-1].losses.loss_params)
    assert float(np.min(tuned)) < 0.7 * float(np.min(fresh))
    assert course.infos[-1].best_fitness < 0.7 * float(np.min(fresh))
    # The best of the way is at least as good as the best at its end.
    assert course.states[-1].hall.fitness[0] <= float(np.min(tuned)) * 1.001


def test_rounds_come_to_what_one_local_search_does(course: Course):
    task = course.task
    bind = family_binding(ml3_network(task.view.variables), task.view)

    @jax.jit
    def tuned(params: Array) -> Array:
        return local_search(
            named_key(KEY, "meta steps"),
            task.model,
            SETTINGS.optimizer,
            SETTINGS.tuning,
            task.task_loss,
            bind,
            task.train,
            task.valid,
            params,
        )[0]

    expected = tuned(jnp.asarray(course.states[0].losses.loss_params[1]))
    found = course.states[-1].losses.loss_params[1]
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-4)
    moved = np.abs(found - course.states[0].losses.loss_params[1])
    assert moved.max() > 0.1


def test_losses_seed_from_draws_of_their_own(course: Course):
    first, second = course.states[0].losses.loss_params
    assert np.mean(first == second) < 0.5
    # As many are biases, which start at 0.
    assert np.std(first) > 0.01


def test_the_best_of_the_way_are_kept(course: Course):
    hall = course.states[-1].hall
    met = {tuple(row) for state in course.states[1:] for row in state.losses.loss_params.tolist()}
    assert hall.filled == 3
    assert {tuple(row) for row in hall.parameters.tolist()} <= met
    assert hall.fitness.tolist() == sorted(hall.fitness.tolist())


def test_meta_steps_count_as_training(course: Course):
    partial, unrolled = 2 * SETTINGS.fitness.steps, 2 * 4 * SETTINGS.steps_of_round
    assert [info.training_steps for info in course.infos] == [partial + unrolled] * 4


@pytest.mark.parametrize("meta_steps", [0, 10])
def test_meta_steps_that_do_not_fill_rounds_are_refused(meta_steps: int):
    with pytest.raises(InvalidInputError, match=f"multiple of the 4 generations, got {meta_steps}"):
        ML3Settings(generations=4, tuning=LocalSearchSettings(meta_steps=meta_steps))
