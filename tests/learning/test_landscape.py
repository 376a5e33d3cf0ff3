from functools import lru_cache, partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.keys import named_key
from jaxloss.learning.inner import mean_loss, targets_of
from jaxloss.learning.landscape import (
    LandscapeSettings,
    centre_of,
    filter_normalised,
    loss_landscape,
    loss_lines,
    prepare_landscape,
    rises,
)
from jaxloss.losses import LearnedLoss, ZooForm
from jaxloss.models import from_functions, from_linen
from jaxloss.models.model import Variables
from jaxloss.tasks import SupervisedTask, TaskSettings, load_task, supervised_task
from jaxloss.tasks.task import PlayedTask

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
CLASSES = (INPUTS @ np.array([1.0, -1.0, 2.0]) > 0.3).astype(int) + (INPUTS[:, 0] > 1)
KEY = jax.random.key(3)
FEW = LandscapeSettings(points=3, extent=0.8, lines=3)
CROSS_ENTROPY, MAE = (
    LearnedLoss(ZooForm(name, "softmax"), (), "softmax") for name in ("cross_entropy", "mae")
)
TRACES = {"loss": 0}


def counted(outputs: Any, targets: Any) -> Any:
    TRACES["loss"] += 1
    return CROSS_ENTROPY(outputs, targets)


LOSSES = (counted, MAE)


class Normalised(nn.Module):
    @nn.compact
    def __call__(self, inputs: Any, train: bool) -> Any:
        hidden = nn.Dense(6)(inputs)
        hidden = nn.BatchNorm(use_running_average=not train)(hidden)
        return nn.Dense(3)(nn.relu(hidden))


def task_with(model: Any) -> SupervisedTask:
    return supervised_task("toy", INPUTS, CLASSES, "classification", model=model)


TASK = task_with(from_linen(Normalised(), "normalised"))


@lru_cache(maxsize=2)
def network(seed: int) -> Variables:
    """Draws a network whose statistics are not those of its batches."""
    variables = TASK.model.init(jax.random.key(seed), TASK.train.inputs[:1])
    own = {"mean": jnp.linspace(-0.2, 0.4, 6), "var": jnp.linspace(0.5, 2.0, 6)}
    return {**variables, "batch_stats": {"BatchNorm_0": own}}


@partial(jax.jit, static_argnames="networks")
def moved(variables: Variables, number: int, x: float, y: float, networks: int = 1) -> Variables:
    """Follows the directions of a number and the next one by hand, in each of stacked networks."""

    def drawn(key: Any) -> Any:
        if networks == 1:
            return filter_normalised(key, variables["params"])
        each = [
            filter_normalised(own, jax.tree.map(lambda leaf, place=place: leaf[place], variables))
            for place, own in enumerate(jax.random.split(key, networks))
        ]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)["params"]

    first, second = (drawn(direction_key(number + one)) for one in range(2))
    params = jax.tree.map(lambda p, a, b: p + x * a + y * b, variables["params"], first, second)
    return {**variables, "params": params}


def direction_key(number: Any) -> Any:
    return jax.random.fold_in(named_key(KEY, "directions"), number)


@jax.jit
def scored(variables: Variables) -> tuple[Any, Any]:
    outputs, _ = TASK.model.apply(variables, TASK.train.inputs, False, None)
    values = [jnp.mean(loss(outputs, TASK.train.targets)) for loss in (CROSS_ENTROPY, MAE)]
    outputs, _ = TASK.model.apply(variables, TASK.valid.inputs, False, None)
    wrong = jnp.argmax(outputs, axis=-1) != TASK.valid.targets
    return jnp.stack(values), jnp.mean(wrong)


def test_every_point_of_a_plane_is_the_network_there_scored_directly():
    plane = loss_landscape(KEY, TASK, LOSSES, network(0), FEW)
    np.testing.assert_allclose(plane.places, [-0.8, 0.0, 0.8])
    for i, x in enumerate(plane.places):
        for j, y in enumerate(plane.places):
            values, metric = scored(moved(network(0), 0, x, y))
            np.testing.assert_allclose(plane.losses[:, i, j], values, rtol=1e-4)
            np.testing.assert_allclose(plane.metric[i, j], metric, rtol=1e-6)
    assert len(np.unique(plane.losses[0])) == 9


def test_a_played_task_is_sliced_with_its_own_targets_and_score():
    task = load_task("rl:tabular:horizon=3:episodes=30", TaskSettings(model="linear"))
    assert isinstance(task, PlayedTask)
    loss = LearnedLoss(ZooForm("mae", "identity"), (), "identity")
    variables = jax.jit(task.model.init)(jax.random.key(0), task.train.inputs[:1])
    variables = jax.tree.map(lambda leaf: leaf + 0.3, variables)
    plane = loss_landscape(KEY, task, [loss], variables, FEW)

    @jax.jit
    def expected(x: Any, y: Any) -> Any:
        there = moved(variables, 0, x, y, networks=3)
        outputs, _ = task.model.apply(there, task.train.inputs, False, None)
        targets = targets_of(task.model, there, task.train)
        return jnp.mean(loss(outputs, targets)), task.score(there, task.valid)

    for i, x in enumerate(plane.places):
        for j, y in enumerate(plane.places):
            value, score = expected(x, y)
            np.testing.assert_allclose(plane.losses[0, i, j], value, rtol=1e-4)
            np.testing.assert_allclose(plane.metric[i, j], score, rtol=1e-4)
    assert len(np.unique(plane.metric)) > 1


def test_lines_go_along_the_planes_directions_and_further_ones():
    lines = loss_lines(KEY, TASK, LOSSES, network(0), FEW)
    plane = loss_landscape(KEY, TASK, LOSSES, network(0), FEW)
    assert lines.losses.shape == (2, 3, 3)
    assert lines.metric.shape == (3, 3)
    np.testing.assert_allclose(lines.losses[:, 0], plane.losses[:, :, 1], rtol=1e-5)
    np.testing.assert_allclose(lines.losses[:, 1], plane.losses[:, 1, :], rtol=1e-5)
    np.testing.assert_allclose(lines.metric[:2], [plane.metric[:, 1], plane.metric[1]])
    values, metric = scored(moved(network(0), 2, -0.8, 0.0))
    np.testing.assert_allclose(lines.losses[:, 2, 0], values, rtol=1e-4)
    np.testing.assert_allclose(lines.metric[2, 0], metric, rtol=1e-6)


def test_the_centre_is_the_network_itself():
    losses, metric = centre_of(TASK, LOSSES, network(0))
    values, expected = scored(network(0))
    np.testing.assert_allclose(losses, values, rtol=1e-5)
    assert metric == pytest.approx(expected)


def test_one_program_serves_all_points_networks_and_keys():
    prepare_landscape(TASK, LOSSES, network(0))
    before = TRACES["loss"]
    assert before > 0
    for points in (2, 5, 9):
        settings = LandscapeSettings(points=points, lines=4)
        loss_landscape(jax.random.key(points), TASK, LOSSES, network(1), settings)
        loss_lines(jax.random.key(points), TASK, LOSSES, network(1), settings)
    assert TRACES["loss"] == before


def test_filters_of_a_direction_are_as_long_as_those_of_the_parameters():
    params = {
        "dense": {"kernel": jnp.asarray(GENERATOR.normal(size=(5, 4))), "bias": jnp.ones(4)},
        "conv": {"kernel": jnp.asarray(GENERATOR.normal(size=(3, 3, 2, 4)))},
        "scale": jnp.ones(()),
    }
    params["dense"]["kernel"] = params["dense"]["kernel"].at[:, 2].set(0.0)
    move = filter_normalised(KEY, params)
    for name in ("dense", "conv"):
        drawn, own = (np.asarray(tree[name]["kernel"]).reshape(-1, 4) for tree in (move, params))
        np.testing.assert_allclose(
            np.linalg.norm(drawn, axis=0), np.linalg.norm(own, axis=0), rtol=1e-5
        )
        assert not np.allclose(drawn, own)
    assert not np.any(move["dense"]["bias"])
    assert move["scale"] == 0.0


def test_rescaling_relu_layers_leaves_the_landscape_as_it_is():
    task = task_with("mlp:5-4")
    variables = task.model.init(jax.random.key(1), task.train.inputs[:1])
    plain = jax.tree.map(lambda leaf: leaf if leaf.ndim > 1 else leaf + 1, variables["params"])
    first, second = plain["Dense_0"], plain["Dense_1"]
    scaled = {
        **plain,
        "Dense_0": {"kernel": 8 * first["kernel"], "bias": 8 * first["bias"]},
        "Dense_1": {"kernel": second["kernel"] / 8, "bias": second["bias"]},
    }
    one, other = (
        loss_landscape(KEY, task, [CROSS_ENTROPY], {"params": own}, FEW) for own in (plain, scaled)
    )
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4)
    np.testing.assert_array_equal(one.metric, other.metric)
    assert np.ptp(one.losses) > 0.1


def test_each_of_stacked_networks_may_be_rescaled_alone():
    task = load_task("rl:tabular:horizon=3:episodes=30", TaskSettings(model="mlp:4"))
    loss = LearnedLoss(ZooForm("mse", "identity"), (), "identity")
    params = jax.jit(task.model.init)(jax.random.key(0), task.train.inputs[:1])["params"]
    # Were biases to move, they would move the more the larger they are.
    plain = jax.tree.map(lambda leaf: leaf if leaf.ndim > 2 else leaf + 0.1, params)
    first, second = plain["Dense_0"], plain["Dense_1"]
    factor = jnp.array([1.0, 8.0, 1.0])
    scaled = {
        "Dense_0": {
            "kernel": factor[:, None, None] * first["kernel"],
            "bias": factor[:, None] * first["bias"],
        },
        "Dense_1": {**second, "kernel": second["kernel"] / factor[:, None, None]},
    }
    one, other = (
        loss_landscape(KEY, task, [loss], {"params": own}, FEW) for own in (plain, scaled)
    )
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4)
    assert np.ptp(one.losses) > 0.1


def test_a_quadratic_is_cut_in_its_parabola():
    start = jnp.array([[0.5], [-1.0], [0.25]])
    model = from_functions(lambda *_: start, lambda params, inputs: inputs @ params, "linear")
    task = supervised_task("toy", INPUTS, INPUTS[:, 0], "regression", model=model)
    mse = LearnedLoss(ZooForm("mse", "identity"), (), "identity")
    variables = model.init(KEY, task.train.inputs[:1])
    settings = LandscapeSettings(points=5, extent=2.0, lines=2)
    lines = loss_lines(KEY, task, [mse], variables, settings)
    inputs, targets = (np.asarray(part, float) for part in task.train)
    for number in range(2):
        move = filter_normalised(direction_key(number), variables["params"])
        slopes, rest = inputs @ np.asarray(move, float), inputs @ np.asarray(start, float)
        rest = rest[:, 0] - targets
        square, linear = np.mean(slopes**2), 2 * np.mean(slopes[:, 0] * rest)
        expected = square * lines.places**2 + linear * lines.places + np.mean(rest**2)
        np.testing.assert_allclose(lines.losses[0, number], expected, rtol=1e-5)


def test_rises_are_means_of_both_sides():
    places, values = np.array([-1.0, 0.0, 1.0]), np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    np.testing.assert_allclose(rises(places, values, 1.0, 1.0), [1.5, -0.5])
    np.testing.assert_allclose(rises(places, values, 1.0, 0.5), [0.75, -0.25])


def test_a_mean_in_blocks_is_the_mean_of_all():
    split, model = TASK.train, TASK.model
    assert len(split.inputs) % 5

    def in_blocks(params: Any) -> Any:
        return mean_loss(model, CROSS_ENTROPY, {**network(0), "params": params}, split, at_once=5)

    def at_once(params: Any) -> Any:
        outputs, _ = model.apply({**network(0), "params": params}, split.inputs, False, None)
        return jnp.mean(CROSS_ENTROPY(outputs, split.targets))

    params = network(0)["params"]
    own, whole = (jax.jit(jax.value_and_grad(one))(params) for one in (in_blocks, at_once))
    for part, other in zip(jax.tree.leaves(own), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points": 1}, "points must be 2 or more, got 1"),
        ({"extent": 0.0}, "extent must be above 0 and finite, got 0.0"),
        ({"extent": float("nan")}, "extent must be above 0 and finite, got nan"),
        ({"extent": float("inf")}, "extent must be above 0 and finite, got inf"),
        ({"lines": 0}, "lines must be 1 or more, got 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        LandscapeSettings(**settings)


def test_what_cannot_be_sliced_is_refused():
    with pytest.raises(InvalidInputError, match="no filters to move"):
        filter_normalised(KEY, {"bias": jnp.ones(3)})
    with pytest.raises(InvalidInputError, match="expected at least one loss"):
        loss_landscape(KEY, TASK, [], network(0), FEW)
