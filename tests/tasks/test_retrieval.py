"""The task of retrieval: its splits, its network with anchors, what it refuses, and searches."""

import dataclasses
import itertools
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import BaseOptimizerSettings, predict, train
from jaxloss.learning.sizes import element_count
from jaxloss.losses import zoo
from jaxloss.tasks import (
    Metric,
    RetrievalSettings,
    RetrievalTask,
    Split,
    SplitSettings,
    SupervisedTask,
    Task,
    TaskSettings,
    load_task,
    retrieval_task,
    supervised_task,
)


@cache
def clouds(classes: int = 3, rows: int = 120) -> SupervisedTask:
    generator = np.random.default_rng(0)
    targets = np.arange(rows) % classes
    inputs = generator.normal(size=(classes, 4))[targets] + 0.7 * generator.normal(size=(rows, 4))
    return supervised_task("clouds", inputs, targets, "classification", model="linear")


@cache
def small() -> RetrievalTask:
    return retrieval_task(clouds(), model="linear", settings=RetrievalSettings(features=3))


def test_a_retrieval_task_is_a_task_of_distances_to_anchors():
    task = small()
    assert isinstance(task, Task)
    assert (task.name, task.model.name, task.view.name) == ("retrieval:clouds", "linear", "anchors")
    assert (task.metric.name, task.metric.higher_is_better) == ("map", True)
    assert task.task_loss_name == "cam"
    assert element_count(task) == 3
    assert load_task("retrieval:wine").train.inputs.shape[1:] == (13,)


def test_outputs_are_the_embedding_and_the_anchors_which_start_without_repulsion():
    task = small()
    variables = task.model.init(jax.random.key(0), task.train.inputs[:1])
    anchors = variables["params"]["anchors"]
    # By hand: scaled basis vectors of norm 2 sqrt(2), which are 4 = 2m apart.
    np.testing.assert_allclose(anchors, np.sqrt(8.0) * np.eye(3), rtol=2e-6)
    assert float(zoo.repeller(anchors)) == 0.0
    outputs, _ = task.model.apply(variables, task.train.inputs[:5], False, None)
    assert outputs.shape == (5, 4, 3)
    for example in outputs[:, 1:]:
        np.testing.assert_array_equal(example, anchors)
    kernel = variables["params"]["network"]
    moved = {**variables, "params": {"network": kernel, "anchors": anchors + 1.0}}
    shifted, _ = task.model.apply(moved, task.train.inputs[:5], False, None)
    np.testing.assert_array_equal(shifted[:, 0], outputs[:, 0])
    np.testing.assert_allclose(shifted[:, 1:], outputs[:, 1:] + 1.0, rtol=1e-6)


@pytest.mark.parametrize("margin", [2.0, 0.3, 7.1])
def test_the_repulsion_of_basis_vectors_is_exactly_zero(margin: float):
    anchors = zoo.initial_anchors(10, 12, margin)
    repulsion, slope = jax.value_and_grad(zoo.repeller)(anchors, margin)
    assert float(repulsion) == 0.0
    np.testing.assert_array_equal(slope, 0.0)
    assert float(zoo.repeller(anchors, 1.001 * margin)) > 0


# By hand, m = 2, p = 1: the embedding lies at a distance of 5 from its anchor; the anchors are 3
# apart and so 1 too near, counted in both orders, and the one at 0 is 1 too short.
def test_the_task_loss_is_class_anchor_margin():
    outputs = jnp.asarray([[[3.0, 4.0], [0.0, 0.0], [3.0, 0.0]]])
    expected = 0.5 * 25 + 0.5 * (1 + 1) + 0.5 * 1
    np.testing.assert_allclose(small().task_loss(outputs, jnp.asarray([0])), [expected])
    assert small().predictions(outputs) is outputs


HARD = (0.0, 1e-20, 1.0, -3.0, 1e4)


def test_the_task_loss_has_finite_first_and_mixed_derivatives():
    embeddings = jnp.asarray(list(itertools.product(HARD, repeat=2)))
    anchors = jnp.asarray([[0.0, 0.0], [1.0, 1.0], [1e4, -3.0]])
    shape = (len(embeddings), *anchors.shape)
    outputs = jnp.concatenate([embeddings[:, None], jnp.broadcast_to(anchors, shape)], 1)
    targets = jnp.arange(len(embeddings)) % 3

    def weighted(weights, outputs):
        d, y = small().view.see(outputs, targets)
        seen = weights[0] * jnp.sum(d * y) + weights[1] * jnp.sum(jnp.square(d))
        return seen + jnp.sum(weights[2] * small().task_loss(outputs, targets))

    slope, mixed = jax.jit(
        lambda weights: (
            jax.grad(weighted, 1)(weights, outputs),
            jax.jacfwd(jax.grad(weighted, 1))(weights, outputs),
        )
    )(jnp.ones(3))
    for found in (slope, mixed):
        assert np.all(np.isfinite(found))
    assert np.all(np.any(mixed != 0, axis=(0, 1, 2)))


def test_training_moves_the_anchors_and_brings_classes_together():
    task = small()
    start = task.model.init(jax.random.key(0), task.train.inputs[:1])

    @jax.jit
    def scores(key):
        optimizer = BaseOptimizerSettings(learning_rate=0.02)
        trained, _ = train(key, task.model, optimizer, task.task_loss, task.train, 100)
        moved = trained["params"]["anchors"] - start["params"]["anchors"]
        found = [
            task.metric.function(
                task.predictions(predict(task.model, one, task.test.inputs)), task.test.targets
            )
            for one in (start, trained)
        ]
        return *found, jnp.max(jnp.abs(moved))

    before, after, moved = scores(jax.random.key(0))
    assert after > before + 0.1
    assert moved > 0.1


def classes_of(split: Split) -> set[int]:
    return set(np.asarray(split.targets).tolist())


def test_unseen_classes_are_nowhere_but_in_the_test_split():
    source = clouds(classes=5, rows=200)
    unseen = retrieval_task(source, model="linear", settings=RetrievalSettings(unseen=2))
    seen = retrieval_task(source, model="linear", settings=RetrievalSettings(unseen=2, test="seen"))
    for task in (unseen, seen):
        assert classes_of(task.train) == classes_of(task.valid) == {0, 1, 2}
        assert sorted(task.class_names) == sorted(source.class_names)
        assert task.model.init(jax.random.key(0), task.train.inputs[:1])["params"][
            "anchors"
        ].shape == (3, 16)
    assert (classes_of(unseen.test), classes_of(seen.test)) == ({3, 4}, {0, 1, 2})
    # All 40 rows of both classes are tested; none of them has a share in the scale of the inputs.
    assert len(unseen.test.targets) == 80
    np.testing.assert_array_equal(unseen.train.inputs, seen.train.inputs)
    np.testing.assert_allclose(np.mean(unseen.train.inputs, 0), 0, atol=1e-5)
    np.testing.assert_allclose(np.std(unseen.train.inputs, 0), 1, atol=1e-4)
    other = retrieval_task(source, model="linear", settings=RetrievalSettings(unseen=2), seed=5)
    assert other.class_names[3:] != unseen.class_names[3:]


def test_options_follow_the_name_of_the_data():
    task = load_task("retrieval:digits:unseen=3:features=12", TaskSettings(metric="recall@5"))
    assert isinstance(task, RetrievalTask)
    assert (task.name, task.features, task.unseen) == (
        "retrieval:digits:unseen=3:features=12",
        12,
        3,
    )
    assert task.metric.name == "recall@5"


def test_an_own_metric_may_have_any_name():
    source = load_task("wine", TaskSettings(model="linear"))
    assert isinstance(source, SupervisedTask)
    for name in ("recall of twins", "recall@500"):
        mine = Metric(name, lambda predictions, _: jnp.mean(predictions), True)
        assert retrieval_task(source, model="linear", metric=mine).metric is mine


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        ("retrieval:diabetes", {}, "needs classes, and 'diabetes' is a task of regression"),
        ("retrieval:", {}, "names no data; write for instance retrieval:digits"),
        ("retrieval:wines", {}, "unknown task 'wines'; .*: wine,"),
        ("retrieval:wine:unsen=2", {}, "unknown option of retrieval:wine 'unsen'; .*: unseen"),
        ("retrieval:wine:unseen=x", {}, "unseen must be a whole number, got 'x'"),
        ("retrieval:wine:unseen=1:unseen=2", {}, "gives 'unseen' twice"),
        ("retrieval:wine:unseen=1", {}, "one unseen class whatever is found is right"),
        ("retrieval:wine:unseen=2", {}, "with 2 unseen, 1 are left"),
        ("retrieval:digits:unseen=3", {"label_noise": 0.4}, "with unseen classes neither"),
        (
            "retrieval:digits:unseen=3:test=seen",
            {"imbalance": 10.0},
            "with unseen classes neither label_noise nor imbalance can be asked for",
        ),
        ("retrieval:wine:test=seen", {}, "test=seen needs unseen classes"),
        ("retrieval:digits:unseen=2:test=sen", {}, "unknown test 'sen'; .*: seen"),
        ("retrieval:digits:features=9", {}, "each of the 10 classes .* got features=9"),
        ("retrieval:wine:features=0", {}, "features must be 1 or more, got 0"),
        ("retrieval:wine", {"metric": "recall@36"}, "valid split has only 35; choose a smaller K"),
        ("retrieval:wine", {"metric": "recall@x"}, "whole number above 0 after '@'"),
        ("retrieval:wine", {"metric": "recall"}, "whole number above 0 after '@'"),
        ("retrieval:wine", {"metric": "map:three_stage"}, "'map:two_stage'"),
        ("retrieval:wine", {"metric": "mse"}, "is not for retrieval; valid.*: map|recall"),
        ("retrieval:wine", {"metric": "mapp"}, "is unknown; for retrieval; .*: map"),
        (
            "retrieval:wine",
            {"metric": "map", "metric_direction": "lower"},
            "knows its own direction",
        ),
        ("retrieval:wine", {"task_loss": "huber"}, "huber cannot train a task of view anchors"),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_training(
    spec: str, settings: dict[str, Any], message: str
):
    with pytest.raises(InvalidInputError, match=message):
        load_task(spec, TaskSettings(**settings))


def test_classes_without_a_pair_are_refused():
    targets = np.array([0] * 20 + [1] * 20 + [2] * 3)
    inputs = np.random.default_rng(0).normal(size=(43, 2))
    lonely = supervised_task(
        *("lonely", inputs, targets, "classification"), model="linear", split=SplitSettings()
    )
    with pytest.raises(InvalidInputError, match="class '2' has one example in the train split"):
        retrieval_task(lonely, model="linear")
    two = dataclasses.replace(clouds(), class_names=("0", "1", "2", "nobody"))
    with pytest.raises(InvalidInputError, match="class 'nobody' is empty in the train split"):
        retrieval_task(two, model="linear")
