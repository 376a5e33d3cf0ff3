from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxloss.learning.finalists import SMALLEST_SCALE, Arena, Finalist, judge_finalists
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import TrialRunner, Trials, trial_runner
from jaxloss.losses import LearnedLoss, TreeForm, ZooForm
from jaxloss.symbols import parse
from jaxloss.tasks import SupervisedTask, supervised_task

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
SCORES = INPUTS @ np.array([1.0, -1.0, 2.0])
USUAL = LearnedLoss(ZooForm("mse", "identity"), (), "identity")


def loss_named(text: str) -> LearnedLoss:
    tree = parse(text)
    return LearnedLoss(TreeForm(tree), (1.0,) * (tree.size - 1), "identity")


def task_with(metric: str) -> SupervisedTask:
    return supervised_task("toy", INPUTS, SCORES, "regression", model="linear", metric=metric)


TASK, R2_TASK = task_with("mse"), task_with("r2")
CANDIDATES = [loss_named(text) for text in ("abs(f - y)", "(f - y)**2", "tanh(f - y)")]
FIRST, SECOND, THIRD = CANDIDATES
Results = dict[Any, list[float]]
"""Metric values for each seed: of the candidates, and of the task loss under its name."""


def pretended(values: Results) -> TrialRunner:
    """A trial runner that looks results up: of the candidates, or else of the task loss."""

    def run(loss: Any, _: Any, seeds: int) -> Trials:
        found = np.array(values[loss if isinstance(loss, LearnedLoss) else "task loss"][:seeds])
        return Trials(found, found, found[:, None])

    return TrialRunner(run, lambda _: None)


def judged(
    *results: Results,
    task: SupervisedTask = TASK,
    candidates: list[LearnedLoss] = CANDIDATES,
    normalize: bool = False,
) -> list[Finalist]:
    arenas = [Arena(task, pretended(values)) for values in results]
    return judge_finalists(arenas, jax.random.key(0), 2, candidates, USUAL, normalize)


FIGURES = st.lists(
    st.sampled_from([0.0, 0.5, 0.75, 1.0, np.nan, np.inf]) | st.floats(0, 2, width=32),
    min_size=2,
    max_size=2,
)
ON_ONE_TASK = st.tuples(FIGURES, FIGURES, FIGURES, FIGURES)


@given(st.lists(ON_ONE_TASK, min_size=1, max_size=2), st.booleans())
def test_what_is_handed_over_is_never_worse_than_the_task_loss(tasks, normalize):
    results = [
        dict(zip(["task loss", *CANDIDATES], map(list, figures), strict=True)) for figures in tasks
    ]
    finalists = judged(*results, normalize=normalize)
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
    assert [finalist.learned for finalist in judged(results)] == [False, True, True, True]


def test_one_failed_seed_loses():
    finalists = judged(
        {"task loss": [1.0, 1.0], FIRST: [0.0, np.nan], SECOND: [0.5, 1.0], THIRD: [2.0, 1.0]}
    )
    assert [finalist.mean for finalist in finalists] == [0.75, 1.0, 1.5, np.inf]
    assert finalists[0].loss == SECOND


def test_metrics_that_grow_are_turned_round():
    finalists = judged(
        {"task loss": [0.5, 0.5], FIRST: [0.9, 0.9], SECOND: [0.1, 0.1], THIRD: [0.7, 0.7]},
        task=R2_TASK,
    )
    assert [finalist.loss for finalist in finalists] == [FIRST, THIRD, USUAL, SECOND]


SMALL: Results = {"task loss": [0.25, 0.75], FIRST: [1.0, 1.5], SECOND: [0.25, 0.5]}
LARGE: Results = {"task loss": [8.0, 8.0], FIRST: [4.0, 6.0], SECOND: [8.0, 10.0]}


def test_fitness_is_the_mean_over_tasks_for_each_seed():
    finalists = judged(SMALL, LARGE, candidates=[FIRST, SECOND])
    found = {finalist.loss: finalist.fitness.tolist() for finalist in finalists}
    # The large task decides.
    assert list(found) == [FIRST, USUAL, SECOND]
    assert list(found.values()) == [[2.5, 3.75], [4.125, 4.375], [4.125, 5.25]]


def test_normalised_tasks_weigh_alike():
    finalists = judged(SMALL, LARGE, candidates=[FIRST, SECOND], normalize=True)
    found = {finalist.loss: finalist.fitness.tolist() for finalist in finalists}
    # Divided by the task loss's means, 0.5 and 8.
    assert list(found) == [SECOND, USUAL, FIRST]
    assert list(found.values()) == [[0.75, 1.125], [0.75, 1.25], [1.25, 1.875]]


@pytest.mark.parametrize(
    ("usual", "scale"),
    [([0.0, 0.0], SMALLEST_SCALE), ([0.5, np.nan], 1.0), ([0.25, 0.75], 0.5)],
)
def test_what_nothing_can_be_divided_by_is_replaced(usual: list[float], scale: float):
    finalists = judged({"task loss": usual, FIRST: [0.5, 1.0]}, candidates=[FIRST], normalize=True)
    (learned,) = [finalist for finalist in finalists if finalist.learned]
    np.testing.assert_allclose(learned.fitness, [0.5 / scale, 1.0 / scale])


def test_normalised_metrics_that_grow_keep_their_direction():
    finalists = judged(
        {"task loss": [0.5, 0.5], FIRST: [0.75, 0.75], SECOND: [0.25, 0.25]},
        task=R2_TASK,
        candidates=[FIRST, SECOND],
        normalize=True,
    )
    assert [finalist.loss for finalist in finalists] == [FIRST, USUAL, SECOND]
    assert [finalist.mean for finalist in finalists] == [-1.5, -1.0, -0.5]


def test_a_finalist_that_is_better_wins_for_real():
    run = trial_runner(TASK, BaseOptimizerSettings(learning_rate=0.05), 80)
    slow = loss_named("tanh(1) * (f - y)**2 * (1 - tanh(1))**2")
    arenas, key = [Arena(TASK, run)], jax.random.key(3)
    finalists = judge_finalists(arenas, key, 2, [slow, SECOND], USUAL)
    assert finalists[-1].loss == slow
    assert [finalist.fitness.shape for finalist in finalists] == [(2,)] * 3
