from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import datasets

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import (
    BUNDLED_NAMES,
    TaskSettings,
    bundled_data,
    load_supervised_task,
    load_task,
    load_tasks,
    require_alike,
    with_imbalance,
    with_label_noise,
)

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
    task = load_supervised_task(name)
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


def changed_fractions(spec: str, **settings: Any) -> list[float]:
    clean, spoilt = (load_task(spec, TaskSettings(**one)) for one in ({}, settings))
    pairs = [(getattr(clean, name), getattr(spoilt, name)) for name in ("train", "valid", "test")]
    return [float(np.mean(np.asarray(a.targets) != np.asarray(b.targets))) for a, b in pairs]


@pytest.mark.parametrize(
    ("spec", "settings", "tolerance"),
    [
        ("diabetes", {"outliers": 0.2, "outlier_scale": 3.0}, 0.01),
        ("digits", {"label_noise": 0.3}, 0.06),
        ("digits", {"label_noise": 0.3, "label_noise_kind": "pair_flip"}, 0.06),
    ],
)
def test_noise_is_added_to_train_and_valid_and_never_to_test(spec, settings, tolerance):
    rate = settings.get("outliers", 0.3)
    *spoilt, test = changed_fractions(spec, **settings)
    np.testing.assert_allclose(spoilt, rate, atol=tolerance)
    assert test == 0
    train, valid, test = changed_fractions(
        spec, **settings, outlier_splits="train", noise_splits="train"
    )
    assert train > 0
    assert (valid, test) == (0, 0)


def test_pair_flips_go_to_the_next_class():
    clean, flipped = (
        load_task("digits", TaskSettings(label_noise=rate, label_noise_kind="pair_flip"))
        for rate in (0.0, 0.4)
    )
    shifts = (np.asarray(flipped.valid.targets) - np.asarray(clean.valid.targets)) % 10
    assert set(shifts) == {0, 1}


def test_classes_become_rare_before_labels_become_wrong():
    settings = TaskSettings(imbalance=20.0, label_noise=0.4)
    task, clean = load_supervised_task("digits", settings), load_supervised_task("digits")
    key = jax.random.key(settings.split_seed)
    rare = with_imbalance(jax.random.fold_in(key, 2), clean, 20.0)
    expected = with_label_noise(jax.random.fold_in(key, 1), rare, 0.4)
    for name in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(task, name).targets, getattr(expected, name).targets)
    assert len(task.train.targets) < len(clean.train.targets) / 2


def test_several_tasks_and_models_give_their_product_tasks_outside():
    settings = TaskSettings(model="mlp:3,linear", split_seed=2)
    tasks = load_tasks("wine, breast_cancer", settings)
    assert [(task.name, task.model.name) for task in tasks] == [
        ("wine", "mlp:3"),
        ("wine", "linear"),
        ("breast_cancer", "mlp:3"),
        ("breast_cancer", "linear"),
    ]
    alone = load_task("wine", TaskSettings(model="linear", split_seed=2))
    np.testing.assert_array_equal(tasks[1].train.inputs, alone.train.inputs)
    assert tasks[0].train.inputs is tasks[1].train.inputs
    assert [task.name for task in load_tasks("wine")] == ["wine"]


@pytest.mark.parametrize(("spec", "own"), [("saliency", "fcn"), ("detection", "detector")])
@pytest.mark.parametrize("order", [1, -1])
def test_the_default_network_stands_for_that_of_the_family(spec: str, own: str, order: int):
    texts = ["mlp:50-50", f"{own}:4"][::order]
    tasks = load_tasks(f"{spec}:scenes:count=60:side=16", TaskSettings(model=",".join(texts)))
    assert [task.model.name for task in tasks] == [own, f"{own}:4"][::order]


def test_tasks_of_different_views_are_refused():
    with pytest.raises(
        InvalidInputError, match="'wine' shows 'softmax', but 'diabetes' shows 'identity'"
    ):
        load_tasks("wine,diabetes", TaskSettings(model="linear"))
    with pytest.raises(InvalidInputError, match="at least one task"):
        require_alike(())


def test_tasks_of_different_metrics_are_refused():
    with pytest.raises(InvalidInputError, match="'diabetes' has mse, but 'pde:regression' has rel"):
        load_tasks("diabetes,pde:regression", TaskSettings(model="mlp:3"))


@pytest.mark.parametrize(
    ("spec", "model", "message"),
    [
        ("wine,,digits", "linear", "task 'wine,,digits': expected names joined by single commas"),
        ("wine", "linear,", "model 'linear,': expected names joined"),
        ("wine,wines", "linear", "unknown task 'wines'"),
        ("wine", "linear,lenet5", "lenet5 needs images"),
        ("pde:burgers", "mlp:4,linear", "trains a perceptron with tanh"),
        ("rl:tabular", "linear,lenet5", "a network that is linear or mlp"),
        ("saliency:scenes", "fcn:2,linear", "a logit for each pixel"),
        ("detection:scenes", "detector:2,linear", "'linear' is no detector"),
    ],
)
def test_lists_with_a_wrong_name_are_refused(spec, model, message):
    with pytest.raises(InvalidInputError, match=message):
        load_tasks(spec, TaskSettings(model=model))


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
        ({"label_noise": 1.1}, "label_noise must be at least 0 and at most 1, got 1.1"),
        ({"imbalance": 0.5}, "imbalance must be 1 or more, got 0.5"),
        ({"imbalance": float("inf")}, "imbalance must be 1 or more, got inf"),
        ({"label_noise_kind": "pair"}, "unknown label_noise_kind 'pair'; .*first: pair_flip"),
        ({"noise_splits": "valid"}, "unknown noise_splits 'valid'"),
        ({"outlier_splits": "test"}, "unknown outlier_splits 'test'"),
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
        ("boxes", {"outliers": 0.1}, "outliers are for regression"),
        ("diabetes", {"imbalance": 2.0}, "imbalance is for classification"),
        ("wine,digits", {}, "task 'wine,digits' has a comma.* with load_tasks"),
        ("wine", {"model": "mlp:3,linear"}, "model 'mlp:3,linear' has a comma.* with load_tasks"),
        ("box", {}, "unknown task 'box'; valid, nearest first: boxes"),
        ("digits", {"model": "lenet5"}, "at least 16x16 pixels, got 8x8"),
        ("diabetes", {"metric": "auroc"}, "is not for regression"),
    ],
)
def test_what_cannot_be_loaded_is_refused(spec, settings, message):
    with pytest.raises(InvalidInputError, match=message):
        load_task(spec, TaskSettings(**settings))
