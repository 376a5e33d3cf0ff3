from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import (
    OBSERVATIONS,
    TrialRunner,
    Trials,
    TrialSettings,
    judge_finalists,
    trial_runner,
)
from jaxloss.losses import LearnedLoss, TaskLossForm, TreeForm
from jaxloss.symbols import parse
from jaxloss.tasks import SupervisedTask, supervised_task

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
SCORES = INPUTS @ np.array([1.0, -1.0, 2.0])
USUAL = LearnedLoss(TaskLossForm("mse"), (), "identity")


def loss_named(text: str) -> LearnedLoss:
    tree = parse(text)
    return LearnedLoss(TreeForm(tree), (1.0,) * (tree.size - 1), "identity")


def task_with(metric: str) -> SupervisedTask:
    return supervised_task("toy", INPUTS, SCORES, "regression", model="linear", metric=metric)


TASK, R2_TASK = task_with("mse"), task_with("r2")
CANDIDATES = [loss_named(text) for text in ("abs(f - y)", "(f - y)**2", "tanh(f - y)")]


def pretended(values: dict[Any, list[float]]) -> TrialRunner:
    """A trial runner that looks results up: of the candidates, or else of the task loss."""

    def run(loss: Any, _: Any, seeds: int) -> Trials:
        found = np.array(values[loss if isinstance(loss, LearnedLoss) else "task loss"][:seeds])
        return Trials(found, found, found[:, None])

    return TrialRunner(run, lambda _: None)


def judged(task: SupervisedTask, results: dict[Any, list[float]]) -> list[Any]:
    runner = pretended(results)
    return judge_finalists(task, runner, jax.random.key(0), 2, CANDIDATES, USUAL)


FIGURES = st.lists(
    st.sampled_from([0.0, 0.5, 0.75, 1.0, np.nan, np.inf]) | st.floats(0, 2, width=32),
    min_size=2,
    max_size=2,
)


@given(st.tuples(FIGURES, FIGURES, FIGURES, FIGURES))
def test_what_is_handed_over_is_never_worse_than_the_task_loss(figures):
    results = dict(zip(["task loss", *CANDIDATES], map(list, figures), strict=True))
    finalists = judged(TASK, results)
    assert len(finalists) == 4
    means = [finalist.mean for finalist in finalists]
    assert not np.any(np.isnan(means))
    assert means == sorted(means)
    (place,) = [i for i, finalist in enumerate(finalists) if not finalist.learned]
    own, before = finalists[place], finalists[:place]
    assert own.loss == USUAL
    assert all(finalist.mean < own.mean for finalist in before)


def test_at_a_tie_the_task_loss_comes_first():
    results = {"task loss": [0.5, 0.5], **{loss: [0.25, 0.75] for loss in CANDIDATES}}
    assert [finalist.learned for finalist in judged(TASK, results)] == [False, True, True, True]


def test_one_failed_seed_loses():
    results = {
        "task loss": [1.0, 1.0],
        CANDIDATES[0]: [0.0, np.nan],
        CANDIDATES[1]: [0.5, 1.0],
        CANDIDATES[2]: [2.0, 1.0],
    }
    finalists = judged(TASK, results)
    assert [finalist.mean for finalist in finalists] == [0.75, 1.0, 1.5, np.inf]
    assert finalists[0].loss == CANDIDATES[1]


def test_metrics_that_grow_are_turned_round():
    results = {
        "task loss": [0.5, 0.5],
        CANDIDATES[0]: [0.9, 0.9],
        CANDIDATES[1]: [0.1, 0.1],
        CANDIDATES[2]: [0.7, 0.7],
    }
    finalists = judged(R2_TASK, results)
    assert [finalist.loss for finalist in finalists] == [
        CANDIDATES[0],
        CANDIDATES[2],
        USUAL,
        CANDIDATES[1],
    ]


@pytest.fixture(scope="module")
def run() -> TrialRunner:
    return trial_runner(TASK, BaseOptimizerSettings(learning_rate=0.05), 80)


def test_trials_are_paired_by_their_key(run: TrialRunner):
    by_name, by_task = (run(loss, jax.random.key(1), 3) for loss in (USUAL, TASK.task_loss))
    for own, other in zip(by_name, by_task, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-3, atol=1e-6)
    assert len(set(by_name.valid.tolist())) == 3
    assert by_name.test.shape == (3,)
    assert by_name.curve.shape == (3, OBSERVATIONS)
    np.testing.assert_allclose(by_name.curve[:, -1], by_name.valid, rtol=1e-5)
    assert np.all(by_name.curve[:, -1] < by_name.curve[:, 0])
    other_networks = run(USUAL, jax.random.key(2), 3)
    assert np.all(other_networks.curve[:, 0] != by_name.curve[:, 0])


def test_a_finalist_that_is_better_wins_for_real(run: TrialRunner):
    barely = loss_named("tanh(1) * (f - y)**2 * (1 - tanh(1))**2")
    slow = LearnedLoss(barely.form, barely.parameters, "identity")
    finalists = judge_finalists(TASK, run, jax.random.key(3), 2, [slow, CANDIDATES[1]], USUAL)
    assert finalists[-1].loss == slow
    assert [finalist.fitness.shape for finalist in finalists] == [(2,)] * 3


def test_both_ways_of_running_trees_train_alike(run: TrialRunner):
    own = trial_runner(TASK, BaseOptimizerSettings(learning_rate=0.05), 80, "specialised")
    weights = (1.25, 0.5, 2.0)
    loss = LearnedLoss(TreeForm(parse("square(sub(f, y))")), weights, "identity")
    for interpreted, specialised in zip(
        run(loss, jax.random.key(4), 3), own(loss, jax.random.key(4), 3), strict=True
    ):
        np.testing.assert_allclose(interpreted, specialised, rtol=1e-4)


def test_trees_that_a_genome_cannot_hold_are_trained_too(run: TrialRunner):
    halved = loss_named("0.5 * (f - y)**2")  # 0.5 is no terminal of a search.
    scaled = LearnedLoss(TreeForm(parse("(f - y)**2")), (0.5**0.5, 1.0, 1.0), "identity")
    seeds = jax.random.key(5), 2
    np.testing.assert_allclose(run(halved, *seeds).valid, run(scaled, *seeds).valid, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "trial steps must be 1 or more, got 0"),
        ({"finalists": 0}, "finalists must be 1 or more, got 0"),
        ({"finalist_seeds": 0}, "finalist_seeds must be >= 1, got 0"),
        ({"seeds": 1}, "a comparison needs 2 seeds or more, got 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        TrialSettings(**settings)


def test_finalists_of_shape_seeds_have_finite_means_only_when_all_seeds_are(run: TrialRunner):
    def broken(outputs: Any, targets: Any) -> Any:
        return jnp.square(outputs[:, 0] - targets) * jnp.nan

    values = run(broken, jax.random.key(0), 2).valid
    assert np.all(np.isnan(values))
