import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import datasets

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import BUNDLED_NAMES, TaskSettings, bundled_data, load_task

# Source: https://scikit-learn.org/stable/datasets/toy_dataset.html
SIZES = {
    "diabetes": (442, (10,), 0),
    "breast_cancer": (569, (30,), 2),
    "wine": (178, (13,), 3),
    "digits": (1797, (8, 8, 1), 10),
}


@pytest.mark.parametrize("name", BUNDLED_NAMES)
def test_bundled_tasks_have_the_documented_sizes(name):
    rows, shape, classes = SIZES[name]
    task = load_task(name)
    parts = [task.train, task.valid, task.test]
    assert sum(len(part.targets) for part in parts) == rows
    assert all(part.inputs.shape[1:] == shape for part in parts)
    assert len(task.class_names) == classes
    assert abs(len(task.train.targets) - 0.6 * rows) <= classes + 1


def test_bundled_classes_keep_their_names():
    raw = bundled_data("breast_cancer")
    assert raw.class_names == ("malignant", "benign")
    np.testing.assert_array_equal(raw.targets, datasets.load_breast_cancer(return_X_y=True)[1])
    with pytest.raises(InvalidInputError, match=r"unknown data set 'wines'; .* first: wine, "):
        bundled_data("wines")


def test_settings_reach_the_task(tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 3))
    path = tmp_path / "table.csv"
    np.savetxt(path, rows, delimiter=",", header="a,b,c", comments="")
    settings = TaskSettings(
        target="b",
        model="mlp:7",
        metric="pinball:0.9",
        train_fraction=0.5,
        valid_fraction=0.4,
        test_fraction=0.1,
        split_seed=3,
    )
    task = load_task(str(path), settings)
    assert (task.name, task.model.name, task.metric.name) == ("table", "mlp:7", "pinball:0.9")
    assert [len(part.targets) for part in (task.train, task.valid, task.test)] == [25, 20, 5]
    assert task.train.inputs.shape == (25, 2)
    other = load_task(str(path), TaskSettings(target="b", split_seed=4))
    assert not np.array_equal(task.test.targets[0], other.test.targets[0])


def test_noise_is_added_to_training_and_never_to_the_test_split():
    clean, spoilt = (
        load_task("diabetes", TaskSettings(outliers=rate, outlier_scale=3.0)) for rate in (0.0, 0.2)
    )
    changed = np.mean(np.asarray(clean.train.targets) != np.asarray(spoilt.train.targets))
    np.testing.assert_allclose(changed, 0.2, atol=0.01)
    np.testing.assert_array_equal(clean.test.targets, spoilt.test.targets)
    clean, spoilt = (load_task("wine", TaskSettings(label_noise=rate)) for rate in (0.0, 0.3))
    changed = np.mean(np.asarray(clean.train.targets) != np.asarray(spoilt.train.targets))
    np.testing.assert_allclose(changed, 0.3, atol=0.15)
    np.testing.assert_array_equal(clean.test.targets, spoilt.test.targets)


def test_wine_can_be_learned_by_its_own_task_loss():
    task = load_task("wine", TaskSettings(model="linear"))
    variables = task.model.init(jax.random.key(0), task.train.inputs)

    def loss(params):
        outputs, _ = task.model.apply({"params": params}, task.train.inputs, True, None)
        return jnp.mean(task.task_loss(outputs, task.train.targets))

    @jax.jit
    def trained(params):
        def step(params, _):
            descend = jax.tree.map(lambda p, g: p - 0.5 * g, params, jax.grad(loss)(params))
            return descend, None

        return jax.lax.scan(step, params, length=200)[0]

    outputs, _ = task.model.apply(
        {"params": trained(variables["params"])}, task.test.inputs, False, None
    )
    assert float(task.metric.function(task.predictions(outputs), task.test.targets)) < 0.1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train_fraction": 0.9}, "sum to .*, at most 1"),
        ({"outliers": 1.0}, "outliers must be at least 0 and below 1, got 1.0"),
        ({"label_noise": -0.1}, "label_noise must be at least 0"),
        ({"outlier_scale": 0.0}, "outlier_scale must be above 0"),
        ({"split_seed": -2}, "seed must be 0 or more"),
    ],
)
def test_bad_settings_are_refused_at_construction(values, message):
    with pytest.raises(InvalidInputError, match=message):
        TaskSettings(**values)


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        ("wines", {}, "unknown task 'wines'; valid, nearest first: wine, .*; or a path"),
        ("data.txt", {}, "unknown kind of file '.txt'"),
        ("no/such.csv", {}, "no file no/such.csv"),
        ("wine", {"target": "y"}, "'wine' has its own target"),
        ("wine", {"outliers": 0.1}, "outliers are for regression"),
        ("diabetes", {"label_noise": 0.1}, "label noise is for classification"),
        ("digits", {"model": "lenet5"}, "at least 16x16 pixels, got 8x8"),
        ("diabetes", {"metric": "auroc"}, "is not for regression"),
    ],
)
def test_what_cannot_be_loaded_is_refused(spec, settings, message):
    with pytest.raises(InvalidInputError, match=message):
        load_task(spec, TaskSettings(**settings))
