from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning import racing
from jaxloss.learning.fitness import FitnessSettings, draw_seeds, partial_training
from jaxloss.learning.inner import BaseOptimizerSettings, Draws, Learner
from jaxloss.learning.population import PopulationProgram, over_population
from jaxloss.learning.structures import over_structures
from jaxloss.models import Model
from jaxloss.tasks import Split, SupervisedTask, supervised_task

OPTIMIZER = BaseOptimizerSettings(learning_rate=0.02, batch_size=16)
SETTINGS = FitnessSettings(steps=21, seeds=2, rungs=3)
POWERS = np.array([2.0, 0.5, 1.0, 3.0, 1.5], np.float32)
"""Of the absolute error, each a candidate's loss."""
LEARNED = {"powers": POWERS, "names": np.arange(len(POWERS), dtype=np.int32)[:, None]}
NOTHING = Split(jnp.zeros((1, 1)), jnp.zeros(1))


def noisy_network() -> Model:
    """A linear network that depends on all that a training carries: dropout and statistics too."""

    def init(key: Any, inputs: Any) -> dict:
        return {"params": jax.random.normal(key, (inputs.shape[1], 1)), "seen": jnp.zeros(())}

    def apply(variables: dict, inputs: Any, train: bool, key: Any) -> tuple:
        if train:
            inputs = inputs * jax.random.bernoulli(key, 0.8, inputs.shape)
            variables = {**variables, "seen": variables["seen"] + jnp.mean(inputs)}
        return inputs @ variables["params"] + 1e-3 * variables["seen"], variables

    return Model(init, apply, "noisy")


@pytest.fixture(scope="module")
def task() -> SupervisedTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(90, 3))
    scores = inputs @ np.array([1.0, -1.0, 2.0]) + generator.normal(size=90)
    return supervised_task("toy", inputs, scores, "regression", model=noisy_network())


def loss_of(power: Any) -> Any:
    return lambda outputs, targets: (jnp.abs(outputs[:, 0] - targets) + 1e-3) ** power


class Real:
    """Races of real trainings; counts how often their program is traced."""

    def __init__(self, task: SupervisedTask) -> None:
        self.task, self.traces = task, 0
        self.shared = jax.random.key(3), task.train, task.valid
        self.advance = over_population(self.of_one, 2, carries=True)

    def of_one(self, leg: Any, candidate: Any) -> tuple[Learner, Any]:
        self.traces += 1
        _, power, learners = candidate
        return racing.advance(self.task, OPTIMIZER, loss_of(power), leg, learners)

    def draws(self, key: Any, training: Split) -> Draws:
        return draw_seeds(key, self.task, OPTIMIZER, SETTINGS, training)

    def race(self, settings: FitnessSettings, advance: Any = None) -> tuple[Any, Any]:
        program = racing.race(settings, jax.jit(self.draws), advance or self.advance)
        return program(self.shared, (LEARNED["names"], POWERS))


@pytest.fixture(scope="module")
def real(task: SupervisedTask) -> Real:
    return Real(task)


def test_who_finishes_has_the_fitness_of_an_uninterrupted_training(real: Real):
    fitness, finished = real.race(SETTINGS)
    assert finished.sum() == 2  # 5, 3, 2.
    one_leg, all_finished = real.race(FitnessSettings(21, 2))
    assert all_finished.all()
    np.testing.assert_array_equal(fitness[finished], one_leg[finished])
    assert np.all(fitness[~finished] != one_leg[~finished])
    assert real.traces == 1

    def whole(shared: Any, power: Any) -> Any:
        key, *splits = shared
        return partial_training(key, real.task, OPTIMIZER, SETTINGS, loss_of(power), *splits)

    expected = over_population(whole, 2)(real.shared, POWERS)
    np.testing.assert_allclose(one_leg, expected, rtol=1e-5)


def test_programs_of_each_structure_race_alike(real: Real):
    def specialise(name: np.ndarray) -> Any:
        power = float(POWERS[name[0]])
        return lambda leg, _, learners: racing.advance(
            real.task, OPTIMIZER, loss_of(power), leg, learners
        )

    fitness, finished = real.race(SETTINGS, over_structures(specialise))
    expected, finishers = real.race(SETTINGS)
    np.testing.assert_array_equal(finished, finishers)
    np.testing.assert_allclose(fitness, expected, rtol=1e-5)


class MadeUp:
    """Trainings that reach given scores after each leg; learners count their steps."""

    def __init__(self, scores: Any) -> None:
        self.scores = np.asarray(scores, np.float32)  # [legs, candidates]
        self.calls: list[tuple[int, int, list[int]]] = []

    def run(self, leg: racing.Leg, candidates: Any) -> tuple[Learner, np.ndarray]:
        names, learners = candidates
        # Everyone has taken each step before, and nobody has left its learner to another.
        np.testing.assert_array_equal(learners.variables["steps"], int(leg.begin))
        if leg.begin:
            np.testing.assert_array_equal(learners.variables["name"], names)
        scores = self.scores[len(self.calls)][names]
        self.calls.append((int(leg.begin), int(leg.end), names.tolist()))
        variables = {"steps": np.full(len(names), int(leg.end)), "name": names}
        return Learner(variables, ()), np.stack([scores - 1, scores + 1], axis=1)

    def race(self, **settings: Any) -> tuple[np.ndarray, list[int]]:
        learner = Learner({"steps": jnp.zeros((), int), "name": jnp.zeros((), int)}, ())
        drawn = Draws(learner, jnp.zeros((1, 1, 1), int), jax.random.key(0))
        advance = PopulationProgram(self.run, lambda *_: None)
        program = racing.race(FitnessSettings(**settings), lambda *_: drawn, advance)
        names = np.arange(self.scores.shape[1])
        fitness, finished = program((jax.random.key(0), NOTHING, NOTHING), (names,))
        return fitness.mean(axis=1), np.flatnonzero(finished).tolist()


def test_the_worse_half_leaves_after_each_comparison():
    made_up = MadeUp([[5, 1, 4, 2, 3, 0], [9, 6, 9, 8, 9, 7], [9, 2, 9, 9, 9, 3]])
    fitness, finished = made_up.race(steps=500, rungs=3)
    assert made_up.calls == [
        (0, 125, [0, 1, 2, 3, 4, 5]),
        (125, 250, [1, 3, 5]),
        (250, 500, [1, 5]),
    ]
    assert finished == [1, 5]
    np.testing.assert_array_equal(fitness, [5, 2, 4, 8, 3, 3])


@pytest.mark.parametrize(("keep", "stay"), [(0.25, [3]), (0.5, [1, 3]), (0.75, [0, 1, 3])])
def test_the_share_that_stays_is_rounded_up_and_the_first_wins_ties(keep: float, stay: list[int]):
    made_up = MadeUp([[2, 1, 2, 0], [0, 0, 0, 0]])
    _, finished = made_up.race(steps=7, rungs=2, keep=keep)
    assert finished == stay
    assert made_up.calls == [(0, 3, [0, 1, 2, 3]), (3, 7, stay)]


def test_what_is_not_finite_leaves_first_and_counts_in_the_share():
    made_up = MadeUp([[np.inf, np.nan, 3, np.inf], [0, 0, np.inf, 0], [0, 0, 0, 0]])
    fitness, finished = made_up.race(steps=4, rungs=3, keep=0.75)
    assert made_up.calls == [(0, 1, [0, 1, 2, 3]), (1, 2, [2])]
    assert finished == []
    assert not np.isfinite(fitness).any()


def test_without_rungs_all_finish():
    made_up = MadeUp([[2, np.inf, 1]])
    fitness, finished = made_up.race(steps=10)
    assert finished == [0, 1, 2]
    np.testing.assert_array_equal(fitness, [2, np.inf, 1])


def test_who_left_is_behind_who_finished():
    fitness = np.array([0.1, 0.5, 0.9, 0.3, np.inf, np.inf], np.float32)
    finished = np.array([False, True, False, True, False, True])
    placed = racing.behind_finishers(fitness, finished)
    np.testing.assert_array_equal(placed[[1, 2, 3, 4, 5]], fitness[[1, 2, 3, 4, 5]])
    assert 0.5 < placed[0] < 0.5001
    assert placed.dtype == np.float32


def test_who_left_is_nothing_where_nobody_finished():
    fitness = np.array([0.1, np.inf], np.float32)
    for finished in ([False, True], [False, False]):
        assert np.all(racing.behind_finishers(fitness, np.array(finished)) == np.inf)


def test_lengths_double_and_the_mean_counts_who_stays():
    assert FitnessSettings(steps=500).lengths == (500,)
    assert FitnessSettings(steps=500).mean_steps == 500
    four = FitnessSettings(steps=500, rungs=4, keep=0.5)
    assert four.lengths == (62, 125, 250, 500)
    assert four.mean_steps == 62 + 63 / 2 + 125 / 4 + 250 / 8
    assert FitnessSettings(steps=8, rungs=4).lengths == (1, 2, 4, 8)


def test_a_small_race_counts_who_really_stays():
    assert FitnessSettings(steps=500, seeds=2).training_steps(7) == 2 * 7 * 500
    race = FitnessSettings(steps=8, seeds=2, rungs=4, keep=0.3)
    # 5 take one step, 2 one more, then one goes on alone.
    assert race.training_steps(5) == 2 * (5 * 1 + 2 * 1 + 1 * 2 + 1 * 4)
    large = FitnessSettings(steps=500, rungs=4)
    assert large.training_steps(8000) == 8000 * large.mean_steps


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rungs": 0}, "fitness rungs must be 1 or more, got 0"),
        ({"keep": 0.0}, "fitness keep must be between 0 and 1, got 0.0"),
        ({"keep": 1.0}, "fitness keep must be between 0 and 1, got 1.0"),
        ({"steps": 7, "rungs": 4}, "4 rungs halve 7 fitness steps .* expected at most 3 rungs"),
    ],
)
def test_impossible_races_are_refused(given: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        FitnessSettings(**given)


def test_a_state_that_is_carried_on_takes_no_memory_twice():
    count, free = 2**18, 3 * 2**19  # A state takes 1 MiB; 1.5 are free.

    def advance(shared: Any, candidate: Any) -> Any:
        step, state = candidate
        return jax.lax.fori_loop(0, shared, lambda _, state: state + step, state)

    candidates = np.array([1.0, 2.0, 3.0], np.float32), np.ones((3, count), np.float32)
    states = over_population(advance, 1, free, carries=True)(np.int32(2), candidates)
    np.testing.assert_array_equal(states[:, 0], [3.0, 5.0, 7.0])
    np.testing.assert_array_equal(candidates[1], 1.0)
    with pytest.raises(InvalidInputError, match="one candidate alone needs"):
        over_population(advance, 1, free)(np.int32(2), candidates)
