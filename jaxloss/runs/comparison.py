"""The last word on a learned loss: trained beside the task loss from the same seeds, and tested."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxloss.keys import named_key
from jaxloss.learning.finalists import task_loss_of
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import Trials, trial_runner
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.statistics import Paired, paired, summarise
from jaxloss.runs.words import mean_and_deviation
from jaxloss.tasks.task import Task


class Comparison(NamedTuple):
    """Trainings under both losses from the same networks and batches.

    Attributes:
        where: the task and its network.
        metric: how reports call the metric.
        higher_is_better: its direction.
        task_loss: the usual loss as a formula.
        learned: the learned loss.
        task_trials: what trainings under the task loss reached.
        learned_trials: what trainings under the learned loss reached.
        valid: paired statistics on the validation split, which the search has seen.
        test: paired statistics on the test split, which nothing has seen.
        steps: training steps of each.
    """

    where: str
    metric: str
    higher_is_better: bool
    task_loss: LearnedLoss
    learned: LearnedLoss
    task_trials: Trials
    learned_trials: Trials
    valid: Paired
    test: Paired
    steps: int

    @property
    def seeds(self) -> int:
        """How many trainings there were under each loss."""
        return len(self.task_trials.test)


def compare(
    task: Task,
    optimizer: BaseOptimizerSettings,
    steps: int,
    key: PRNGKeyArray,
    seeds: int,
    learned: LearnedLoss,
) -> Comparison:
    """Is `compare_all` for one loss."""
    return compare_all(task, optimizer, steps, key, seeds, [learned])[0]


def compare_all(
    task: Task,
    optimizer: BaseOptimizerSettings,
    steps: int,
    key: PRNGKeyArray,
    seeds: int,
    losses: Sequence[LearnedLoss],
) -> list[Comparison]:
    """Trains under the task loss and under each other loss with the same keys, and tests all.

    Args:
        task: what the losses are judged on.
        optimizer: of the trainings.
        steps: of each training.
        key: draws networks and batches, the same for all losses.
        seeds: trainings under each loss, two or more.
        losses: learned ones, or others that are to be judged like them.
    """
    run_trials = trial_runner(task, optimizer, steps)
    run_trials.prepare([task.task_loss, *losses])
    task_trials = run_trials(task.task_loss, key, seeds)
    higher = task.metric.higher_is_better

    def comparison(learned: LearnedLoss) -> Comparison:
        learned_trials = run_trials(learned, key, seeds)
        return Comparison(
            f"{task.name}, {task.model.name}",
            task.metric.name,
            higher,
            task_loss_of(task),
            learned,
            task_trials,
            learned_trials,
            paired(task_trials.valid, learned_trials.valid, higher),
            paired(task_trials.test, learned_trials.test, higher),
            steps,
        )

    return [comparison(loss) for loss in losses]


def verdict(comparison: Comparison) -> str:
    """Says in plain words which loss is better on the test split, and how sure that is."""
    test, seeds = comparison.test, comparison.seeds
    sides = (("task", comparison.task_trials), ("learned", comparison.learned_trials))
    task_text, learned_text = (
        mean_and_deviation(*summarise(trials.test)[:2]) for _, trials in sides
    )
    better = "higher" if comparison.higher_is_better else "lower"
    evidence = (
        f"{comparison.metric} {learned_text} against {task_text} ({better} is better), "
        f"ahead at {test.wins} of {seeds} seeds and behind at {test.losses}, "
        f"p of the paired t-test {p_text(test.p)}."
    )
    failed = {name: summarise(trials.test).failed for name, trials in sides}
    # Without a value on one side there is nothing to test, and yet no doubt.
    if set(failed.values()) == {0, seeds}:
        better, worse = sorted(failed, key=failed.__getitem__)
        return (
            f"On the test split every training under the {worse} loss failed, and none under the "
            f"{better} loss: {evidence}"
        )
    for name, count in failed.items():
        if count:
            evidence += f" {count} of {seeds} trainings under the {name} loss failed."
    if not test.clear:
        return (
            "On the test split there is no clear difference between the learned loss and the "
            f"task loss: {evidence}"
        )
    word = "better" if test.better else "worse"
    return f"On the test split the learned loss is {word} than the task loss: {evidence}"


def p_text(p: float) -> str:
    """Writes p as people do."""
    if np.isnan(p):
        return "not known"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Writes a comparison in JSON's terms; values that are not finite become null."""

    def numbers(values: Any) -> list[float | None]:
        return [finite_or_none(value) for value in np.asarray(values, np.float64).tolist()]

    def side(trials: Trials) -> dict[str, Any]:
        splits = {"valid": trials.valid, "test": trials.test}
        data: dict[str, Any] = {}
        for split, values in splits.items():
            summary = summarise(values)
            data[split] = {
                "seeds": numbers(values),
                "mean": finite_or_none(summary.mean),
                "standard_deviation": finite_or_none(summary.deviation),
                "failed": summary.failed,
            }
        return data | {"valid_curve": [numbers(row) for row in trials.curve]}

    def statistics(result: Paired) -> dict[str, Any]:
        return {
            name: finite_or_none(value) if isinstance(value, float) else value
            for name, value in result._asdict().items()
        }

    return {
        "where": comparison.where,
        "metric": comparison.metric,
        "higher_is_better": comparison.higher_is_better,
        "seeds": comparison.seeds,
        "steps": comparison.steps,
        "task_loss": {"formula": comparison.task_loss.formula()} | side(comparison.task_trials),
        "learned_loss": {"formula": comparison.learned.formula()} | side(comparison.learned_trials),
        "learned_minus_task": {
            "valid": statistics(comparison.valid),
            "test": statistics(comparison.test),
        },
        "verdict": verdict(comparison),
    }


def finite_or_none(value: float) -> float | None:
    """Gives JSON a number that it can hold."""
    return float(value) if np.isfinite(value) else None


def comparison_key(seed: int) -> PRNGKeyArray:
    """Draws the key of a run's last comparison."""
    return named_key(jax.random.key(seed), "comparison")
