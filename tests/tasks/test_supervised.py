from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from sklearn import metrics as sk

from jaxloss.errors import InvalidInputError
from jaxloss.models import MLP
from jaxloss.tasks import Metric, SplitSettings, SupervisedTask, Task, metric_named, supervised_task

GENERATOR = np.random.default_rng(0)
TABLE = GENERATOR.normal(3, 5, (60, 4))
CLASSES = np.repeat([0, 1, 2], 20)
VALUES = TABLE @ np.array([1.0, -2.0, 0.0, 0.5]) + 100


def small(kind: Any = "classification", targets=CLASSES, **settings) -> SupervisedTask:
    return supervised_task("small", TABLE, targets, kind, **{"model": "linear", **settings})


def outputs_of(task: Task):
    variables = task.model.init(jax.random.key(0), task.valid.inputs)
    return task.model.apply(variables, task.valid.inputs, False, None)[0]


@pytest.mark.parametrize(
    ("task", "outputs", "predictions"),
    [
        (small(), (12, 3), (12, 3)),
        (small(targets=CLASSES == 1, view="sigmoid"), (12, 1), (12, 2)),
        (small("regression", VALUES), (12, 1), (12,)),
        (small("regression", np.stack([VALUES, -VALUES], 1)), (12, 2), (12, 2)),
    ],
    ids=["softmax", "sigmoid", "values", "two values"],
)
def test_the_parts_of_a_task_fit_each_other(task: SupervisedTask, outputs, predictions):
    made = outputs_of(task)
    assert made.shape == outputs
    assert task.predictions(made).shape == predictions
    loss = task.task_loss(made, task.valid.targets)
    assert loss.shape == (12,)
    assert bool(jnp.all(loss > 0))
    score = jax.jit(task.metric.function)(task.predictions(made), task.valid.targets)
    assert np.isfinite(float(score))
    seen = task.view.see(made, task.valid.targets)
    assert {one.shape for one in seen} == {outputs}


# Golden values: scikit-learn's log loss, on a task with two classes seen both ways.
def test_both_views_of_two_classes_give_the_cross_entropy():
    logits = jnp.asarray([[0.3, -1.0], [2.0, 0.0], [-1.0, 1.5]])
    targets = jnp.asarray([1, 0, 1])
    softmax = small(targets=CLASSES == 1)
    sigmoid = small(targets=CLASSES == 1, view="sigmoid")
    margins = (logits[:, 1] - logits[:, 0])[:, None]
    expected = sk.log_loss(np.asarray(targets), special.softmax(np.asarray(logits), axis=1))
    for task, outputs in [(softmax, logits), (sigmoid, margins)]:
        np.testing.assert_allclose(task.task_loss(outputs, targets).mean(), expected, rtol=1e-5)
        np.testing.assert_allclose(
            task.predictions(outputs), softmax.predictions(logits), rtol=1e-5
        )
    assert softmax.task_loss_name == "cross_entropy"


def test_probabilities_of_the_sigmoid_view_stay_exact_in_the_tails():
    task = small(targets=CLASSES == 1, view="sigmoid")
    tiny = task.predictions(jnp.asarray([[30.0], [-30.0]]))
    np.testing.assert_allclose([tiny[0, 0], tiny[1, 1]], np.exp(-30.0), rtol=1e-5)


def test_squared_error_is_summed_over_outputs_as_every_loss_is():
    task = small("regression", VALUES)
    outputs = jnp.asarray([[1.0], [2.0]])
    np.testing.assert_allclose(task.task_loss(outputs, jnp.asarray([0.0, 5.0])), [1.0, 9.0])
    pair = jnp.asarray([[1.0, 3.0]])
    np.testing.assert_allclose(task.task_loss(pair, jnp.zeros((1, 2))), [10.0])
    assert task.task_loss_name == "mse"


def test_another_usual_loss_may_have_parameters():
    task = small("regression", VALUES, task_loss="Huber:delta=0.50")
    # By hand: delta * (|r| - delta / 2).
    found = task.task_loss(jnp.asarray([[3.0]]), jnp.asarray([0.0]))
    np.testing.assert_allclose(found, [0.5 * (3.0 - 0.25)])
    assert task.task_loss_name == "huber:delta=0.5"


def test_inputs_and_regression_targets_are_standardised_by_training_rows():
    task = small("regression", VALUES)
    np.testing.assert_allclose(task.train.inputs.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(task.train.inputs.std(0), 1, atol=1e-5)
    np.testing.assert_allclose(task.train.targets.std(), 1, atol=1e-5)
    assert abs(float(task.test.inputs.mean())) > 1e-3
    # Rows stay together: targets are still the same linear function of the inputs.
    stacked = np.concatenate([part.inputs for part in (task.train, task.valid, task.test)])
    answers = np.concatenate([part.targets for part in (task.train, task.valid, task.test)])
    residual = np.linalg.lstsq(np.c_[stacked, np.ones(60)], answers, rcond=None)[1]
    assert residual.item() < 1e-8


def test_a_given_test_set_is_kept_in_order_and_out_of_training():
    test = (TABLE[:6] + 1000, CLASSES[[0, 20, 40, 0, 20, 40]])
    task = small(test=test, split=SplitSettings(0.5, 0.25, 0.25))
    np.testing.assert_array_equal(task.test.targets, [0, 1, 2, 0, 1, 2])
    assert [len(part.targets) for part in (task.train, task.valid)] == [39, 21]
    assert float(task.test.inputs.min()) > 100
    np.testing.assert_allclose(task.train.inputs.mean(0), 0, atol=1e-5)


def test_text_classes_and_own_models_and_metrics():
    metric = metric_named("macro_f1", "classification")
    task = small(
        targets=np.array(["no", "yes"])[(CLASSES == 1).astype(int)],
        model=MLP((3,), 2),
        metric=metric,
    )
    assert task.class_names == ("no", "yes")
    assert task.model.name == "MLP"
    assert task.metric is metric
    assert small().metric.name == "error_rate"
    assert small("regression", VALUES).metric.name == "mse"


def test_arrays_are_double_under_x64():
    with jax.enable_x64(True):
        task = small("regression", VALUES)
        assert task.train.inputs.dtype == task.test.targets.dtype == jnp.float64
    assert small().train.inputs.dtype == jnp.float32


class Wrong(nn.Module):
    @nn.compact
    def __call__(self, inputs):
        raise TypeError(f"no such thing as {inputs.shape}")


class Noisy(nn.Module):
    """Draws in training from a stream that it is not given."""

    @nn.compact
    def __call__(self, inputs, train: bool):
        if train:
            inputs = inputs + jax.random.normal(self.make_rng("noise"), inputs.shape)
        return nn.Dense(3)(inputs)


def begun(_key, inputs) -> dict[str, Any]:
    return {"params": jnp.zeros((inputs.shape[1], 3)), "seen": jnp.zeros((), jnp.int32)}


def trained_on(renewed: Any) -> Any:
    """A network whose variables become ``renewed(seen)`` in training."""

    def apply(variables, inputs, train, key):
        del key
        after = renewed(variables["seen"]) if train else variables
        return inputs @ variables["params"], after

    return begun, apply


def twice_in_training(variables, inputs, train, key):
    del key
    outputs = inputs @ variables["params"]
    return jnp.tile(outputs, (1, 2)) if train else outputs, variables


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "clustering"}, "kind must be one of classification, regression, boxes"),
        ({"targets": CLASSES[:-1]}, r"60 rows but their targets have shape \(59,\)"),
        ({"targets": CLASSES * 0}, "two classes or more"),
        ({"targets": np.r_[CLASSES[:-2], 7, 7]}, r"class '7' has 2 row\(s\); at least 3"),
        ({"view": "sigmoid"}, "sigmoid view is for two classes, got 3"),
        ({"view": "identity"}, "does not fit classification; valid: softmax, sigmoid"),
        ({"view": "sofmax"}, "unknown view 'sofmax'; valid, nearest first: softmax"),
        ({"metric": "mse"}, "is not for classification"),
        ({"metric": Metric("m", lambda p, _: p, True), "direction": "lower"}, "own direction"),
        ({"model": "lenet5"}, "lenet5 needs images"),
        ({"model": MLP((), 2)}, r"outputs of shape \(2, 2\) for a batch of 2; expected \(2, 3\)"),
        ({"model": Wrong()}, r"'Wrong' does not take inputs of shape \(2, 4\) \(TypeError"),
        ({"model": Noisy()}, r"'Noisy' does not take .* \(2, 4\) in training \(InvalidRngError"),
        (
            {"model": trained_on(lambda seen: {"seen": seen + 0.5})},
            r"must renew .* \(\['seen'\]: int32\(\) becomes float32\(\)\)",
        ),
        ({"model": trained_on(lambda seen: {"seen": seen[None]})}, r"becomes int32\(1,\)"),
        ({"model": trained_on(lambda _: {})}, "int32.* becomes nothing"),
        ({"model": trained_on(lambda seen: {"seen": seen, "of": seen})}, "nothing becomes int32"),
        ({"model": trained_on(lambda seen: {"seen": [seen]})}, r"\['seen'\]\[0\]: nothing becomes"),
        (
            {"model": (begun, twice_in_training)},
            r"outputs of shape \(2, 6\) in training and of shape \(2, 3\) otherwise",
        ),
        ({"test": (TABLE[:5, :2], CLASSES[:5])}, "test inputs of shape"),
        ({"test": (TABLE[:1], np.array([9]))}, r"classes that training lacks: \['9'\]"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(InvalidInputError, match=message):
        small(**settings)


def test_parameters_need_not_be_handed_back_in_training():
    task = small(model=trained_on(lambda seen: {"seen": seen + 1}))
    assert task.train.inputs.shape == (36, 4)


def test_bad_values_are_refused_by_place():
    table = TABLE.copy()
    table[4, 2] = np.nan
    with pytest.raises(InvalidInputError, match="inputs: nan in data row 5, column 3"):
        supervised_task("bad", table, CLASSES, "classification")
    with pytest.raises(InvalidInputError, match=r"too few rows .*: 5; at least 10 are needed"):
        supervised_task("few", TABLE[:5], VALUES[:5], "regression")
    with pytest.raises(InvalidInputError, match="all alike in the training split"):
        supervised_task("alike", TABLE, np.stack([VALUES, 0 * VALUES], 1), "regression")
    with pytest.raises(InvalidInputError, match="at least 16x16 pixels, got 8x8"):
        supervised_task("tiny", np.ones((60, 8, 8)), CLASSES, "classification", model="lenet5")
