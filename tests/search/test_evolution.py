"""What the methods that evolve trees share, on a probe task whose best loss is known."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.finalists import Finalist
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses import TreeForm
from jaxloss.search import METHODS, Info, Search
from jaxloss.symbols import Alphabet, parse
from jaxloss.tasks import SupervisedTask, supervised_task

ALPHABET = Alphabet(capacity=40)
GENERATIONS = 12
SHARED: dict[str, Any] = {
    "population": 24,
    "generations": GENERATIONS,
    "max_nodes": ALPHABET.capacity,
    "chunk": 6,
    "rejection": RejectionSettings(steps=60, examples=60),
    "fitness": FitnessSettings(steps=150, seeds=3),
    "optimizer": BaseOptimizerSettings(learning_rate=0.02, batch_size=64),
    "trial": TrialSettings(steps=150, seeds=2, finalist_seeds=3, finalists=3),
}
OWN: dict[str, dict[str, Any]] = {
    "evomal": {"local_search": LocalSearchSettings(meta_steps=20, learning_rate=5e-3)},
    "gp_lfl": {},
}


def median_regression() -> SupervisedTask:
    """Skewed noise and the mean absolute error: the conditional median is best, so |f - y| is."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(300, 3))
    targets = inputs @ np.array([1.0, -1.0, 2.0]) + 2 * generator.exponential(size=300) ** 2
    return supervised_task("median", inputs, targets, "regression", model="linear", metric="mae")


class Course(NamedTuple):
    """A whole search, generation by generation; ``states[0]`` is the first, unjudged one."""

    name: str
    search: Search
    states: list[Any]
    infos: list[Info]


@pytest.fixture(scope="module", params=OWN)
def course(request: pytest.FixtureRequest) -> Course:
    method = METHODS[request.param]
    search = method.make(median_regression(), method.settings(**SHARED, **OWN[request.param]))
    states, infos = [search.init(jax.random.key(0))], []
    for _ in range(search.steps):
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
    return Course(request.param, search, states, infos)


@pytest.fixture(scope="module")
def finalists(course: Course) -> list[Finalist]:
    return course.search.finalists(course.states[-1])


def test_the_front_is_strictly_pareto(course: Course):
    for state in course.states[1:]:
        front = course.search.front(state)
        sizes, fitness = [entry.size for entry in front], [entry.fitness for entry in front]
        assert sizes == sorted(set(sizes))
        assert fitness == sorted(set(fitness), reverse=True)
        assert all(isinstance(entry.loss.form, TreeForm) for entry in front)
        assert [entry.loss.form.as_data()["expression"] for entry in front] == [
            str(parse(entry.loss.form.as_data()["expression"])) for entry in front
        ]
        assert [entry.loss.form.parameter_count + 1 for entry in front] == sizes


def test_the_best_never_gets_worse(course: Course):
    best = [info.best_fitness for info in course.infos]
    assert best == sorted(best, reverse=True)
    assert np.isfinite(best[-1])
    # The elite passes unchanged and keeps its fitness.
    populations = [np.asarray(state.fitness) for state in course.states[1:]]
    lowest = [float(fitness.min()) for fitness in populations]
    assert lowest == sorted(lowest, reverse=True)
    assert lowest == best
    for older, newer in zip(course.states[1:-1], course.states[2:], strict=True):
        order = np.argsort(older.fitness, kind="stable")[:2]
        np.testing.assert_array_equal(newer.genomes[:2], np.asarray(older.genomes)[order])
        np.testing.assert_array_equal(newer.fitness[:2], np.asarray(older.fitness)[order])


def test_no_tree_is_judged_twice(course: Course):
    for info in course.infos:
        filtered = sum(number for name, number in info.dropped.items() if name != "not finite")
        assert filtered + info.trained == info.candidates == SHARED["population"]
    judged = sum(info.candidates - info.dropped["archive"] for info in course.infos)
    archive = course.states[-1].archive
    hashes = np.asarray(archive.hashes[:judged])
    assert len({tuple(row) for row in hashes.tolist()}) == judged
    assert not np.any(np.asarray(archive.hashes[judged:]))
    # Trees that come back are not news: elites at least do so in every generation.
    assert all(info.dropped["archive"] >= 2 for info in course.infos[1:])


def test_every_tree_holds_all_variables_within_the_height(course: Course):
    for state in course.states:
        for genome in np.asarray(state.genomes):
            tree = ALPHABET.decode(genome)
            assert tree.variables == ("f", "y")
            assert tree.height <= 10


def judge(course: Course, texts: list[str], state: Any = None) -> tuple[Any, Info]:
    """Has a generation made of given trees judged, instead of a random first one."""
    genomes = [ALPHABET.encode(parse(text)) for text in texts]
    filled = [genomes[i % len(genomes)] for i in range(SHARED["population"])]
    start = course.states[0] if state is None else state
    zero = np.zeros_like(course.states[0].generation)
    return course.search.step(start._replace(genomes=np.stack(filled), generation=zero))


def test_the_best_loss_of_the_probe_task_is_found(course: Course):
    state, _ = judge(course, ["abs(f - y)", "square(f - y)"])
    known, usual = (float(fitness) for fitness in state.fitness[:2])
    assert known < 0.9 * usual
    found = course.infos[-1].best_fitness
    assert found <= 1.05 * known
    assert found < 0.95 * usual


def test_finalists_are_ranked_and_hold_the_task_loss(course: Course, finalists: list[Finalist]):
    means = [finalist.mean for finalist in finalists]
    assert means == sorted(means)
    assert [finalist.learned for finalist in finalists].count(False) == 1
    assert len(finalists) <= 4
    entries = sorted(course.search.front(course.states[-1]), key=lambda entry: entry.fitness)
    own = [finalist.loss for finalist in finalists if finalist.learned]
    assert set(own) == {entry.loss for entry in entries[:3]}
    # Fresh seeds confirm what the search found: the task loss is beaten.
    assert finalists[0].learned


def test_gp_lfl_keeps_all_weights_at_one_and_evomal_tunes_them(course: Course):
    weights = [
        parameter
        for entry in course.search.front(course.states[-1])
        for parameter in entry.loss.parameters
    ]
    assert weights
    if course.name == "gp_lfl":
        assert set(weights) == {1.0}
    else:
        assert 1.0 not in weights
        assert max(abs(weight - 1.0) for weight in weights) > 5 * 1e-3


def test_what_is_hopeless_or_known_is_dropped_and_counted(course: Course):
    texts = ["abs(f - y)", "abs(f - y) * -1", "sign(f - y)", "(y - f)**2 + abs(f*y - y*f)"]
    swapped = ["abs(f - y)", "-1 * abs(f - y)", "sign(f - y)", "abs(y*f - f*y) + (y - f)**2"]
    state, info = judge(course, texts)
    assert info.dropped["archive"] == SHARED["population"] - 4
    assert info.dropped["rejected before"] == 2
    assert info.trained == 2
    fitness = np.asarray(state.fitness)[:4]
    np.testing.assert_array_equal(np.isfinite(fitness), [True, False, False, True])
    again, info = judge(course, swapped, state)
    assert info.dropped["archive"] == SHARED["population"]
    assert info.trained == 0
    np.testing.assert_array_equal(again.fitness, state.fitness)
    for own, expected in zip(again.archive, state.archive, strict=True):
        np.testing.assert_array_equal(own, expected)
