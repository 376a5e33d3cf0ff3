from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.filters import (
    RejectionSettings,
    empty_archive,
    gradient_norms,
    improvement,
    look_alike,
    look_up,
    record,
)
from jaxloss.losses import LearnedLoss, TreeForm
from jaxloss.losses.views import per_example
from jaxloss.symbols import parse
from jaxloss.tasks import SupervisedTask, supervised_task

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 4))
SCORES = INPUTS @ np.array([1.0, -1.0, 0.5, 2.0])


@pytest.fixture(scope="module", params=["classification", "regression"])
def task(request: pytest.FixtureRequest) -> SupervisedTask:
    targets = SCORES if request.param == "regression" else np.digitize(SCORES, [-1, 1])
    return supervised_task("toy", INPUTS, targets, request.param, model="linear")


@pytest.fixture(scope="module")
def outputs(task: SupervisedTask) -> Any:
    variables = task.model.init(jax.random.key(0), task.train.inputs)
    return task.model.apply(variables, task.train.inputs, False, None)[0]


def formula(text: str, task: SupervisedTask) -> LearnedLoss:
    tree = parse(text)
    return LearnedLoss(TreeForm(tree), (1.0,) * (tree.size - 1), task.view.name)


def gain(task: SupervisedTask, outputs: Any, loss: Callable, steps: int = 150) -> float:
    settings = RejectionSettings(steps=steps)
    return float(improvement(task, settings, loss, outputs, task.train.targets))


def usual(task: SupervisedTask) -> str:
    return "-y*log(f)" if task.kind == "classification" else "(f - y)**2"


def test_usual_losses_improve_the_metric_and_their_negations_do_not(task: SupervisedTask, outputs):
    assert gain(task, outputs, task.task_loss) > 0
    assert gain(task, outputs, formula(usual(task), task)) > 0
    assert gain(task, outputs, formula(f"0 - ({usual(task)})", task)) <= 0


@pytest.mark.parametrize("text", ["1", "y", "sign(f)", "log(y) * tanh(y)"])
def test_losses_without_a_slope_gain_nothing(task: SupervisedTask, outputs: Any, text: str):
    assert gain(task, outputs, formula(text, task), steps=20) == 0.0


def test_a_gain_that_is_not_a_number_is_minus_infinity(task: SupervisedTask, outputs: Any):
    def broken(outputs: Any, targets: Any) -> Any:
        return task.task_loss(outputs, targets) * jnp.nan

    assert gain(task, outputs, broken, steps=20) == -np.inf
    assert gain(task, outputs * jnp.nan, task.task_loss, steps=20) == -np.inf


def test_where_the_metric_is_blind_the_task_loss_judges():
    # All of one class: there is no pair whose order an AUROC could tell.
    rare = np.arange(60) >= 57
    task = supervised_task("rare", INPUTS, rare, "classification", model="linear", metric="auroc")
    rows = np.flatnonzero(np.asarray(task.train.targets) == 0)[:20]
    targets = task.train.targets[rows]
    variables = task.model.init(jax.random.key(0), task.train.inputs)
    outputs = task.model.apply(variables, task.train.inputs[rows], False, None)[0]
    assert np.isnan(task.metric.function(task.predictions(outputs), targets))

    def gained(sign: float) -> float:
        def loss(outputs: Any, targets: Any) -> Any:
            return sign * task.task_loss(outputs, targets)

        return float(improvement(task, RejectionSettings(steps=20), loss, outputs, targets))

    assert gained(1.0) > 0
    assert gained(-1.0) < 0
    assert gained(np.nan) == -np.inf


def test_the_gain_is_the_metric_before_minus_after():
    # |f - y| under Adam moves each output by the step size towards its target.
    targets = np.arange(40.0)
    task = supervised_task("toy", INPUTS[:40], targets, "regression", model="linear", metric="mae")
    known = jnp.array([5.0, -5.0, 8.0, 0.0])
    settings = RejectionSettings(steps=10, learning_rate=0.01)

    def distance(outputs: Any, targets: Any) -> Any:
        return jnp.abs(outputs[:, 0] - targets)

    found = improvement(task, settings, distance, known[:, None] + 3.0, known)
    np.testing.assert_allclose(found, 0.1, rtol=1e-3)


def test_gradient_norms_are_per_example(task: SupervisedTask, outputs: Any):
    def weighted(outputs: Any, targets: Any) -> Any:
        scale = jnp.arange(1.0, outputs.shape[0] + 1)
        return scale * per_example(jnp.square(outputs)) + jnp.zeros(targets.shape[0])

    norms = gradient_norms(weighted, outputs, task.train.targets)
    numbers = np.arange(1.0, len(outputs) + 1)
    np.testing.assert_allclose(
        norms, 2 * numbers * np.linalg.norm(np.asarray(outputs), axis=1), rtol=1e-5
    )


HASHES = np.array([[1, 2], [1, 3], [2, 2]], np.uint32)


def test_the_archive_finds_what_was_recorded():
    archive = empty_archive(5, 2)
    assert look_up(archive, HASHES) == [None, None, None]
    norms = np.array([[1.0, 2.0], [np.nan, np.nan]], np.float32)
    archive = record(archive, HASHES[:2], np.array([0.5, np.inf]), norms)
    assert int(archive.rows) == 2
    assert look_up(archive, HASHES) == [0, 1, None]
    archive = record(archive, HASHES[2:], np.array([0.25]), np.array([[5.0, 5.0]]))
    assert look_up(archive, HASHES[::-1]) == [2, 1, 0]
    np.testing.assert_array_equal(archive.fitness[:3], [0.5, np.inf, 0.25])
    # The hash of an empty row is not a known tree.
    assert look_up(archive, np.zeros((1, 2), np.uint32)) == [None]


def test_recording_leaves_the_older_archive_as_it_was():
    older = empty_archive(3, 0)
    record(older, HASHES, np.zeros(3), np.zeros((3, 0)))
    assert int(older.rows) == 0
    np.testing.assert_array_equal(older.fitness, [np.inf] * 3)


def test_lookalikes_agree_on_every_example():
    norms = np.array([[np.nan, np.nan], [1.0, 2.0], [1.0, 3.0]], np.float32)
    archive = record(empty_archive(5, 2), HASHES, np.zeros(3), norms)
    assert look_alike(archive, np.array([1.005, 2.995]), 1e-2) == 2
    assert look_alike(archive, np.array([1.0, 2.5]), 1e-2) is None
    assert look_alike(archive, np.array([1.02, 2.0]), 1e-2) is None
    assert look_alike(archive, np.array([np.nan, np.nan]), 1e-2) is None
    assert look_alike(empty_archive(5, 2), np.array([np.nan, np.nan]), 1e-2) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "rejection steps must be 1 or more, got 0"),
        ({"when": "befor"}, "unknown occasion of the rejection test 'befor'.*before"),
        ({"examples": -3}, "rejection examples must be 1 or more, got -3"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        RejectionSettings(**settings)
