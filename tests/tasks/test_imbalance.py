import jax
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import SupervisedTask, supervised_task, with_imbalance

GENERATOR = np.random.default_rng(0)
INPUTS = np.arange(2500.0)[:, None] + GENERATOR.normal(size=(2500, 1))
EVEN = supervised_task("even", INPUTS, np.arange(2500) % 5, "classification", model="linear")


def counts(task: SupervisedTask, split: str) -> list[int]:
    classes = len(task.class_names)
    return np.bincount(np.asarray(getattr(task, split).targets), minlength=classes).tolist()


# Golden values by hand: 300 * 10 ** -(k / 4) and 100 * 10 ** -(k / 4) for k = 0 to 4, rounded.
def test_classes_follow_the_long_tail_and_test_stays():
    task = with_imbalance(jax.random.key(0), EVEN, 10.0)
    assert counts(task, "train") == [300, 169, 95, 53, 30]
    assert counts(task, "valid") == [100, 56, 32, 18, 10]
    assert task.test is EVEN.test
    assert task.train.targets.dtype == EVEN.train.targets.dtype


def test_examples_keep_their_targets_and_their_order():
    task = with_imbalance(jax.random.key(0), EVEN, 10.0)
    places = {float(value): place for place, value in enumerate(EVEN.train.inputs[:, 0])}
    kept = [places[float(value)] for value in task.train.inputs[:, 0]]
    assert kept == sorted(kept)
    np.testing.assert_array_equal(EVEN.train.targets[np.asarray(kept)], task.train.targets)


def test_at_least_one_example_of_each_class_stays():
    task = with_imbalance(jax.random.key(0), EVEN, 1e6)
    assert counts(task, "train")[-1] == counts(task, "valid")[-1] == 1


def test_a_class_that_is_rarer_already_keeps_all():
    targets = np.repeat([0, 1, 2], [50, 1000, 1000])
    task = supervised_task("uneven", INPUTS[:2050], targets, "classification", model="linear")
    # By hand: 600 * 4 ** -(k / 2) is 600, 300 and 150, and class 0 has 30.
    assert counts(with_imbalance(jax.random.key(0), task, 4.0), "train") == [30, 300, 150]


def test_a_ratio_of_one_and_other_splits_change_nothing():
    same = with_imbalance(jax.random.key(0), EVEN, 1.0)
    np.testing.assert_array_equal(same.train.inputs, EVEN.train.inputs)
    only_train = with_imbalance(jax.random.key(0), EVEN, 10.0, ("train",))
    assert only_train.valid is EVEN.valid
    assert counts(only_train, "train") == [300, 169, 95, 53, 30]


def test_the_key_decides_which_examples_stay():
    inputs = [
        np.asarray(with_imbalance(jax.random.key(seed), EVEN, 10.0).train.inputs)
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(inputs[0], inputs[1])
    assert not np.array_equal(inputs[0], inputs[2])


@pytest.mark.parametrize(
    ("ratio", "splits", "message"),
    [
        (0.9, ("train",), "ratio must be 1 or more, got 0.9"),
        (float("nan"), ("train",), "ratio must be 1 or more, got nan"),
        (2.0, ("test",), r"unknown split to thin out \(test stays as it is\) 'test'"),
    ],
)
def test_bad_imbalance_is_refused(ratio, splits, message):
    with pytest.raises(InvalidInputError, match=message):
        with_imbalance(jax.random.key(0), EVEN, ratio, splits)


def test_values_have_no_classes_to_make_rare():
    task = supervised_task("values", INPUTS, INPUTS[:, 0], "regression", model="linear")
    with pytest.raises(InvalidInputError, match="imbalance is for classification; 'values'"):
        with_imbalance(jax.random.key(0), task, 2.0)
