import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import SplitSettings
from jaxloss.tasks.splitting import split_rows

FRACTION = st.floats(0.05, 0.9)


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=5).filter(lambda c: sum(c) >= 10),
    fractions=st.tuples(FRACTION, FRACTION, FRACTION),
    seed=st.integers(0, 100),
    own_test=st.booleans(),
)
def test_splits_are_disjoint_and_hold_each_class_in_proportion(counts, fractions, seed, own_test):
    assume(sum(fractions) <= 1)
    classes = np.repeat(np.arange(len(counts)), counts)
    splits = split_rows(classes, len(classes), SplitSettings(*fractions, seed=seed), (), own_test)
    together = np.concatenate(splits)
    assert len(set(together.tolist())) == len(together)
    wanted = np.array(fractions[:2]) / sum(fractions[:2]) if own_test else np.array(fractions)
    assert (len(splits[2]) == 0) == own_test
    for rows, fraction in zip(splits, wanted, strict=False):
        found = np.bincount(classes[rows], minlength=len(counts))
        assert found.min() >= 1
        # One row for rounding, and one more for each split that has to be given its one row.
        assert np.all(np.abs(found - fraction * np.array(counts)) <= 3)


@settings(deadline=None, max_examples=30)
@given(rows=st.integers(10, 300), seed=st.integers(0, 100))
def test_all_rows_are_used_and_the_seed_decides(rows, seed):
    splits = split_rows(None, rows, SplitSettings(seed=seed))
    assert sorted(np.concatenate(splits).tolist()) == list(range(rows))
    again = split_rows(None, rows, SplitSettings(seed=seed))
    other = split_rows(None, rows, SplitSettings(seed=seed + 1))
    assert all(np.array_equal(one, two) for one, two in zip(splits, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(splits, other, strict=True))


def test_sizes_are_those_of_the_fractions():
    splits = split_rows(None, 1000, SplitSettings(0.5, 0.2, 0.1))
    assert [len(part) for part in splits] == [500, 200, 100]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": 0.0}, "train fraction must be above 0, got 0.0"),
        ({"valid": float("nan")}, "valid fraction must be above 0, got nan"),
        ({"test": 0.3}, "sum to 1.1, at most 1"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
    ],
)
def test_bad_settings_are_refused(values, message):
    with pytest.raises(InvalidInputError, match=message):
        SplitSettings(**values)


def test_too_few_rows_or_members_are_refused():
    with pytest.raises(InvalidInputError, match="9; at least 10 are needed"):
        split_rows(None, 9, SplitSettings())
    classes = np.array([0] * 10 + [1] * 2)
    with pytest.raises(InvalidInputError, match=r"class 'rare' has 2 row\(s\); at least 3"):
        split_rows(classes, 12, SplitSettings(), ("common", "rare"))
    assert len(split_rows(classes, 12, SplitSettings(), (), own_test=True)[0]) == 9
