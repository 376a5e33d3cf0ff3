"""Ranks of rows over problems, and the tests that go with them.

Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006,
https://www.jmlr.org/papers/v7/demsar06a.html. Holm, "A Simple Sequentially Rejective Multiple Test
Procedure", Scandinavian Journal of Statistics 6, 1979.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.errors import require
from jaxloss.runs.statistics import SIGNIFICANCE


class Friedman(NamedTuple):
    """The Friedman test of whether all rows are alike.

    Attributes:
        statistic: chi-squared, corrected for ties.
        p: by the chi-squared distribution, which holds for many problems and is rough for few.
    """

    statistic: float
    p: float


def holm(p_values: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """Adjusts p for the number of tests, so that the chance of any false finding stays bounded.

    Args:
        p_values: one for each test; NaN for what could not be tested, which is not counted.

    Returns:
        Adjusted p, NaN where it was NaN.
    """
    p_values = np.asarray(p_values, np.float64)
    adjusted = np.full_like(p_values, np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def ranks(keys: Sequence[Any]) -> Float[np.ndarray, " rows"]:
    """Ranks rows from 1, the lowest key first; equal keys share the mean of their ranks."""
    below = np.array([sum(other < key for other in keys) for key in keys], np.float64)
    alike = np.array([sum(other == key for other in keys) for key in keys], np.float64)
    return below + (alike + 1) / 2


def friedman(table: Float[np.ndarray, "problems rows"]) -> Friedman:
    """Tests whether rows rank alike.

    Args:
        table: ranks of all rows on each problem.

    Raises:
        InvalidInputError: there are fewer than two problems or three rows.
    """
    problems, rows = _sizes(table)
    mean = table.mean(axis=0)
    # Friedman's chi-squared; the divisor below corrects it for ties.
    spread = 12 * problems / (rows * (rows + 1)) * float(np.sum((mean - (rows + 1) / 2) ** 2))
    tied = sum(
        float(count**3 - count) for one in table for count in np.unique(one, return_counts=True)[1]
    )
    correction = 1 - tied / (problems * rows * (rows**2 - 1))
    # Where every problem ties all rows, nothing speaks against their being alike.
    if correction <= 0:
        return Friedman(0.0, 1.0)
    # scipy.stats takes most of a second to import.
    from scipy import stats

    statistic = spread / correction
    return Friedman(statistic, float(stats.chi2.sf(statistic, rows - 1)))


def critical_difference(rows: int, problems: int, significance: float = SIGNIFICANCE) -> float:
    """Gives the difference of two average ranks from which Nemenyi's test calls it one.

    Raises:
        InvalidInputError: there are fewer than two rows or one problem.
    """
    require(rows >= 2 and problems >= 1, f"no ranks to compare: {rows} rows, {problems} problems")
    from scipy import stats

    quantile = float(stats.studentized_range.ppf(1 - significance, rows, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(rows * (rows + 1) / (6 * problems))


def alike_groups(average_ranks: Sequence[float], difference: float) -> list[tuple[float, float]]:
    """Finds the widest stretches of average ranks whose rows cannot be told apart.

    Returns:
        The lowest and highest average rank of each stretch that holds two rows or more.
    """
    places = sorted(average_ranks)
    stretches: list[tuple[int, int]] = []
    for first, place in enumerate(places):
        last = max(index for index, other in enumerate(places) if other - place < difference)
        if last > first and (not stretches or last > stretches[-1][1]):
            stretches.append((first, last))
    return [(places[first], places[last]) for first, last in stretches]


def _sizes(table: Float[np.ndarray, "problems rows"]) -> tuple[int, int]:
    problems, rows = table.shape
    require(
        problems >= 2 and rows >= 3,
        f"ranks are tested over 2 problems or more and 3 rows or more, got {problems} and {rows}",
    )
    return problems, rows
