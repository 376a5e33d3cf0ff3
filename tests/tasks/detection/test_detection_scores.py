"""Average precision on the device against pycocotools, and cells by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.tasks.detection import Annotations, as_targets, found, pycocotools_scores
from jaxloss.tasks.detection.coco_scores import on_host
from jaxloss.tasks.detection.scores import SCORES, Detections
from jaxloss.tasks.metrics import guarded

IMAGES, OBJECTS, CLASSES, CELLS = 20, 4, 3, 16


def random_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions near some of the objects, doubles, wrong classes and equal scores among them."""
    generator = np.random.default_rng(seed)
    low = generator.uniform(0, 20, (IMAGES, OBJECTS, 2))
    boxes = np.concatenate([low, low + generator.uniform(4, 12, low.shape)], -1)
    classes = generator.integers(-1, CLASSES, (IMAGES, OBJECTS))
    if seed == 1:
        classes[classes == 2] = 0
    near = boxes[:, generator.integers(0, OBJECTS, CELLS)]
    guesses = (
        near + generator.normal(size=near.shape) * generator.choice([0.3, 1, 3], CELLS)[:, None]
    )
    guesses[..., 2:] = np.maximum(guesses[..., 2:], guesses[..., :2] + 1)
    probabilities = generator.dirichlet(np.ones(CLASSES + 1), (IMAGES, CELLS))[..., :-1]
    if seed == 2:
        probabilities = np.round(probabilities, 1)
    predictions = np.concatenate([probabilities, guesses], -1).astype(np.float32)
    objects = np.concatenate([classes[..., None], boxes], -1)
    targets = np.concatenate([np.zeros((IMAGES, CELLS, 5)), objects], 1)
    return predictions, targets.astype(np.float32)


SCENES = [random_scene(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def on_device() -> list[dict[str, np.ndarray]]:
    scores = jax.jit(
        lambda predictions, targets: {
            name: score(predictions, targets) for name, score in SCORES.items()
        }
    )
    return [jax.device_get(scores(*scene)) for scene in SCENES]


@pytest.mark.parametrize("seed", range(len(SCENES)))
def test_average_precision_is_what_pycocotools_computes(
    seed: int, on_device: list[dict[str, np.ndarray]]
):
    predictions, targets = SCENES[seed]
    expected = pycocotools_scores(found(jnp.asarray(predictions)), targets[:, CELLS:], CLASSES)
    assert 0.01 < expected["ap"] < expected["ap50"] < 1
    for name, value in expected.items():
        np.testing.assert_allclose(on_device[seed][name], value, atol=2e-6)


def test_pycocotools_can_be_called_from_a_compiled_program(
    on_device: list[dict[str, np.ndarray]],
):
    predictions, targets = SCENES[0]
    score = jax.jit(guarded(on_host("ap")))
    np.testing.assert_allclose(score(predictions, targets), on_device[0]["ap"], atol=2e-6)
    predictions = predictions.copy()
    predictions[0, 0, 0] = np.nan
    assert np.isnan(score(predictions, targets))


def test_perfect_boxes_score_one_and_no_boxes_zero():
    targets = np.array([[[0.0] * 5, [0.0] * 5, [0, 2, 2, 10, 10], [1, 20, 20, 30, 30]]], np.float32)
    right = np.array([[[0.9, 0, 2, 2, 10, 10], [0, 0.8, 20, 20, 30, 30]]], np.float32)
    assert SCORES["ap"](jnp.asarray(right), jnp.asarray(targets)) == pytest.approx(1)
    empty = right.copy()
    empty[..., 2:] = 0
    assert SCORES["ap"](jnp.asarray(empty), jnp.asarray(targets)) == 0
    nothing = jnp.zeros((1, 1))
    none = Detections(jnp.zeros((1, 1, 4)), nothing.astype(int), nothing, nothing > 0)
    assert pycocotools_scores(none, targets[:, 2:], 2)["ap"] == 0


def test_of_doubles_the_likeliest_is_kept():
    box = [2, 2, 10, 10]
    predictions = [[[0.5, 0.0, *box], [0.9, 0.0, 3, 2, 10, 10], [0.0, 0.4, *box]]]
    detections = found(jnp.array(predictions, jnp.float32))
    kept = {
        (round(float(score), 2), int(label))
        for score, label, stays in zip(
            detections.scores[0], detections.classes[0], detections.kept[0], strict=True
        )
        if stays and score > 0
    }
    assert kept == {(0.9, 0), (0.4, 1)}


def test_a_cell_seeks_the_smallest_box_whose_middle_it_is_in():
    # By hand: centres at 4, 12, 20, 28; the middle of the large box reaches from 5.4 to 26.6.
    large, small, tiny = [1, 1, 31, 31], [8, 8, 16, 16], [25, 1, 30, 6]
    annotations = Annotations(
        np.array([[0, 1, 2, -1]]), np.array([[large, small, tiny, [0] * 4]], np.float32)
    )
    rows = as_targets(annotations, 32, 8, 3)
    assert rows.shape == (1, 16 + 4, 5)
    cells = rows[0, :16].reshape(4, 4, 5)
    expected = [[3, 3, 3, 2], [3, 1, 0, 3], [3, 0, 0, 3], [3, 3, 3, 3]]
    np.testing.assert_array_equal(cells[..., 0], expected)
    np.testing.assert_array_equal(cells[1, 1, 1:], [4, 4, 4, 4])
    np.testing.assert_array_equal(cells[2, 1, 1:], [11, 19, 19, 11])
    np.testing.assert_array_equal(rows[0, 17], [1, *small])
    # No centre lies in the middle of the tiny box; the nearest one within it does the work.
    np.testing.assert_array_equal(cells[0, 3, 1:], [3, 3, 2, 2])
