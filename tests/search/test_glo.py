"""GLO: a tree is found, then its coefficients."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses import TreeForm, ZooForm
from jaxloss.search import Info, Search
from jaxloss.search.glo import GLOSettings, glo
from jaxloss.symbols.variation import VariationSettings
from jaxloss.tasks import SupervisedTask, supervised_task

# So small a step size that the tree trains too slowly until its coefficients have grown.
SETTINGS: dict[str, Any] = {
    "population": 8,
    "generations": 1,
    "coefficient_generations": 8,
    "max_nodes": 16,
    "chunk": 4,
    "seed_from": ("square(f - y)",),
    "variation": VariationSettings(initial_height=(1, 2)),
    "rejection": RejectionSettings(when="never"),
    "fitness": FitnessSettings(steps=25),
    "optimizer": BaseOptimizerSettings(learning_rate=0.001, batch_size=16),
    "trial": TrialSettings(steps=25, finalists=4, finalist_seeds=2),
}


class Course(NamedTuple):
    search: Search
    states: list[Any]
    infos: list[Info]


def line() -> SupervisedTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(90, 2))
    targets = inputs @ np.array([1.0, -2.0]) + 0.1 * generator.normal(size=90)
    return supervised_task("line", inputs, targets, "regression", model="linear")


def run(settings: dict[str, Any]) -> Course:
    search = glo(line(), GLOSettings(**settings))
    states, infos = [search.init(jax.random.key(0))], []
    for _ in range(search.steps):
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
    return Course(search, states, infos)


@pytest.fixture(scope="module")
def course() -> Course:
    return run(SETTINGS)


def test_coefficients_make_the_tree_better(course: Course):
    with_ones, tuned = course.infos[0].best_fitness, course.infos[-1].best_fitness
    assert tuned < 0.7 * with_ones
    fitness = [info.best_fitness for info in course.infos]
    assert fitness == sorted(fitness, reverse=True)


def test_the_fittest_tree_alone_is_tuned(course: Course):
    table = course.states[1].trees.best_of_size
    row = int(np.argmin(table.fitness))
    assert np.all(course.states[1].tree == -1)
    for state in course.states[2:]:
        np.testing.assert_array_equal(state.tree, table.genomes[row])
        # The search for trees is over.
        assert int(state.trees.generation) == 1
    first, last = course.infos[0].best, course.infos[-1].best
    assert first is not None
    assert last is not None
    assert isinstance(last.form, TreeForm)
    assert last.form.as_data() == first.form.as_data()
    assert 1.0 not in last.parameters


def test_places_beyond_the_trees_own_edges_stay_empty(course: Course):
    edges = int(np.sum(course.states[-1].tree >= 0)) - 1
    hall = course.states[-1].hall
    assert hall.parameters.shape == (4, 15)
    assert hall.filled == 4
    assert np.all(hall.parameters[:, :edges] != 0)
    assert np.all(hall.parameters[:, edges:] == 0)


def test_the_front_holds_the_tuned_tree_in_the_place_of_the_plain_one(course: Course):
    hall = course.states[-1].hall
    (tuned,) = [
        entry
        for entry in course.search.front(course.states[-1])
        if entry.fitness == float(hall.fitness[0])
    ]
    assert tuned.size == tuned.loss.form.size == int(np.sum(course.states[-1].tree >= 0))
    assert len(tuned.loss.parameters) == tuned.size - 1
    plain = course.search.front(course.states[1])
    assert all(set(entry.loss.parameters) == {1.0} for entry in plain)


def test_tuned_and_plain_losses_meet_among_the_finalists(course: Course):
    finalists = course.search.finalists(course.states[-1])
    learned = [finalist.loss for finalist in finalists if finalist.learned]
    assert len(learned) == len(set(learned)) == 4
    plain = [loss for loss in learned if set(loss.parameters) == {1.0}]
    assert 1 <= len(plain) <= 2


def test_where_no_tree_survives_the_task_loss_is_handed_over():
    settings = {
        **SETTINGS,
        "coefficient_generations": 2,
        "rejection": RejectionSettings(when="before", steps=2, examples=20, threshold=1e9),
    }
    course = run(settings)
    assert [info.generation for info in course.infos] == [0, 1, 2]
    assert [info.trained for info in course.infos] == [0, 0, 0]
    assert all(info.best is None and info.best_fitness == np.inf for info in course.infos)
    assert course.search.front(course.states[-1]) == []
    assert course.search.best(course.states[-1]).form == ZooForm("mse", "identity")


def test_steps_that_are_spent_end_the_search_for_a_tree():
    # A generation trains with at most 8 new trees, 25 steps each.
    course = run({**SETTINGS, "generations": 6, "coefficient_generations": 1, "tree_steps": 201})
    looked = [int(state.trees.generation) for state in course.states[1:]]
    trees = looked[-1]
    assert 2 <= trees < 6
    assert looked == [*range(1, trees + 1), *[trees] * (7 - trees)]
    taken = np.cumsum([info.training_steps for info in course.infos[:trees]])
    assert taken[-2] < 201 <= taken[-1]
    assert [int(state.taken) for state in course.states[1 : trees + 1]] == list(taken)
    # What was spared goes to the coefficients.
    assert int(course.states[-1].tuned) == 7 - trees
    assert [info.generation for info in course.infos] == list(range(7))


def test_without_generations_for_coefficients_a_tree_is_all():
    search = glo(line(), GLOSettings(**{**SETTINGS, "coefficient_generations": 0}))
    assert search.steps == SETTINGS["generations"]


def test_without_generations_for_coefficients_trees_may_race():
    racing = FitnessSettings(steps=25, rungs=2)
    course = run({**SETTINGS, "coefficient_generations": 0, "fitness": racing})
    assert course.infos[-1].dropped["outrun"] >= 1
    assert course.infos[-1].best is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma": 0.0}, "sigma must be above 0, got 0.0"),
        ({"tree_steps": 0}, "tree_steps must be 1 or more, or none, got 0"),
        ({"coefficient_generations": -1}, "coefficient_generations must be 0 or more, got -1"),
        ({"fitness": FitnessSettings(rungs=2)}, "expected 1 fitness rung, got 2, or 0 coefficient"),
        (
            {"fitness": FitnessSettings(rungs=2), "coefficient_generations": 0, "tree_steps": 9},
            "and no tree_steps, got 9",
        ),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        GLOSettings(**settings)


def test_an_unknown_strategy_is_refused_at_once():
    with pytest.raises(InvalidInputError, match=r"unknown strategy 'cma'.*cma_es"):
        glo(line(), GLOSettings(**{**SETTINGS, "strategy": "cma"}))
