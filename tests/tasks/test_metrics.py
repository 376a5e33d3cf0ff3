import functools
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import METRIC_NAMES, metric_named

ALL_METRICS = [(name, kind) for kind, names in METRIC_NAMES.items() for name in names]


def probabilities(generator, rows: int, classes: int) -> np.ndarray:
    """Draws few distinct values, so that there are many ties; exact in float32."""
    raw = generator.integers(0, 4, (rows, classes)) + np.full(classes, 0.25)
    first = np.round(raw[:, :-1] / raw.sum(1, keepdims=True) * 16) / 16
    first = np.minimum(first, 1 / classes)
    return np.concatenate([first, 1 - first.sum(1, keepdims=True)], axis=1).astype(np.float32)


def as_boxes(corners: np.ndarray) -> np.ndarray:
    return np.concatenate([corners, corners + 1], axis=-1)


def draw(seed: int, rows: int, classes: int, absent: bool):
    generator = np.random.default_rng(seed)
    occurring = classes - 1 if absent else classes
    # The first rows hold each class once, so that no other class is absent by chance.
    targets = np.concatenate([np.arange(occurring), generator.integers(0, occurring, rows)])
    return probabilities(generator, len(targets), classes), targets


@functools.cache
def compiled(name: str, kind):
    return jax.jit(metric_named(name, kind).function)


def value_of(name: str, predictions, targets, kind="classification") -> float:
    return float(compiled(name, kind)(jnp.asarray(predictions), jnp.asarray(targets)))


# Few sizes, since each is compiled.
SIZES = st.tuples(st.integers(0, 10_000), st.sampled_from([4, 30]))


# Golden values: scikit-learn.
@settings(deadline=None, max_examples=15)
@given(sizes=SIZES, classes=st.sampled_from([2, 4]), absent=st.booleans())
def test_classification_metrics_agree_with_sklearn(sizes, classes, absent):
    absent = absent and classes > 2
    predictions, targets = draw(*sizes, classes=classes, absent=absent)
    predicted = predictions.argmax(1)
    recalls = [sk.recall_score(targets == one, predicted == one) for one in np.unique(targets)]
    expected = {
        "error_rate": 1 - sk.accuracy_score(targets, predicted),
        "balanced_error": 1 - np.mean(recalls),
        "macro_f1": sk.f1_score(targets, predicted, average="macro"),
        "log_loss": sk.log_loss(targets, predictions, labels=np.arange(classes)),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(value_of(name, predictions, targets), value, atol=2e-6)


def test_balanced_error_agrees_with_sklearn_where_it_does_not_warn():
    predictions, targets = draw(3, 50, 3, absent=False)
    expected = 1 - sk.balanced_accuracy_score(targets, predictions.argmax(1))
    np.testing.assert_allclose(value_of("balanced_error", predictions, targets), expected, 1e-5)


# Golden values: scikit-learn, one class at a time, since it refuses absent classes.
@settings(deadline=None, max_examples=15)
@given(sizes=SIZES, classes=st.sampled_from([2, 4]), absent=st.booleans())
def test_ranking_metrics_agree_with_sklearn(sizes, classes, absent):
    predictions, targets = draw(*sizes, classes=classes, absent=absent and classes > 2)
    columns = [1] if classes == 2 else np.unique(targets)
    for name, reference in [
        ("auroc", sk.roc_auc_score),
        ("average_precision", sk.average_precision_score),
    ]:
        expected = np.mean([reference(targets == one, predictions[:, one]) for one in columns])
        np.testing.assert_allclose(value_of(name, predictions, targets), expected, atol=2e-6)


def test_multiclass_ranking_is_sklearns_macro_one_vs_rest():
    predictions, targets = draw(5, 200, 4, absent=False)
    expected = sk.roc_auc_score(targets, predictions, multi_class="ovr", average="macro")
    np.testing.assert_allclose(value_of("auroc", predictions, targets), expected, atol=1e-6)
    expected = sk.average_precision_score(targets, predictions, average="macro")
    actual = value_of("average_precision", predictions, targets)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_ranking_metrics_stay_exact_for_many_examples():
    generator = np.random.default_rng(0)
    scores = generator.random(60_000).astype(np.float32)
    targets = generator.integers(0, 2, 60_000)
    predictions = np.stack([1 - scores, scores], axis=1)
    expected = sk.roc_auc_score(targets, predictions[:, 1])
    np.testing.assert_allclose(value_of("auroc", predictions, targets), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_ranking_of_one_class_is_undefined(name):
    predictions, _ = draw(0, 10, 2, absent=False)
    assert np.isnan(value_of(name, predictions, np.zeros(12, int)))
    assert np.isnan(value_of(name, predictions, np.ones(12, int)))


# Golden values: scikit-learn.
@pytest.mark.parametrize("shape", [(30,), (30, 3)])
def test_regression_metrics_agree_with_sklearn(shape):
    generator = np.random.default_rng(1)
    targets = generator.normal(size=shape).astype(np.float32)
    predictions = targets + generator.normal(size=shape).astype(np.float32)
    expected = {
        "mse": sk.mean_squared_error(targets, predictions),
        "mae": sk.mean_absolute_error(targets, predictions),
        "r2": sk.r2_score(targets, predictions),
        "pinball": sk.mean_pinball_loss(targets, predictions),
        "pinball:0.9": sk.mean_pinball_loss(targets, predictions, alpha=0.9),
        # By numpy: scikit-learn has none.
        "relative_l2": np.linalg.norm(predictions - targets) / np.linalg.norm(targets),
    }
    for name, value in expected.items():
        actual = value_of(name, predictions, targets, "regression")
        np.testing.assert_allclose(actual, value, rtol=1e-5)


# Golden values: scikit-learn.
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_r2_of_constant_targets_agrees_with_sklearn(offset):
    targets = np.full(5, 2.0, np.float32)
    expected = sk.r2_score(targets, targets + offset)
    assert value_of("r2", targets + offset, targets, "regression") == expected


@pytest.mark.parametrize(("name", "kind"), ALL_METRICS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_prediction_that_is_not_finite_looks_good(name, kind, bad):
    predictions, targets = draw(2, 10, 2, absent=False)
    if kind == "boxes":
        targets = predictions = as_boxes(predictions)
    elif kind == "regression":
        predictions = predictions[:, 0]
    elif kind == "masks":
        predictions, targets = predictions[None], np.eye(len(predictions), 2)[None]
        predictions = np.concatenate([predictions, predictions])
        targets = np.concatenate([targets, targets])
    for position in (0, -1):
        spoilt = predictions.copy()
        spoilt[position] = bad
        assert np.isnan(value_of(name, spoilt, targets, kind))


@pytest.mark.parametrize(("name", "kind"), ALL_METRICS)
def test_metrics_map_over_predictions_without_implicit_promotion(name, kind):
    metric = metric_named(name, kind)
    drawn = [draw(seed, 10, 3, absent=False) for seed in range(3)]
    predictions = jnp.asarray(np.stack([one for one, _ in drawn]))
    targets = jnp.asarray(drawn[0][1])
    if kind == "regression":
        predictions, targets = predictions[..., 0], targets.astype(jnp.float32)
    if kind == "masks":
        predictions, targets = (
            predictions[:, None],
            jnp.eye(predictions.shape[1], predictions.shape[2])[None],
        )
    if kind == "boxes":
        predictions, targets = (
            jnp.asarray(as_boxes(np.asarray(predictions[..., :2]))),
            jnp.ones((13, 4)),
        )
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        mapped = jax.vmap(metric.function, in_axes=(0, None))(predictions, targets)
        single = [metric.function(one, targets) for one in predictions]
    np.testing.assert_allclose(mapped, single, rtol=1e-5)


@pytest.mark.parametrize(("name", "kind"), ALL_METRICS)
def test_perfect_predictions_have_the_best_fitness(name, kind):
    metric = metric_named(name, kind)
    targets = jnp.asarray([0, 1, 0, 1, 1])
    perfect = jax.nn.one_hot(targets, 2) if kind == "classification" else targets * 1.0
    other = 1 - perfect
    if kind == "boxes":
        targets = perfect = jnp.asarray([[0.0, 0.0, 4.0, 4.0], [1.0, 2.0, 3.0, 5.0]])
        other = perfect + 1.0
    if kind == "masks":
        targets = perfect = jnp.eye(4)[None]
        other = jnp.roll(perfect, 1, axis=1)
    best = metric.fitness(metric.function(perfect, targets))
    assert best < metric.fitness(metric.function(other, targets))


# Golden values: counted on squared paper. Overlaps of 1 and 0 and 16 squares, unions of 7, 5, 16.
def test_box_metrics_are_the_mean_overlap():
    targets = [[0, 0, 2, 2], [0, 0, 2, 2], [1, 1, 5, 5]]
    predictions = np.asarray([[1, 1, 3, 3], [5, 5, 6, 6], [1, 1, 5, 5]], np.float32)
    expected = (1 / 7 + 0 + 1) / 3
    np.testing.assert_allclose(value_of("mean_iou", predictions, targets, "boxes"), expected, 1e-6)
    error = value_of("iou_error", predictions, targets, "boxes")
    np.testing.assert_allclose(error, 1 - expected, 1e-6)


def test_targets_with_a_trailing_axis_of_one_fit():
    assert value_of("mse", np.ones(4), np.zeros((4, 1)), "regression") == 1
    with pytest.raises(
        InvalidInputError, match=r"shape \(4,\) do not fit targets of shape \(4, 2\)"
    ):
        value_of("mse", np.ones(4), np.zeros((4, 2)), "regression")


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_metrics.py").write_text(
        "from sklearn.metrics import fbeta_score\n"
        "def f2(predictions, targets):\n"
        "    return fbeta_score(targets, predictions.argmax(1), beta=2)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])


@pytest.mark.usefixtures("own_module")
def test_a_python_function_is_a_metric_under_jit_and_vmap():
    metric = metric_named("own_metrics:f2", "classification", "higher")
    drawn = [draw(seed, 30, 2, absent=False) for seed in range(3)]
    targets = drawn[0][1]
    predictions = np.stack([one for one, _ in drawn])
    mapped = jax.jit(jax.vmap(metric.function, in_axes=(0, None)))(predictions, targets)
    expected = [sk.fbeta_score(targets, one.argmax(1), beta=2) for one in predictions]
    np.testing.assert_allclose(mapped, expected, rtol=1e-6)
    assert metric.higher_is_better
    assert metric.fitness(mapped)[0] == -mapped[0]
    assert not metric_named("own_metrics:f2", "classification").higher_is_better
    # scikit-learn would raise an error for NaN; the function must not see it.
    assert np.isnan(float(metric.function(jnp.full((32, 2), jnp.nan), jnp.asarray(targets))))


@pytest.mark.usefixtures("own_module")
def test_a_function_that_returns_nothing_is_no_metric():
    Path("forgetful_metrics.py").write_text("def forgetful(predictions, targets):\n    pass\n")
    metric = metric_named("forgetful_metrics:forgetful", "regression")
    with pytest.raises(jax.errors.JaxRuntimeError, match="it returned None; expected a number"):
        metric.function(jnp.ones(4), jnp.ones(4)).block_until_ready()


@pytest.mark.parametrize(
    ("spec", "kind", "direction", "message"),
    [
        ("auroc", "regression", None, "'auroc' is not for regression; valid, nearest first: "),
        ("mse", "classification", None, "is not for classification; valid, nearest first: "),
        ("mse", "boxes", None, "is not for boxes; valid, nearest first: "),
        ("f1", "classification", None, "is unknown; for classification; .*first: macro_f1"),
        ("pinball:1.5", "regression", None, "quantile must be a number between 0 and 1"),
        ("pinball:half", "regression", None, "quantile must be a number between 0 and 1"),
        ("pinball:nan", "regression", None, "quantile must be a number between 0 and 1"),
        ("mse:2", "regression", None, "'mse' takes no setting"),
        ("mse", "regression", "higher", "knows its own direction"),
        ("mse", "regression", "up", "must be 'lower' or 'higher', got 'up'"),
        ("math:pi", "regression", None, "is no function"),
        ("math:sqr", "regression", None, "nearest first: sqrt"),
    ],
)
def test_bad_metrics_are_refused_with_a_way_on(spec, kind, direction, message):
    with pytest.raises(InvalidInputError, match=message):
        metric_named(spec, kind, direction)
