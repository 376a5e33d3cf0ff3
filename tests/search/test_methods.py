"""Every registered method, on a probe task whose best loss is known."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import Finalist, TrialSettings
from jaxloss.learning.unroll import LocalSearchSettings
from jaxloss.losses import LearnedLoss, TreeForm
from jaxloss.search import METHODS, FrontEntry, Info, Search
from jaxloss.symbols import Alphabet, parse
from jaxloss.tasks import SupervisedTask, supervised_task

COMPILATIONS: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: COMPILATIONS.append(event) if "backend_compile" in event else None
)

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
    compilations: list[int]


@pytest.fixture(scope="module", params=METHODS)
def course(request: pytest.FixtureRequest) -> Course:
    method = METHODS[request.param]
    search = method.make(median_regression(), method.settings(**SHARED, **OWN[request.param]))
    states, infos, compilations = [search.init(jax.random.key(0))], [], []
    for _ in range(search.steps):
        before = len(COMPILATIONS)
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
        compilations.append(len(COMPILATIONS) - before)
    return Course(request.param, search, states, infos, compilations)


@pytest.fixture(scope="module")
def finalists(course: Course) -> list[Finalist]:
    return course.search.finalists(course.states[-1])


def plain(state: Any) -> list[np.ndarray]:
    """The leaves of a state as numpy arrays."""

    def array(leaf: Any) -> np.ndarray:
        is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.array(jax.random.key_data(leaf) if is_key else leaf)

    return [array(leaf) for leaf in jax.tree.leaves(state)]


def assert_identical(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for own, expected in zip(plain(one), plain(other), strict=True):
        assert own.dtype == expected.dtype
        np.testing.assert_array_equal(own, expected)


def run(search: Search, state: Any, steps: int) -> Any:
    for _ in range(steps):
        state, _ = search.step(state)
    return state


def test_every_method_has_the_one_shape(course: Course, finalists: list[Finalist]):
    assert isinstance(course.search, Search)
    assert course.search.steps == GENERATIONS
    assert all(isinstance(info, Info) for info in course.infos)
    assert [info.generation for info in course.infos] == list(range(GENERATIONS))
    front = course.search.front(course.states[-1])
    assert front
    assert all(isinstance(entry, FrontEntry) for entry in front)
    assert isinstance(course.search.best(course.states[-1]), LearnedLoss)
    assert course.search.best(course.states[-1]) == finalists[0].loss


def test_a_state_is_a_pytree_of_arrays(course: Course):
    for state in (course.states[0], course.states[3]):
        leaves, structure = jax.tree.flatten(state)
        assert all(isinstance(leaf, np.ndarray | np.generic | jax.Array) for leaf in leaves)
        assert_identical(jax.tree.unflatten(structure, leaves), state)
    shapes = [[leaf.shape for leaf in plain(state)] for state in course.states]
    assert all(shape == shapes[0] for shape in shapes)


def test_one_key_gives_one_search(course: Course):
    start = course.search.init(jax.random.key(0))
    assert_identical(start, course.states[0])
    assert_identical(run(course.search, start, 3), course.states[3])


def test_another_key_gives_another_search(course: Course):
    other = course.search.init(jax.random.key(1))
    assert np.any(np.asarray(other.genomes) != np.asarray(course.states[0].genomes))


def test_resumed_is_uninterrupted(course: Course):
    """Everything that the rest of a search needs lies in the arrays of its state."""
    state = course.states[4]
    copies = [np.array(leaf) for leaf in plain(state)]
    leaves, structure = jax.tree.flatten(state)
    restored = [
        jax.random.wrap_key_data(jnp.asarray(copy))
        if copy.shape != np.shape(leaf)
        else copy.reshape(np.shape(leaf))
        for copy, leaf in zip(copies, leaves, strict=True)
    ]
    resumed = run(course.search, jax.tree.unflatten(structure, restored), 3)
    assert_identical(resumed, course.states[7])


def test_a_step_leaves_its_own_state_as_it_was(course: Course):
    state = course.states[2]
    before = [leaf.copy() for leaf in plain(state)]
    course.search.step(state)
    for own, expected in zip(plain(state), before, strict=True):
        np.testing.assert_array_equal(own, expected)


def test_nothing_compiles_after_the_second_generation(course: Course):
    assert course.compilations[0] > 0
    assert course.compilations[2:] == [0] * (GENERATIONS - 2)


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
    assert_identical(again.archive, state.archive)


def test_presets_are_settings_of_the_method():
    for method in METHODS.values():
        assert set(method.presets) == {"quick", "default", "paper"}
        assert method.presets["paper"] == method.settings()
        for settings in method.presets.values():
            assert type(settings) is method.settings
            assert hash(settings) == hash(dataclasses.replace(settings))
