"""AdaLFL: tuned offline, then at every step of a training."""

from dataclasses import fields
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.keys import named_key
from jaxloss.learning.fitness import FitnessSettings, scored
from jaxloss.learning.inner import BaseOptimizerSettings, predict
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.online import draw_online, train_online
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.forms import OnlineForm
from jaxloss.losses.network import adalfl_network
from jaxloss.models.model import Variables
from jaxloss.search import Info, Search
from jaxloss.search.adalfl import AdaLFLSettings, AdaLFLState, adalfl
from jaxloss.tasks import Split, SupervisedTask, supervised_task

SETTINGS = AdaLFLSettings(
    population=2,
    generations=2,
    chunk=1,
    tuning=LocalSearchSettings(meta_steps=60, learning_rate=1e-2),
    online_generations=4,
    online_learning_rate=1e-3,
    fitness=FitnessSettings(steps=20),
    optimizer=BaseOptimizerSettings(learning_rate=0.02, batch_size=16),
    trial=TrialSettings(steps=40, finalists=1, finalist_seeds=2),
)
KEY = jax.random.key(0)
FIRST_ONLINE = SETTINGS.generations


class Course(NamedTuple):
    """A whole search; ``states[FIRST_ONLINE]`` is the last before the online phase."""

    task: SupervisedTask
    search: Search
    states: list[Any]
    infos: list[Info]

    def error(self, variables: Variables) -> Array:
        """Is the fitness of a network."""
        outputs = predict(self.task.model, variables, self.task.valid.inputs)
        return scored(self.task, outputs, self.task.valid)


@pytest.fixture(scope="module")
def course() -> Course:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(90, 2))
    targets = inputs @ np.array([1.0, -2.0]) + 0.3 * generator.normal(size=90)
    task = supervised_task("line", inputs, targets, "regression", model="linear")
    search = adalfl(task, SETTINGS)
    states, infos = [search.init(KEY)], []
    for _ in range(search.steps):
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
    return Course(task, search, states, infos)


def test_the_loss_moves_in_every_online_round(course: Course):
    last = course.states[-1]
    rows = np.concatenate([last.offline.hall.parameters[:1], last.history])
    assert np.all(np.isfinite(rows))
    assert np.all(np.abs(np.diff(rows, axis=0)).max(axis=1) > 1e-3)
    np.testing.assert_array_equal(rows[-1], last.online.loss_params)
    for done, state in enumerate(course.states[FIRST_ONLINE:]):
        np.testing.assert_array_equal(state.history[:done], last.history[:done])
        assert np.all(np.isnan(state.history[done:]))


def test_the_offline_phase_is_over_when_the_online_one_begins(course: Course):
    before = course.states[FIRST_ONLINE]
    for state in course.states[FIRST_ONLINE:]:
        assert int(state.offline.generation) == SETTINGS.generations
        np.testing.assert_array_equal(state.offline.hall.parameters, before.offline.hall.parameters)
    generations = [int(state.generation) for state in course.states]
    assert generations == [0, 0, 0, 1, 2, 3, 4]


def test_the_online_training_does_not_diverge(course: Course):
    draws = draw_online(
        named_key(KEY, "online training"),
        course.task,
        SETTINGS.optimizer,
        course.task.train,
        course.task.valid,
        SETTINGS.trial.steps,
    )
    untrained = float(course.error(draws.training.learner.variables))
    trained = float(course.error(course.states[-1].online.learner.variables))
    assert np.isfinite(trained)
    assert trained < 0.9 * untrained
    np.testing.assert_allclose(course.states[-1].fitness[-1], trained, rtol=1e-4)


def test_rounds_come_to_what_online_training_in_one_go_does(course: Course):
    task, last = course.task, course.states[-1]
    bind = family_binding(adalfl_network(task.view.variables), task.view)

    @jax.jit
    def in_one_go(params: Array) -> tuple[Variables, Array, Array]:
        draws = draw_online(
            named_key(KEY, "online training"),
            task,
            SETTINGS.optimizer,
            task.train,
            task.valid,
            SETTINGS.trial.steps,
        )
        return train_online(
            draws,
            task,
            SETTINGS.optimizer,
            SETTINGS.online_learning_rate,
            bind,
            params,
            task.train,
            task.valid,
            course.error,
            SETTINGS.online_generations,
        )

    variables, errors, params = in_one_go(jnp.asarray(last.offline.hall.parameters[0]))
    np.testing.assert_allclose(last.online.loss_params, params, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(last.fitness, errors, rtol=1e-3)
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-3, atol=1e-5),
        last.online.learner.variables,
        variables,
    )


def test_info_tells_of_the_loss_as_it_is_now(course: Course):
    for number in range(SETTINGS.online_generations):
        info = course.infos[FIRST_ONLINE + number]
        assert info.best is not None
        np.testing.assert_array_equal(
            np.array(info.best.parameters, np.float32), course.states[-1].history[number]
        )
        assert info.training_steps == SETTINGS.steps_of_online_round == 10
        # How the one online training went cannot be compared with it.
        assert info.best_fitness == course.states[-1].offline.hall.fitness[0]


def with_empty_hall(search: Search) -> AdaLFLState:
    """An offline phase that is over and that nothing has survived."""
    state = search.init(KEY)
    over = np.array(SETTINGS.generations, np.int32)
    return state._replace(offline=state.offline._replace(generation=over))


def test_without_an_offline_loss_there_is_none_online(course: Course):
    state, info = course.search.step(with_empty_hall(course.search))
    assert (info.best, info.best_fitness) == (None, np.inf)
    assert course.search.front(state) == []


class PlayedLine(SupervisedTask):
    """Is scored by its network."""

    def score(self, variables: Variables, split: Split) -> Array:
        del variables, split
        return jnp.float32(7.0)


def test_a_played_task_is_scored_by_its_network(course: Course):
    task = PlayedLine(
        **{part.name: getattr(course.task, part.name) for part in fields(course.task)}
    )
    search = adalfl(task, SETTINGS)
    state, _ = search.step(with_empty_hall(search))
    assert state.fitness[0] == 7.0


def test_what_is_handed_over_starts_from_the_offline_loss_and_adapts(course: Course):
    (entry,) = course.search.front(course.states[-1])
    assert isinstance(entry.loss.form, OnlineForm)
    assert entry.loss.form.learning_rate == SETTINGS.online_learning_rate
    best = course.states[-1].offline.hall.parameters[0]
    np.testing.assert_array_equal(np.array(entry.loss.parameters, np.float32), best)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"online_generations": 7}, "multiple of the 7 online generations, got 10000"),
        ({"online_generations": 0}, "multiple of the 0 online generations"),
        ({"online_learning_rate": 0.0}, "online_learning_rate must be above 0, got 0.0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        AdaLFLSettings(**settings)
