import jax
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from jaxloss.errors import InvalidInputError
from jaxloss.tasks.preparation import (
    as_inputs,
    as_values,
    code_classes,
    require_finite,
    standardised,
)


# Golden values: scikit-learn's StandardScaler, fitted on the training rows.
def test_tables_are_standardised_by_the_training_rows():
    generator = np.random.default_rng(0)
    train, other = generator.normal(1e6, 3, (50, 4)), generator.normal(1e6, 3, (20, 4))
    scaler = StandardScaler().fit(train)
    for actual, expected in zip(standardised(train, other), (train, other), strict=True):
        np.testing.assert_allclose(actual, np.asarray(scaler.transform(expected)), atol=1e-5)
        assert actual.dtype == np.float32


def test_images_are_standardised_over_all_pixels():
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
    (scaled,) = standardised(images)
    np.testing.assert_allclose(scaled.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(), 1, atol=1e-5)
    # Equal brightness stays equal at every pixel: there is one scale for all.
    scale = np.polyfit(images.ravel(), scaled.ravel(), 1)
    np.testing.assert_allclose(np.polyval(scale, images), scaled, atol=1e-5)


def test_constant_features_become_zero_everywhere():
    train = np.stack([np.full(7, 0.1), np.arange(7.0)], axis=1)
    scaled, other = standardised(train, np.ones((3, 2)))
    assert not scaled[:, 0].any()
    assert not other[:, 0].any()
    assert np.isfinite(other).all()


def test_precision_is_that_of_jax():
    with jax.enable_x64(True):
        assert standardised(np.arange(4.0))[0].dtype == np.float64


def test_classes_are_numbered_and_named():
    classes, names = code_classes(np.array(["b", "a", "c", "a"]))
    np.testing.assert_array_equal(classes, [1, 0, 2, 0])
    assert names == ("a", "b", "c")
    assert code_classes(np.array([[1.0], [7.0]]))[1] == ("1", "7")
    classes, names = code_classes(np.array([2, 0, 2]), ["x", "y", "z"])
    np.testing.assert_array_equal(classes, [1, 0, 1])
    assert names == ("x", "z")


def test_inputs_become_numbers_with_an_axis_of_features():
    assert as_inputs(np.array([True, False])).shape == (2, 1)
    np.testing.assert_array_equal(as_values(np.array([[1], [2]])), [1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: as_inputs(np.array(["a"])), "inputs must be real numbers"),
        (lambda: as_inputs(np.array([1j])), "inputs must be real numbers"),
        (lambda: as_inputs(np.zeros((0, 2))), r"inputs are empty: their shape is \(0, 2\)"),
        (lambda: as_inputs(np.array(1.0)), "one row for each example"),
        (lambda: code_classes(np.zeros(5)), r"two classes or more, got only \[0\]"),
        (lambda: code_classes(np.zeros((5, 2))), "one class for each row"),
        (lambda: code_classes(np.array([0, 5]), ["a", "b"]), "from 0 to 1, got 0 to 5"),
        (lambda: code_classes(np.array([0, np.nan])), "targets: nan in data row 2"),
        (lambda: code_classes(np.array([1e19, 2e19, 5])), r"2\*\*53 or more .* as float64; write"),
        (lambda: as_values(np.array(["a"])), "targets that are numbers"),
        (lambda: as_values(np.zeros((2, 2, 2))), "regression needs targets"),
        (lambda: as_values(np.array([1, np.inf])), "inf in data row 2 "),
        (
            lambda: require_finite(np.array([[1, 2], [3, np.nan]]), "inputs", ["a", "b"]),
            "nan in data row 2, column 'b'",
        ),
        (lambda: require_finite(np.array([[1e31]]), "inputs"), "data row 1, column 1 "),
        (
            lambda: require_finite(np.full((1, 2, 2), np.nan), "images"),
            r"data row 1, position \(1, 1\)",
        ),
    ],
)
def test_bad_data_are_refused_by_place(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
