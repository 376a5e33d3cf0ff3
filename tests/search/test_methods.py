"""What every registered method has in common, on the smallest probe tasks that it can serve.

All learn on two tasks at once; each method's own tests, and those of what methods share, have one.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.convergence import ConvergenceSettings
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.finalists import Finalist
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.simulation import SimulationSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses import LearnedLoss, ZooForm
from jaxloss.losses.views import shows
from jaxloss.search import METHODS, FrontEntry, Info, Search
from jaxloss.search.cse_proposals import ProposalSettings
from jaxloss.tasks import SupervisedTask, Task, TaskSettings, load_task, supervised_task


@cache
def regression(seed: int = 0) -> SupervisedTask:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(90, 2))
    targets = inputs @ np.array([1.0, -2.0]) + 0.3 * generator.normal(size=90)
    return supervised_task(f"line {seed}", inputs, targets, "regression", model="linear")


@cache
def classification(seed: int = 0) -> SupervisedTask:
    generator = np.random.default_rng(seed)
    targets = np.arange(90) % 3
    centres = np.array([[0.0, 1.0], [1.0, -0.5], [-1.0, -0.5]])
    inputs = centres[targets] + generator.normal(size=(90, 2))
    return supervised_task(f"clouds {seed}", inputs, targets, "classification", model="linear")


@cache
def waves(seed: int = 0) -> Task:
    return load_task(f"pde:regression:frequency={1 + seed}", TaskSettings(model="mlp:4"))


class Case(NamedTuple):
    """What a method is tried with.

    Attributes:
        task: ``(seed) -> task``; the method learns on those of seeds 0 and 1.
        settings: its own, beside `SHARED`.
        second_stage: number of the step with which another stage starts; 0 where there is but one.
    """

    task: Callable[[int], Task]
    settings: dict[str, Any]
    second_stage: int = 0


SHARED: dict[str, Any] = {
    "population": 8,
    "generations": 4,
    "chunk": 4,
    "fitness": FitnessSettings(steps=20),
    "optimizer": BaseOptimizerSettings(learning_rate=0.02, batch_size=16),
    "trial": TrialSettings(steps=20, seeds=2, finalist_seeds=2, finalists=2),
}
ONCE = RejectionSettings(when="before", steps=20, examples=20)
TREES: dict[str, Any] = {"rejection": RejectionSettings(when="never"), "max_nodes": 40}
CASES = {
    "evomal": Case(regression, {**TREES, "local_search": LocalSearchSettings(meta_steps=4)}),
    "gp_lfl": Case(regression, TREES),
    "ml3": Case(
        regression,
        {"population": 2, "tuning": LocalSearchSettings(meta_steps=8)},
    ),
    "taylorglo": Case(regression, {"rejection": ONCE}),
    "glo": Case(
        regression,
        {**TREES, "coefficient_generations": 3},
        second_stage=4,
    ),
    "arl": Case(
        regression,
        {
            "rejection": RejectionSettings(when="never"),
            "fitness": FitnessSettings(steps=20, normalize=True),
        },
    ),
    "cse_autoloss": Case(
        classification,
        {
            "population": 3,
            "proposals": 60,
            "parents": 3,
            "first_rounds": 1,
            "seed_from": ("neg(dot(y, log(softmax(x))))",),
            "proposal": ProposalSettings(max_nodes=20, initial_height=(1, 3)),
            "convergence": ConvergenceSettings(lines=8, steps=5),
            "simulation": SimulationSettings(steps=15, examples=12),
        },
    ),
    "adalfl": Case(
        regression,
        {
            "population": 2,
            "generations": 2,
            "tuning": LocalSearchSettings(meta_steps=4),
            "online_generations": 4,
            "online_learning_rate": 1e-3,
        },
        second_stage=2,
    ),
    "meta_pinn": Case(
        waves,
        {
            "population": 2,
            "spread": 0.5,
            "tuning": LocalSearchSettings(meta_steps=8, inner_steps=2, clip_norm=1.0),
        },
    ),
}
"""All with few and tiny networks; the small trees of a test need no larger genomes."""


class Course(NamedTuple):
    """A whole search, step by step; ``states[0]`` is the first, unjudged one.

    ``compilations`` counts those of each step.
    """

    name: str
    search: Search
    states: list[Any]
    infos: list[Info]
    compilations: list[int]

    @property
    def middle(self) -> int:
        """A step in the midst of the last stage."""
        return CASES[self.name].second_stage + 1


def test_every_method_is_tried():
    assert set(CASES) == set(METHODS)


@pytest.fixture(scope="module", params=METHODS)
def course(request: pytest.FixtureRequest, compiled: list[str]) -> Course:
    name, case = request.param, CASES[request.param]
    method = METHODS[name]
    search = method.make(
        [case.task(0), case.task(1)], method.settings(**{**SHARED, **case.settings})
    )
    states, infos, compilations = [search.init(jax.random.key(0))], [], []
    for _ in range(search.steps):
        before = len(compiled)
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
        compilations.append(len(compiled) - before)
    return Course(name, search, states, infos, compilations)


@pytest.fixture(scope="module")
def finalists(course: Course) -> list[Finalist]:
    return course.search.finalists(course.states[-1])


def is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def plain(state: Any) -> list[np.ndarray]:
    """The leaves of a state as numpy arrays of their own."""
    return [
        np.array(jax.random.key_data(leaf) if is_key(leaf) else leaf)
        for leaf in jax.tree.leaves(state)
    ]


def restored(copies: list[np.ndarray], like: Any) -> Any:
    """A state from nothing but numpy arrays, as a checkpoint makes it."""
    leaves, structure = jax.tree.flatten(like)
    return jax.tree.unflatten(
        structure,
        [
            jax.random.wrap_key_data(jnp.asarray(copy)) if is_key(leaf) else copy
            for copy, leaf in zip(copies, leaves, strict=True)
        ],
    )


def assert_identical(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for own, expected in zip(plain(one), plain(other), strict=True):
        assert own.dtype == expected.dtype
        np.testing.assert_array_equal(own, expected)


def run(search: Search, state: Any, steps: int) -> Any:
    for _ in range(steps):
        state, _ = search.step(state)
    return state


def test_every_method_has_the_one_shape(course: Course):
    assert isinstance(course.search, Search)
    own = {**SHARED, **CASES[course.name].settings}
    later = own.get("coefficient_generations", 0) + own.get("online_generations", 0)
    assert course.search.steps == own["generations"] + later
    assert course.search.candidates == own.get("proposals", own["population"])
    assert all(isinstance(info, Info) for info in course.infos)
    assert [info.generation for info in course.infos] == list(range(course.search.steps))


def test_info_accounts_for_every_candidate(course: Course):
    for info in course.infos:
        filtered = sum(number for name, number in info.dropped.items() if name != "not finite")
        assert min(info.dropped.values(), default=0) >= 0
        assert filtered + info.trained == info.candidates
        assert info.dropped.get("not finite", 0) <= info.trained
        assert (info.training_steps > 0) == (info.trained > 0)
    assert course.infos[0].candidates == course.search.candidates
    assert sum(info.trained for info in course.infos) > 0


def test_the_best_never_gets_worse(course: Course):
    best = [info.best_fitness for info in course.infos]
    assert best == sorted(best, reverse=True)
    assert np.isfinite(best[-1])


def origin_of(course: Course) -> dict[str, str]:
    names = ",".join(CASES[course.name].task(seed).name for seed in (0, 1))
    return {"method": course.name, "task": names, "model": CASES[course.name].task(0).model.name}


def test_losses_say_what_they_were_learned_on(course: Course):
    last = course.infos[-1].best
    assert isinstance(last, LearnedLoss)
    losses = [last, *(entry.loss for entry in course.search.front(course.states[-1]))]
    for loss in losses:
        assert dict(loss.origin) == origin_of(course)
        assert shows(CASES[course.name].task(0).view.name, loss.view)


def test_the_front_is_strictly_pareto(course: Course):
    front = course.search.front(course.states[-1])
    assert front
    assert all(isinstance(entry, FrontEntry) for entry in front)
    assert all(entry.size == entry.loss.form.size for entry in front)
    sizes, fitness = [entry.size for entry in front], [entry.fitness for entry in front]
    assert sizes == sorted(set(sizes))
    assert fitness == sorted(set(fitness), reverse=True)
    assert np.all(np.isfinite(fitness))
    assert course.search.front(course.states[0]) == []


def test_a_state_is_a_pytree_of_arrays(course: Course):
    for state in course.states:
        leaves = jax.tree.leaves(state)
        assert all(isinstance(leaf, np.ndarray | np.generic | jax.Array) for leaf in leaves)
    kinds = [[(leaf.shape, leaf.dtype) for leaf in plain(state)] for state in course.states]
    assert all(kind == kinds[0] for kind in kinds)
    structures = {jax.tree.structure(state) for state in course.states}
    assert len(structures) == 1


def test_one_key_gives_one_search(course: Course):
    start = course.search.init(jax.random.key(0))
    assert_identical(start, course.states[0])
    assert_identical(run(course.search, start, 2), course.states[2])


def test_another_key_gives_another_search(course: Course):
    after, _ = course.search.step(course.search.init(jax.random.key(1)))
    key_leaves = [is_key(leaf) for leaf in jax.tree.leaves(after)]
    pairs = zip(plain(after), plain(course.states[1]), key_leaves, strict=True)
    assert any(
        not np.array_equal(own, other, equal_nan=True)
        for own, other, of_key in pairs
        if not of_key and np.issubdtype(own.dtype, np.floating)
    )


def test_resumed_is_uninterrupted(course: Course):
    """Everything that the rest of a search needs lies in the arrays of its state."""
    state = restored(plain(course.states[course.middle]), course.states[0])
    left = course.search.steps - course.middle
    assert left >= 2
    assert_identical(run(course.search, state, left), course.states[-1])


def test_a_step_leaves_its_own_state_as_it_was(course: Course):
    for number in {1, course.middle}:
        state = course.states[number]
        before = plain(state)
        course.search.step(state)
        assert_identical(state, restored(before, state))


def test_nothing_compiles_after_the_first_steps_of_a_stage(course: Course):
    stage = CASES[course.name].second_stage
    later = [i for i in range(course.search.steps) if i not in {0, 1, stage}]
    assert course.compilations[0] > 0
    assert [course.compilations[i] for i in later] == [0] * len(later)


def test_no_method_goes_on_after_its_last_step(course: Course):
    with pytest.raises(InvalidInputError, match=f"its {course.search.steps} generations"):
        course.search.step(course.states[-1])


def test_the_best_is_the_first_finalist(course: Course, finalists: list[Finalist]):
    best = course.search.best(course.states[-1])
    assert best == finalists[0].loss
    assert LearnedLoss.from_json(best.to_json()) == best
    means = [finalist.mean for finalist in finalists]
    assert means == sorted(means)


def test_nothing_worse_than_the_task_loss_is_handed_over(course: Course, finalists: list[Finalist]):
    (usual,) = [finalist for finalist in finalists if not finalist.learned]
    task = CASES[course.name].task(0)
    assert usual.loss.form == ZooForm(task.task_loss_name, task.view.name)
    assert np.isfinite(usual.mean)
    assert finalists[0].mean <= usual.mean
    learned = [finalist.loss for finalist in finalists if finalist.learned]
    assert 1 <= len(learned) <= SHARED["trial"].finalists
    for loss in learned:
        assert dict(loss.origin) == origin_of(course)
        assert LearnedLoss.from_json(loss.to_json()) == loss


def test_presets_are_settings_of_the_method():
    for method in METHODS.values():
        assert set(method.presets) == {"quick", "default", "paper"}
        assert type(method.presets["paper"]) is method.settings
        for settings in method.presets.values():
            assert type(settings) is method.settings
            assert hash(settings) == hash(dataclasses.replace(settings))
