"""The paired comparison of two losses over the same seeds."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.errors import require

SIGNIFICANCE = 0.05
"""The p below which a difference is called one."""

_ROUNDING = 1e-6
"""Relative error of metrics computed in single precision (*assumed*)."""


class Paired(NamedTuple):
    """How a learned loss compares with the task loss, seed by seed, in the metric's direction.

    Seeds where a training under either loss did not end in a finite value are left out of the
    differences, and counted as lost or won by the loss that failed or did not.

    Attributes:
        difference: mean of learned minus task values; NaN if fewer than two seeds can be compared.
        low: lower end of its 95 % confidence interval (Student's t).
        high: upper end.
        p: of the paired t-test, two-sided; 1 if there is no difference at all, and of the sign test
            if all differences are equal.
        wins: seeds at which the learned loss is better.
        losses: seeds at which the task loss is better.
        ties: the other seeds.
        better: whether the mean difference is in the learned loss's favour.
        clear: whether p is below `SIGNIFICANCE` and the loss ahead had no failed training.
    """

    difference: float
    low: float
    high: float
    p: float
    wins: int
    losses: int
    ties: int
    better: bool
    clear: bool


def paired(
    task_values: Float[np.ndarray, " seeds"],
    learned_values: Float[np.ndarray, " seeds"],
    higher_is_better: bool,
) -> Paired:
    """Compares values of a metric that were reached from the same networks and batches.

    Raises:
        InvalidInputError: the two are not of one length, or have fewer than two seeds.
    """
    task_values = np.asarray(task_values, np.float64)
    learned_values = np.asarray(learned_values, np.float64)
    require(
        task_values.shape == learned_values.shape and task_values.size >= 2,
        f"a paired comparison needs two values or more of each loss, got {task_values.shape} "
        f"and {learned_values.shape}",
    )
    direction = 1.0 if higher_is_better else -1.0
    worst = -np.inf
    gains = [
        np.where(np.isfinite(values), direction * values, worst)
        for values in (learned_values, task_values)
    ]
    wins, losses = int(np.sum(gains[0] > gains[1])), int(np.sum(gains[0] < gains[1]))
    both = np.isfinite(learned_values) & np.isfinite(task_values)
    differences = learned_values[both] - task_values[both]
    largest = np.max(np.abs([learned_values[both], task_values[both]]), initial=0.0)
    difference, low, high, p = _t_test(differences, _ROUNDING * float(largest))
    better = direction * difference > 0 if differences.size >= 2 else wins > losses
    ahead = learned_values if better else task_values
    return Paired(
        difference,
        low,
        high,
        p,
        wins,
        losses,
        ties=task_values.size - wins - losses,
        better=bool(better),
        clear=bool(p < SIGNIFICANCE and np.all(np.isfinite(ahead))),
    )


def _t_test(
    differences: Float[np.ndarray, " pairs"], rounding: float
) -> tuple[float, float, float, float]:
    """Returns mean, the ends of its 95 % interval and p; smaller spreads than rounding are none."""
    if differences.size < 2:
        return math.nan, math.nan, math.nan, math.nan
    mean = float(np.mean(differences))
    # Differences that are equal up to rounding have no spread to test against. Of n of them, all
    # signs agree with a chance of 2^(1 - n): the exact sign test has the word.
    if np.ptp(differences) <= rounding:
        p = 1.0 if abs(mean) <= rounding else 2.0 ** (1 - differences.size)
        return mean, mean, mean, p
    # scipy.stats takes most of a second to import.
    from scipy import stats

    # The paired t-test is that of one sample of differences.
    freedom = differences.size - 1
    error = float(np.std(differences, ddof=1)) / math.sqrt(differences.size)
    p = 2 * float(stats.t.sf(abs(mean) / error, freedom))
    margin = float(stats.t.ppf(0.975, freedom)) * error
    return mean, mean - margin, mean + margin, p


class Summary(NamedTuple):
    """Mean and standard deviation (n - 1) over the seeds that did not fail; NaN without enough."""

    mean: float
    deviation: float
    failed: int


def summarise(values: Float[np.ndarray, " seeds"]) -> Summary:
    """Summarises one loss's values; failed trainings are counted, and left out of the figures."""
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    mean = float(np.mean(finite)) if finite.size else math.nan
    deviation = float(np.std(finite, ddof=1)) if finite.size >= 2 else math.nan
    return Summary(mean, deviation, int(values.size - finite.size))
