"""Searches whose candidates race: who left is selected from, but never handed over."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.keys import named_key
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.search import GPLFLSettings, Info, Search, gp_lfl
from jaxloss.search.programs import candidate_programs
from jaxloss.search.whole import whole_search
from jaxloss.symbols import Alphabet, parse
from jaxloss.symbols.variation import VariationSettings
from jaxloss.tasks import SupervisedTask, supervised_task

SETTINGS = GPLFLSettings(
    population=12,
    generations=4,
    max_nodes=16,
    chunk=2,
    variation=VariationSettings(initial_height=(1, 2)),
    rejection=RejectionSettings(steps=10, examples=20),
    fitness=FitnessSettings(steps=20, seeds=2, rungs=3),
    optimizer=BaseOptimizerSettings(batch_size=16),
)


class Course(NamedTuple):
    """A whole search, generation by generation; ``states[0]`` is the first, unjudged one."""

    task: SupervisedTask
    search: Search
    states: list[Any]
    infos: list[Info]


@pytest.fixture(scope="module")
def course() -> Course:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(80, 3))
    targets = inputs @ np.array([1.0, -1.0, 2.0]) + generator.normal(size=80)
    task = supervised_task("probe", inputs, targets, "regression", model="linear")
    search = gp_lfl(task, SETTINGS)
    states, infos = [search.init(jax.random.key(0))], []
    for _ in range(search.steps):
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
    return Course(task, search, states, infos)


def test_all_trees_are_accounted_for(course: Course):
    for info in course.infos:
        filtered = sum(number for name, number in info.dropped.items() if name != "not finite")
        assert filtered + info.trained == info.candidates
    first = course.infos[0]
    raced = first.trained + first.dropped["outrun"]
    # Half of them, rounded up, twice.
    assert raced >= 4
    assert first.trained == math.ceil(math.ceil(raced / 2) / 2)
    assert first.dropped["not finite"] == 0


def test_the_front_holds_what_a_full_training_confirms(course: Course):
    state = course.states[-1]
    alphabet = Alphabet(capacity=SETTINGS.max_nodes)
    uninterrupted = dataclasses.replace(SETTINGS, fitness=FitnessSettings(steps=20, seeds=2))
    programs = candidate_programs(course.task, uninterrupted, None, alphabet)
    rows = np.flatnonzero(np.isfinite(state.best_of_size.fitness))
    assert len(rows)
    genomes, weights, expected = (part[rows] for part in state.best_of_size)
    key = named_key(jax.random.key(0), "partial training")
    shared = key, course.task.train, course.task.valid
    fitness = programs.train(shared, (genomes, weights)).mean(axis=1)
    # Two programs round differently, and training under a bad loss amplifies it.
    np.testing.assert_allclose(fitness, expected, rtol=0.03)


def test_who_left_is_behind_all_that_finished_with_it(course: Course):
    archive, info = course.states[1].archive, course.infos[0]
    ranked = np.sort(archive.fitness[np.isfinite(archive.fitness)])
    assert len(ranked) == info.trained + info.dropped["outrun"]
    finishers, others = np.split(ranked, [info.trained])
    assert others.min() > finishers.max()
    assert len(np.unique(others)) > 1  # So that selection can tell them apart.
    table = course.states[1].best_of_size.fitness
    assert set(table[np.isfinite(table)].tolist()) <= set(finishers.tolist())


def test_the_best_is_always_a_finisher(course: Course):
    for state, info in zip(course.states[1:], course.infos, strict=True):
        assert float(state.fitness.min()) == info.best_fitness


def test_resumed_is_uninterrupted(course: Course):
    state = course.states[2]
    again = gp_lfl(course.task, SETTINGS)
    for _ in range(2):
        state, _ = again.step(state)
    own, expected = (jax.tree.leaves(each._replace(key=())) for each in (state, course.states[4]))
    for one, other in zip(own, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_whole_search_cannot_race(course: Course):
    settings = dataclasses.replace(SETTINGS, chunk=None)
    with pytest.raises(InvalidInputError, match="expected 1 fitness rung, got 3"):
        whole_search(course.task, settings, None)


def test_trees_race_alike_by_either_way_of_running_them(course: Course):
    alphabet = Alphabet(capacity=SETTINGS.max_nodes)
    formulas = ("square(sub(f, y))", "abs(sub(f, y))", "tanh(abs(sub(f, y)))")
    genomes = np.stack([alphabet.encode(parse(formula)) for formula in formulas])
    weights = np.ones((len(formulas), alphabet.capacity - 1), np.float32)
    shared = jax.random.key(0), course.task.train, course.task.valid
    one, other = (
        candidate_programs(course.task, dataclasses.replace(SETTINGS, way=way), None, alphabet)
        for way in ("interpreted", "specialised")
    )
    fitness, finished = one.race(shared, (genomes, weights))
    expected, finishers = other.race(shared, (genomes, weights))
    assert finished.sum() == 1
    np.testing.assert_array_equal(finished, finishers)
    # Two programs round differently, and training under a bad loss amplifies it.
    np.testing.assert_allclose(fitness, expected, rtol=0.03)
