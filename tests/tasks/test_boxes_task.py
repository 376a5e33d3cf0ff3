import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning import BaseOptimizerSettings, FitnessSettings, trial_runner
from jaxloss.learning.fitness import partial_training, scored
from jaxloss.learning.inner import predict, train
from jaxloss.losses import LearnedLoss, TreeForm
from jaxloss.symbols import PrimitiveSet, parse
from jaxloss.tasks import Task, TaskSettings, boxes_data, load_supervised_task, supervised_task

TASK = load_supervised_task("boxes", TaskSettings(model="mlp:16"))
OPTIMIZER = BaseOptimizerSettings(learning_rate=0.01, batch_size=64)
STEPS = 200


def untrained_error() -> float:
    variables = TASK.model.init(jax.random.key(0), TASK.train.inputs[:1])
    outputs = predict(TASK.model, variables, TASK.test.inputs)
    return float(scored(TASK, outputs, TASK.test))


def test_the_simulated_boxes_are_valid_boxes_inside_the_image():
    raw = boxes_data()
    assert (raw.inputs.shape, raw.targets.shape) == ((800, 16), (800, 4))
    sides = raw.targets[:, 2:] - raw.targets[:, :2]
    assert 6 <= sides.min() <= sides.max() <= 40
    assert 0 <= raw.targets.min() <= raw.targets.max() <= 64
    np.testing.assert_array_equal(raw.inputs, boxes_data().inputs)
    assert not np.array_equal(raw.inputs, boxes_data(1).inputs)


def test_a_box_task_keeps_its_targets_in_pixels():
    assert isinstance(TASK, Task)
    assert (TASK.kind, TASK.view.name, TASK.task_loss_name) == ("boxes", "boxes", "giou")
    assert (TASK.metric.name, TASK.metric.higher_is_better) == ("iou_error", False)
    splits = (TASK.train, TASK.valid, TASK.test)
    assert [split.targets.shape for split in splits] == [(480, 4), (160, 4), (160, 4)]
    found = np.concatenate([split.targets for split in splits])
    expected = boxes_data().targets.astype(np.float32)
    np.testing.assert_array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])
    np.testing.assert_allclose(TASK.train.inputs.mean(0), 0, atol=1e-5)


def test_training_under_the_task_loss_learns_to_find_the_boxes():
    key = jax.random.key(1)
    variables, _ = train(key, TASK.model, OPTIMIZER, TASK.task_loss, TASK.train, STEPS)
    outputs = predict(TASK.model, variables, TASK.test.inputs)
    assert untrained_error() > 0.7
    assert float(scored(TASK, outputs, TASK.test)) < 0.45


def test_box_tasks_go_through_fitness_and_trials():
    settings = FitnessSettings(steps=STEPS)
    tree = parse("sub(1, div(i, u))", PrimitiveSet(variables=TASK.view.variables))
    learned = LearnedLoss(TreeForm(tree, TASK.view.variables), (1.0,) * 4, "boxes")
    fitness = partial_training(
        jax.random.key(2), TASK, OPTIMIZER, settings, learned, TASK.train, TASK.valid
    )
    assert float(fitness[0]) < 0.6
    trials = trial_runner(TASK, OPTIMIZER, STEPS)(learned, jax.random.key(3), 2)
    assert trials.test.shape == (2,)
    assert float(np.max(trials.test)) < 0.6


def test_own_boxes_make_a_task():
    corners = np.random.default_rng(0).uniform(0, 30, (30, 2))
    boxes = np.concatenate([corners, corners + 5], 1)
    task = supervised_task("own", corners, boxes, "boxes", model="linear", metric="mean_iou")
    assert task.metric.higher_is_better
    outputs = jnp.zeros((18, 4))
    # 16 pixels in the middle of the image: 32 ± 8.
    np.testing.assert_allclose(task.predictions(outputs)[0], [24, 24, 40, 40])


def beyond(x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Boxes one of which is moved so that its centre is at the edge of the image, or beyond."""
    boxes = np.tile([16.0, 24, 32, 32], (30, 1))
    boxes[4] += [x, y, x, y]
    return boxes


def test_a_box_may_reach_out_of_the_image():
    boxes = beyond(x=39)
    task = supervised_task("own", np.ones((30, 2)), boxes, "boxes", model="linear")
    found = np.concatenate([split.targets for split in (task.train, task.valid, task.test)])
    assert found.max() == 71


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.ones((30, 3)), r"boxes need targets \[rows, 4\].* got shape \(30, 3\)"),
        (np.ones((30, 4)), "the box in data row 1 .* has no area"),
        (np.full((30, 4), np.nan), "targets: nan in data row 1"),
        (beyond(x=40), "data row 5 .* has its centre outside of the image of 64x64 pixels; scale"),
        (beyond(y=-30), "data row 5 .* has its centre outside"),
    ],
)
def test_targets_that_are_no_boxes_are_refused(targets, message):
    with pytest.raises(InvalidInputError, match=message):
        supervised_task("own", np.ones((30, 2)), targets, "boxes", model="linear")


def test_box_tasks_show_areas_only():
    with pytest.raises(InvalidInputError, match="'identity' does not fit boxes; valid: boxes"):
        supervised_task(
            "own", np.ones((30, 2)), np.tile([0, 0, 1, 1], (30, 1)), "boxes", view="identity"
        )
