import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import supervised_task, with_label_noise, with_outliers

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(3000, 2))
VALUES = supervised_task("values", INPUTS, INPUTS[:, 0], "regression", model="linear")
PAIRS = supervised_task("pairs", INPUTS, INPUTS, "regression", model="linear")
CLASSES = supervised_task(
    "classes", INPUTS, GENERATOR.integers(0, 4, 3000), "classification", model="linear"
)


def unchanged(before, after) -> bool:
    return np.array_equal(before.targets, after.targets)


@settings(deadline=None, max_examples=10)
@given(rate=st.floats(0, 1), seed=st.integers(0, 100), symmetric=st.booleans())
def test_outliers_hit_the_exact_fraction_of_the_chosen_split(rate, seed, symmetric):
    task = with_outliers(jax.random.key(seed), VALUES, rate, 5.0, ("train",), symmetric)
    difference = np.asarray(task.train.targets) - np.asarray(VALUES.train.targets)
    assert np.sum(difference != 0) == round(rate * 1800)
    assert symmetric or np.all(difference >= 0)
    assert unchanged(VALUES.valid, task.valid)
    assert unchanged(VALUES.test, task.test)


def test_outliers_come_to_train_and_valid_and_leave_test_clean():
    task = with_outliers(jax.random.key(0), VALUES, 0.25, 5.0)
    changed = [
        np.sum(np.asarray(before.targets) != np.asarray(after.targets))
        for before, after in ((VALUES.train, task.train), (VALUES.valid, task.valid))
    ]
    assert changed == [450, 150]
    assert unchanged(VALUES.test, task.test)


# Golden values: moments of the normal distribution: E|N| = sqrt(2 / pi), Var N = 1.
def test_outliers_have_the_size_of_the_scale():
    one_sided = with_outliers(jax.random.key(0), VALUES, 1.0, 5.0)
    difference = np.asarray(one_sided.train.targets - VALUES.train.targets)
    np.testing.assert_allclose(difference.mean(), 5 * np.sqrt(2 / np.pi), rtol=0.05)
    both = with_outliers(jax.random.key(0), PAIRS, 1.0, 5.0, ("valid",), symmetric=True)
    difference = np.asarray(both.valid.targets - PAIRS.valid.targets)
    np.testing.assert_allclose(difference.std(), 5, rtol=0.05)
    np.testing.assert_allclose(difference.mean(), 0, atol=0.3)
    assert unchanged(PAIRS.train, both.train)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_symmetric_label_noise_draws_every_other_class_alike(rate):
    task = with_label_noise(jax.random.key(1), CLASSES, rate)
    for before, after in ((CLASSES.train, task.train), (CLASSES.valid, task.valid)):
        shift = (np.asarray(after.targets) - np.asarray(before.targets)) % 4
        shares = np.bincount(shift, minlength=4) / len(shift)
        np.testing.assert_allclose(shares, [1 - rate, *[rate / 3] * 3], atol=0.06)
        assert after.targets.dtype == before.targets.dtype
    assert unchanged(CLASSES.test, task.test)


def test_asymmetric_label_noise_flips_to_the_next_class():
    task = with_label_noise(jax.random.key(1), CLASSES, 0.4, ("train",), asymmetric=True)
    shift = (np.asarray(task.train.targets) - np.asarray(CLASSES.train.targets)) % 4
    assert set(shift) == {0, 1}
    np.testing.assert_allclose(shift.mean(), 0.4, atol=0.05)
    assert unchanged(CLASSES.valid, task.valid)


def test_the_key_decides():
    tasks = [with_label_noise(jax.random.key(seed), CLASSES, 0.5) for seed in (1, 1, 2)]
    assert unchanged(tasks[0].train, tasks[1].train)
    assert not unchanged(tasks[0].train, tasks[2].train)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda key: with_outliers(key, CLASSES, 0.1, 1.0), "outliers are for regression"),
        (lambda key: with_outliers(key, VALUES, 1.1, 1.0), "from 0 to 1, got 1.1"),
        (lambda key: with_outliers(key, VALUES, 0.1, -1.0), "scale of outliers must be 0 or more"),
        (
            lambda key: with_outliers(key, VALUES, 0.1, 1.0, ("test",)),
            r"unknown split to add noise to \(test stays clean\) 'test'",
        ),
        (lambda key: with_label_noise(key, VALUES, 0.1), "label noise is for classification"),
        (lambda key: with_label_noise(key, CLASSES, float("nan")), "from 0 to 1, got nan"),
    ],
)
def test_bad_noise_is_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call(jax.random.key(0))
