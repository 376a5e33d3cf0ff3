from collections import Counter
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.keys import named_key
from jaxloss.learning import tuning
from jaxloss.learning.inner import BaseOptimizerSettings, predict, train
from jaxloss.learning.trials import trial_runner
from jaxloss.learning.tuning import TunedTraining, finalists_of, trained_with, tune_training
from jaxloss.learning.tuning_settings import TuningSettings
from jaxloss.losses import LearnedLoss, TreeForm
from jaxloss.losses.tunable import ParameterRange, TunableLoss, fixed
from jaxloss.symbols import parse
from jaxloss.tasks import SupervisedTask, supervised_task
from jaxloss.tasks.metrics import Metric

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
SCORES = INPUTS @ np.array([1.0, -1.0, 2.0]) + 0.1 * GENERATOR.normal(size=60)
TRACES: Counter[str] = Counter()
KEY = jax.random.key(0)
TIMID = BaseOptimizerSettings(learning_rate=1e-4, batch_size=16)
FOUR = TuningSettings(budget=4 * 2 * 20, seeds=2, steps=20, observations=4)


def traced_error(predictions: Any, targets: Any) -> Any:
    """The mean squared error; counts how often a program is made of it."""
    TRACES["metric"] += 1
    return jnp.mean(jnp.square(predictions - targets))


def task_with(metric: Metric) -> SupervisedTask:
    return supervised_task("toy", INPUTS, SCORES, "regression", model="linear", metric=metric)


TASK = task_with(Metric("traced", traced_error, higher_is_better=False))
USUAL = fixed(TASK.task_loss)


def one_length(rates: tuple[float, float], configurations: int = 1) -> TuningSettings:
    """As `FOUR`, for the same programs, with another range of learning rates."""
    return TuningSettings(
        configurations * 2 * 20, seeds=2, steps=20, observations=4, learning_rates=rates
    )


def multiple(parameters: Any) -> Any:
    """Asks for a multiple of the targets."""

    def loss(outputs: Any, targets: Any) -> Any:
        return jnp.square(outputs[:, 0] - parameters[0] * targets.reshape(-1))

    return loss


MULTIPLE = TunableLoss(multiple, (ParameterRange("factor", 4.0, 0.5, 4.0, log=True),))


def tree(text: str, *weights: float) -> TunableLoss:
    expression = parse(text)
    held = weights or (1.0,) * (expression.size - 1)
    return fixed(LearnedLoss(TreeForm(expression), held, "identity"))


@pytest.fixture(scope="module")
def tuned() -> TunedTraining:
    return tune_training(TASK, TIMID, FOUR, KEY, USUAL)


def test_a_learning_rate_that_is_far_too_small_is_mended(tuned: TunedTraining):
    assert tuned.valid < 0.5 * tuned.untuned
    assert 1e-2 < tuned.learning_rate <= 1.0
    assert 1e-6 <= tuned.weight_decay <= 1e-1
    assert tuned.steps in (5, 10, 15, 20)
    assert tuned.parameters == {}


def test_the_default_training_is_the_first_configuration(tuned: TunedTraining):
    def by_hand(key: Any) -> float:
        variables, _ = train(key, TASK.model, TIMID, TASK.task_loss, TASK.train, 20)
        values = predict(TASK.model, variables, TASK.valid.inputs)[:, 0]
        return float(np.mean(np.square(np.asarray(values - TASK.valid.targets))))

    alone = tune_training(TASK, TIMID, one_length((0.5, 1.0)), KEY, USUAL)
    assert (alone.learning_rate, alone.weight_decay) == (1e-4, 5e-4)
    assert alone.configurations == 1
    # Nothing but steps is left to tune, and each of these small ones helps.
    assert alone.steps == 20
    assert alone.valid == alone.untuned
    keys = jax.random.split(named_key(KEY, "networks"), 2)
    np.testing.assert_allclose(alone.untuned, np.mean([by_hand(key) for key in keys]), rtol=1e-4)
    np.testing.assert_allclose(tuned.untuned, alone.untuned, rtol=1e-5)


def test_more_budget_tries_the_same_and_more():
    values = [
        tune_training(TASK, TIMID, one_length((1e-3, 0.3), count), KEY, USUAL).valid
        for count in (1, 4, 12)
    ]
    assert values[2] * (1 - 1e-5) <= values[1] * (1 - 1e-5) <= values[0]
    assert values[2] < values[0]


@pytest.mark.parametrize(
    ("budget", "configurations"), [(1, 1), (40, 1), (79, 1), (80, 2), (160, 4)]
)
def test_the_budget_is_kept(budget: int, configurations: int):
    settings = TuningSettings(budget, seeds=2, steps=20, observations=4)
    assert settings.configurations == configurations
    assert settings.lengths == (5, 10, 15, 20)


@pytest.mark.parametrize("seeds", [1, 3, 10, 20])
def test_no_more_come_to_the_finals_than_were_looked_at(seeds: int):
    for trainings in range(1, 201):
        settings = TuningSettings(trainings * 20, seeds=seeds, steps=20, observations=4)
        assert settings.finalists <= settings.configurations
        assert settings.training_steps <= max(trainings, seeds) * 20


@pytest.mark.parametrize(
    ("trainings", "configurations", "finalists"),
    [(9, 4, 0), (17, 8, 0), (18, 4, 3), (20, 5, 3), (150, 43, 8)],
)
def test_half_of_the_budget_goes_to_finals(trainings: int, configurations: int, finalists: int):
    settings = TuningSettings(trainings * 2000, seeds=2)
    assert (settings.configurations, settings.finalists) == (configurations, finalists)


def test_the_result_says_what_was_spent(tuned: TunedTraining):
    assert (tuned.configurations, tuned.finalists) == (4, 0)
    assert tuned.training_steps == FOUR.budget


def test_the_best_and_the_default_come_to_the_finals():
    worst = [9.0, 9.0]
    found = np.array([worst, [4, 4], [1, np.inf], [5, 2], [1, 3], worst])
    assert finalists_of(found, 2).tolist() == [0, 4]
    assert finalists_of(found, 3).tolist() == [0, 2, 4]
    assert finalists_of(found, 4).tolist() == [0, 2, 3, 4]
    assert finalists_of(np.full((3, 2), np.inf), 2).tolist() == [0, 1]


FINALS = TuningSettings(budget=18 * 20, seeds=2, steps=20, observations=4)


class Planned:
    """Trainings that reach what was planned for their learning rates, screened and in the finals.

    Attributes:
        runs: keys and learning rates of each call.
    """

    def __init__(self, *planned: dict[int, list[float]]) -> None:
        self.planned = list(planned)
        self.runs: list[tuple[Any, Any]] = []
        self.rates: list[float] = []

    def __call__(self, _: Any, candidates: Any) -> Any:
        keys, configurations = candidates
        self.runs.append((keys, configurations[:, 0]))
        self.rates = self.rates or configurations[::2, 0].tolist()
        values = self.planned[len(self.runs) - 1]
        return np.array([values[self.rates.index(rate)] for rate in configurations[:, 0].tolist()])


def test_the_finals_decide_over_fresh_networks(monkeypatch: pytest.MonkeyPatch):
    steady = [5.0, 5.0, 5.0, 5.0]
    screened = {0: steady, 1: [9.0, 1.0, 9.0, 9.0], 2: steady, 3: [4.0, 4.0, 4.0, 3.0]}
    # The lucky one blows up; of the others' lengths, others are now the best.
    finals = {0: steady, 1: [9.0, np.inf, 8.0, 9.0], 2: [0.0] * 4, 3: [4.0, 4.5, 3.0, 4.0]}
    planned = Planned(screened, finals)
    monkeypatch.setattr(tuning, "observed_trainings", lambda *_: planned)
    assert (FINALS.configurations, FINALS.finalists) == (4, 3)
    found = tune_training(TASK, TIMID, FINALS, KEY, USUAL)
    assert found.learning_rate == pytest.approx(planned.rates[3])
    # Two networks first, three more in the finals.
    assert (found.steps, found.valid, found.untuned) == (15, (2 * 4 + 3 * 3) / 5, 5.0)
    assert (found.finalists, found.training_steps) == (3, 4 * 2 * 20 + 3 * 3 * 20)
    (first, _), (again, rates) = planned.runs
    assert [planned.rates.index(rate) for rate in rates.tolist()] == [0] * 3 + [1] * 3 + [3] * 3
    # Every finalist has the same networks, and none that were seen before.
    assert len(np.unique(again, axis=0)) == 3
    assert len(np.unique(np.concatenate([first, again]), axis=0)) == 5


def test_nothing_wins_the_finals_that_is_worse_than_the_default():
    steady = BaseOptimizerSettings(learning_rate=0.02, batch_size=16)
    settings = replace(FINALS, learning_rates=(1e-6, 1e-5))
    found = tune_training(TASK, steady, settings, KEY, USUAL)
    assert found.learning_rate == 0.02
    assert found.finalists == 3
    own = found._replace(steps=20)
    values = [
        trained_with(TASK, steady, own, USUAL, 20, named_key(KEY, name), seeds).valid
        for name, seeds in (("networks", 2), ("finals", 3))
    ]
    np.testing.assert_allclose(found.untuned, np.concatenate(values).mean(), rtol=1e-4)
    assert found.valid <= found.untuned


def test_trainings_that_blow_up_never_win():
    steady = BaseOptimizerSettings(learning_rate=0.02, batch_size=16)
    found = tune_training(TASK, steady, one_length((1e12, 1e14), 4), KEY, USUAL)
    assert found.learning_rate == 0.02
    assert found.configurations == 4
    assert np.isfinite(found.valid)


def test_where_all_blow_up_the_default_is_handed_over():
    wild = BaseOptimizerSettings(learning_rate=1e13, batch_size=16)
    found = tune_training(TASK, wild, one_length((1e12, 1e14), 4), KEY, USUAL)
    assert (found.learning_rate, found.steps) == (1e13, 20)
    assert found.valid == found.untuned == np.inf


def test_at_a_tie_the_first_configuration_and_length_win():
    def nothing(predictions: Any, _: Any) -> Any:
        return 0.0 * jnp.sum(predictions)

    task = task_with(Metric("nothing", nothing, higher_is_better=True))
    found = tune_training(task, TIMID, FOUR, KEY, fixed(task.task_loss))
    assert (found.learning_rate, found.steps) == (1e-4, 5)


def test_own_parameters_and_lengths_are_tuned_too():
    optimizer = BaseOptimizerSettings(0.05, momentum=0.0, batch_size=16)
    alone = tune_training(TASK, optimizer, one_length((0.05, 0.05)), KEY, MULTIPLE)
    assert alone.parameters == {"factor": 4.0}
    # On its way to four times the targets the network passes by the targets.
    assert alone.steps < 20
    assert alone.valid < 0.5 * alone.untuned
    several = tune_training(TASK, optimizer, one_length((0.05, 0.05), 4), KEY, MULTIPLE)
    assert several.learning_rate == pytest.approx(0.05)
    assert 0.5 <= several.parameters["factor"] < 4.0
    assert several.valid < alone.valid


def test_a_key_decides_everything(tuned: TunedTraining):
    assert tune_training(TASK, TIMID, FOUR, KEY, USUAL) == tuned
    other = tune_training(TASK, TIMID, FOUR, jax.random.key(1), USUAL)
    assert other.learning_rate != tuned.learning_rate
    assert other.untuned != tuned.untuned


def test_all_losses_are_given_the_same_rates_and_decays():
    # Of no use but to be drawn: the loss does not look at it.
    idle = TunableLoss(lambda _: TASK.task_loss, (ParameterRange("idle", 0.0, 0.0, 1.0),))
    one, other = (tune_training(TASK, TIMID, FOUR, KEY, loss) for loss in (USUAL, idle))
    assert one[:3] == other[:3]
    assert 0.0 < other.parameters["idle"] < 1.0


def test_learned_trees_train_as_what_they_say(tuned: TunedTraining):
    found = tune_training(TASK, TIMID, FOUR, KEY, tree("square(f - y)"))
    assert found[:3] == tuned[:3]
    np.testing.assert_allclose(found.valid, tuned.valid, rtol=1e-3)


def test_nothing_compiles_twice():
    def all_of(seed: int, learned: TunableLoss, tuned: TunedTraining) -> None:
        key = jax.random.key(seed)
        for loss in (learned, MULTIPLE):
            own = {name: tuned.parameters[name] for name, *_ in loss.parameters}
            tune_training(TASK, TIMID, FOUR, key, loss)
            trained_with(TASK, TIMID, tuned._replace(parameters=own), loss, 20, key, 2)

    one = TunedTraining(0.1, 1e-3, 20, {"factor": 2.0}, 0.0, 0.0, 1, 0, 1)
    all_of(0, tree("square(f - y)"), one)
    before = TRACES["metric"]
    assert before > 0
    all_of(1, tree("abs(f - y)", 2.0, 1.0, 0.5), one._replace(learning_rate=0.2, steps=7))
    all_of(2, tree("tanh(f - y) * (f - y)"), one._replace(parameters={"factor": 3.0}))
    assert TRACES["metric"] == before


def test_a_tuned_training_is_what_was_tuned():
    found = tune_training(TASK, TIMID, FOUR, KEY, MULTIPLE)
    trials = trained_with(TASK, TIMID, found, MULTIPLE, 20, named_key(KEY, "networks"), 2)
    np.testing.assert_allclose(trials.valid.mean(), found.valid, rtol=1e-4)
    assert trials.test.shape == (2,)
    assert trials.curve.shape == (2, 0)


def test_a_default_training_is_a_plain_one():
    optimizer = BaseOptimizerSettings(learning_rate=0.02, batch_size=16)
    default = TunedTraining(0.02, 5e-4, 20, {}, 0.0, 0.0, 1, 0, 1)
    own = trained_with(TASK, optimizer, default, USUAL, 20, KEY, 3)
    plain = trial_runner(TASK, optimizer, 20)(TASK.task_loss, KEY, 3)
    np.testing.assert_allclose(own.valid, plain.valid, rtol=1e-4)
    np.testing.assert_allclose(own.test, plain.test, rtol=1e-4)
    shorter = trained_with(TASK, optimizer, default._replace(steps=4), USUAL, 20, KEY, 3)
    assert np.all(shorter.valid > own.valid)


def test_a_training_that_does_not_fit_is_refused():
    long = TunedTraining(0.02, 5e-4, 21, {}, 0.0, 0.0, 1, 0, 1)
    with pytest.raises(InvalidInputError, match="1 to 20 steps, got 21"):
        trained_with(TASK, TIMID, long, USUAL, 20, KEY, 2)
    with pytest.raises(InvalidInputError, match=r"parameters \['factor'\], .* tuned for \[\]"):
        trained_with(TASK, TIMID, long._replace(steps=5), MULTIPLE, 20, KEY, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0}, "tuning budget must be 1 or more, got 0"),
        ({"seeds": 0}, "tuning seeds must be 1 or more, got 0"),
        ({"observations": 0}, "observations must be 1 or more, got 0"),
        ({"steps": 25}, "a multiple of the 10 observations, got 25"),
        ({"steps": 0}, "a multiple of the 10 observations, got 0"),
        ({"learning_rates": (0.0, 1.0)}, "learning_rates must be two rising numbers above 0"),
        ({"weight_decays": (1e-2, 1e-3)}, "weight_decays must be two rising numbers above 0"),
    ],
)
def test_impossible_tunings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        TuningSettings(**{"budget": 100, **settings})
