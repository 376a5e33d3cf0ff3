import math

import numpy as np
import pytest
from grid_examples import PROBLEMS, ROWS, example_observations, example_standing
from scipy import stats

from jaxloss import InvalidInputError
from jaxloss.runs.grid.cells import Cell, CellResult, FinishedCell, Row
from jaxloss.runs.grid.problems import ProblemSpec
from jaxloss.runs.grid.rank_statistics import (
    alike_groups,
    critical_difference,
    friedman,
    holm,
    ranks,
)
from jaxloss.runs.grid.ranking import (
    JudgedProblem,
    JudgedRow,
    Observation,
    observations,
    seed_value,
    stand,
)
from jaxloss.runs.grid.transfer import Transferred, transfer_standing

# Demšar, JMLR 7 (2006), table 6: AUC of four variants of C4.5 on 14 data sets. The last two values
# of the last but one, printed as 0.975, are ranked 2 and 3 there, which rounding has hidden.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.9749],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_ranks_of_a_published_comparison() -> None:
    problems = [JudgedProblem(f"p{i}", "auc", True, "r0") for i in range(14)]
    rows = [JudgedRow(f"r{i}", learned=False) for i in range(4)]
    observed = [
        Observation(f"r{row}", f"p{problem}", 0, (value,))
        for (problem, row), value in np.ndenumerate(DEMSAR)
    ]
    found = stand(problems, rows, observed)
    # The average ranks and the critical difference that the article gives for this table.
    np.testing.assert_allclose(found.average_ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)
    assert found.friedman is not None
    # scipy corrects for ties, which the article's 9.28 does not.
    expected = stats.friedmanchisquare(*DEMSAR.T)
    assert found.friedman == pytest.approx((expected.statistic, expected.pvalue))
    assert found.friedman.statistic > 9.28


def test_friedman_without_ties_is_the_textbook_formula() -> None:
    table = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    # 12 / (4 · 3 · 4) · (5² + 8² + 11²) − 3 · 4 · 4 with the sums of ranks 5, 8 and 11.
    assert friedman(table).statistic == pytest.approx(4.5)
    assert friedman(table).p == pytest.approx(math.exp(-4.5 / 2))


def test_the_same_counted_errors_tie_whatever_their_rounding() -> None:
    # 49 errors in five trainings of 359 examples, counted in single precision.
    counts = ((9, 10, 10, 10, 10), (8, 11, 9, 10, 11))
    values = [tuple(float(np.float32(count) / np.float32(359)) for count in one) for one in counts]
    problem = JudgedProblem("digits", "error_rate", False, "a")
    rows = [JudgedRow(name, learned=False) for name in "ab"]
    observed = [Observation(name, "digits", 0, one) for name, one in zip("ab", values, strict=True)]
    assert values[0] != values[1]
    assert np.mean(values[0]) != np.mean(values[1])
    np.testing.assert_array_equal(stand([problem], rows, observed).average_ranks, [1.5, 1.5])


def test_rows_that_always_tie_are_alike() -> None:
    assert friedman(np.full((3, 4), 2.5)) == (0.0, 1.0)


@pytest.mark.parametrize("shape", [(1, 3), (2, 2)])
def test_too_little_is_not_tested(shape: tuple[int, int]) -> None:
    with pytest.raises(InvalidInputError, match="2 problems or more and 3 rows"):
        friedman(np.ones(shape))


@pytest.mark.parametrize(
    ("rows", "quantile"),
    # Demšar, table 5(a): critical values q of the two-tailed Nemenyi test at 0.05.
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (10, 3.164)],
)
def test_critical_differences_are_the_published_ones(rows: int, quantile: float) -> None:
    expected = quantile * math.sqrt(rows * (rows + 1) / (6 * 9))
    assert critical_difference(rows, 9) == pytest.approx(expected, rel=4e-4)


def test_holm_by_hand() -> None:
    # Sorted: 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 · 1, which may not fall below the one before.
    found = holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.03, 0.06, np.nan, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.7, 0.6])), [1.0, 1.0])
    assert holm(np.array([])).size == 0


def test_equal_keys_share_their_ranks() -> None:
    np.testing.assert_array_equal(ranks([3, 1, 3, 2, 3]), stats.rankdata([3, 1, 3, 2, 3]))


def test_groups_are_the_widest_stretches() -> None:
    assert alike_groups([1.0, 3.25, 1.75, 2.5, 9.0], 1.6) == [(1.0, 2.5), (1.75, 3.25)]
    assert alike_groups([1.0, 3.0], 1.0) == []
    assert alike_groups([2.0, 2.0], 1.0) == [(2.0, 2.0)]


def test_one_failed_training_fails_its_seed() -> None:
    assert seed_value((1.0, 2.0)) == 1.5
    for values in ((1.0, None), (), (None,), (1.0, math.inf)):
        assert math.isnan(seed_value(values))


def test_entries_of_a_comparison() -> None:
    found = example_standing()
    evomal = found.entries["evomal", "digits"]
    values = [0.11, 0.12, 0.11, 0.1]
    np.testing.assert_allclose(evomal.values, values)
    assert evomal.mean == pytest.approx(np.mean(values))
    assert evomal.deviation == pytest.approx(np.std(values, ddof=1))
    focal = found.entries["focal", "digits"]
    assert (focal.failed, focal.mean) == (1, pytest.approx(0.16 / 3))
    # Focal is best where it did not fail, yet ranks after all that never fail.
    ranked = [found.entries[row.name, "digits"].rank for row in ROWS]
    assert ranked == [1, 2, 3, 4]
    assert [found.entries[row.name, PROBLEMS[1].name].rank for row in ROWS] == [3, 2, 1, 4]
    assert found.average_ranks == (2.0, 2.0, 2.0, 4.0)
    assert found.entries["huber", "digits"].missing
    assert found.entries["huber", "digits"].notes == ("predicts values, not classes",)


def test_tests_against_the_usual_loss_are_adjusted_together() -> None:
    found = example_standing()
    places = [(row, problem.name) for problem in PROBLEMS for row in ("evomal", "focal")]
    raw = []
    for row, problem in places:
        own = np.array(found.entries[row, problem].values)
        usual = np.array(found.entries["cross_entropy", problem].values)
        both = np.isfinite(own)
        raw.append(stats.ttest_rel(own[both], usual[both]).pvalue)
    assert found.comparisons == len(places)
    adjusted = [found.entries[place].p for place in places]
    # statsmodels' Holm is not at hand; scipy has only false discovery rates. By its definition:
    order = np.argsort(raw)
    expected = np.maximum.accumulate(np.array(raw)[order] * [4, 3, 2, 1]).clip(max=1)
    np.testing.assert_allclose(np.array(adjusted)[order], expected)
    significant = {place: found.entries[place].significant for place in places}
    assert significant == {
        ("evomal", "digits"): True,
        # Ahead, but it failed at one seed.
        ("focal", "digits"): False,
        ("evomal", "wine & co_1"): True,
        ("focal", "wine & co_1"): False,
    }
    assert found.entries["cross_entropy", "digits"].against is None
    against = found.entries["evomal", "wine & co_1"].against
    assert against is not None
    assert not against.better


def test_seeds_are_matched_by_number() -> None:
    usual = {0: 1.0, 1: 2.0, 2: 3.0, 3: 9.0}
    own = {3: 8.1, 2: 2.0, 1: 1.1}
    problem = JudgedProblem("p", "mse", False, "usual")
    observed = [Observation("usual", "p", seed, (value,)) for seed, value in usual.items()]
    observed += [Observation("own", "p", seed, (value,)) for seed, value in own.items()]
    rows = [JudgedRow("usual", learned=False), JudgedRow("own", learned=True)]
    against = stand([problem], rows, observed).entries["own", "p"].against
    assert against is not None
    assert (against.wins, against.difference) == (3, pytest.approx(-2.8 / 3))


def test_one_problem_or_one_seed_is_not_tested() -> None:
    found = stand(PROBLEMS[:1], ROWS, [one for one in example_observations() if one.seed == 0])
    assert (found.friedman, found.critical_difference, found.comparisons) == (None, None, 0)
    assert not any(entry.significant for entry in found.entries.values())


def test_rows_with_all_seeds_failed_rank_before_those_without_any() -> None:
    problem = JudgedProblem("p", "f1", True, "a")
    rows = [JudgedRow(name, learned=False) for name in "abc"]
    observed = [Observation("b", "p", 0, (None,)), Observation("c", "p", 0, (0.5,))]
    found = stand([problem], rows, observed)
    assert [found.entries[name, "p"].rank for name in "abc"] == [3, 2, 1]


def test_empty_and_double_tables_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least one row"):
        stand(PROBLEMS, [], [])
    with pytest.raises(InvalidInputError, match="names a problem twice"):
        stand([PROBLEMS[0], PROBLEMS[0]], ROWS, [])


def test_rows_are_judged_by_the_trainings_asked_for() -> None:
    result = CellResult(test=(1.0,), tuned_test=(2.0,), note="so")
    cells = [
        FinishedCell(Cell(Row(name, learned), ProblemSpec("wine"), 4), result)
        for name, learned in (("evomal", True), ("focal", False))
    ]
    assert observations(cells, tuned=["focal"]) == [
        Observation("evomal", "wine", 4, (1.0,), "so"),
        Observation("focal", "wine", 4, (2.0,), "so"),
    ]


def test_transfer_has_a_row_for_each_source_and_the_usual_loss() -> None:
    problems = [
        JudgedProblem("a", "mse", False, "squared_error"),
        JudgedProblem("b", "error_rate", False, "cross_entropy"),
    ]
    transferred = [
        Transferred("evomal", source, target, seed, (0.1 * seed + (source != target),))
        for source in "ab"
        for target in "ab"
        for seed in (1, 2, 3)
    ]
    usual = [
        Observation(row, problem, seed, (value + seed,))
        for row, problem, value in (
            ("squared_error", "a", 5.0),
            ("cross_entropy", "b", 7.0),
            ("cross_entropy", "a", 99.0),
        )
        for seed in (1, 2, 3)
    ]
    found = transfer_standing(problems, transferred, usual)
    assert [(row.name, row.home) for row in found.rows] == [
        ("evomal from a", "a"),
        ("evomal from b", "b"),
        ("usual loss", None),
    ]
    means = [[found.entries[row.name, name].mean for name in "ab"] for row in found.rows]
    np.testing.assert_allclose(means, [[0.2, 1.2], [1.2, 0.2], [7.0, 9.0]])
    assert found.comparisons == 4
