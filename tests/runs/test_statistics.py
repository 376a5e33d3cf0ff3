import numpy as np
import pytest
from scipy import stats

from jaxloss import InvalidInputError
from jaxloss.runs.statistics import paired, summarise


def test_agrees_with_scipy() -> None:
    generator = np.random.default_rng(0)
    task = generator.normal(1.0, 0.2, 9)
    learned = task - generator.normal(0.1, 0.1, 9)
    found = paired(task, learned, higher_is_better=False)
    expected = stats.ttest_rel(learned, task)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose(
        [found.p, found.low, found.high], [expected.pvalue, interval.low, interval.high]
    )
    np.testing.assert_allclose(found.difference, np.mean(learned - task))
    assert (found.wins, found.losses) == (np.sum(learned < task), np.sum(learned > task))


@pytest.mark.parametrize("higher_is_better", [False, True])
def test_knows_the_direction(higher_is_better: bool) -> None:
    task, learned = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 3.1, 4.0, 5.1])
    found = paired(task, learned, higher_is_better)
    assert found.better is higher_is_better
    assert found.clear
    assert (found.wins, found.losses) == ((4, 0) if higher_is_better else (0, 4))
    assert found.difference > 0


def test_equal_values_are_no_difference() -> None:
    values = np.array([0.5, 0.25, 0.75])
    found = paired(values, values.copy(), higher_is_better=False)
    assert (found.p, found.difference, found.ties) == (1.0, 0.0, 3)
    assert not found.better
    assert not found.clear


def test_equal_differences_are_as_sure_as_their_signs() -> None:
    few, many = (np.full(count, 0.25, np.float32) for count in (2, 10))
    found = paired(few, few + np.float32(1 / 72), higher_is_better=False)
    assert found.p == 0.5
    assert not found.clear
    # Rounding is no spread.
    shifted = many + np.float32(1 / 72) + np.array([0, 3e-8] * 5, np.float32)
    found = paired(many, shifted, higher_is_better=False)
    assert found.p == pytest.approx(2 / 2**10)
    assert found.clear


def test_a_failed_training_never_wins() -> None:
    task = np.array([1.0, 1.1, 0.9, 1.0])
    learned = np.array([0.1, 0.3, 0.1, np.nan])
    found = paired(task, learned, higher_is_better=False)
    assert (found.wins, found.losses) == (3, 1)
    assert found.p < 0.05
    assert not found.clear
    worse = paired(learned, task, higher_is_better=False)
    assert not worse.better
    assert not worse.clear


def test_all_failed_is_said_and_not_computed() -> None:
    found = paired(np.ones(3), np.full(3, np.nan), higher_is_better=False)
    assert np.isnan(found.p)
    assert (found.better, found.clear, found.losses) == (False, False, 3)


def test_one_seed_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="two values"):
        paired(np.ones(1), np.ones(1), higher_is_better=False)


def test_summary_leaves_failed_trainings_out() -> None:
    found = summarise(np.array([1.0, np.inf, 3.0]))
    assert (found.mean, found.failed) == (2.0, 1)
    np.testing.assert_allclose(found.deviation, np.std([1.0, 3.0], ddof=1))
