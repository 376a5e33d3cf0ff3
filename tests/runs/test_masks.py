"""What a report shows of images with masks."""

from pathlib import Path

import jax
import numpy as np

from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.losses import LearnedLoss, zoo_form
from jaxloss.runs.masks import maps_picture
from jaxloss.runs.solutions import Solutions, solutions
from jaxloss.tasks import TaskSettings, load_task

DICE = LearnedLoss(zoo_form("dice", "masks"), (), "masks")


def test_maps_are_of_networks_from_one_start():
    task = load_task("saliency:scenes:count=12:side=16", TaskSettings(model="fcn:2"))
    optimizer = BaseOptimizerSettings(1e-2, 0.9, 0.0, 4, "adam")
    found = solutions(task, optimizer, 3, jax.random.key(0), DICE)
    np.testing.assert_array_equal(found.reference, task.test.targets)
    assert found.usual.shape == found.learned.shape == found.reference.shape
    assert np.all((found.usual > 0) & (found.usual < 1))
    assert np.any(found.usual != found.learned)


def test_maps_are_drawn_beside_images_and_masks(tmp_path: Path):
    from PIL import Image

    generator = np.random.default_rng(0)
    images = generator.normal(size=(3, 16, 16, 3))
    masks = np.zeros((3, 16, 16))
    masks[:, 4:9] = 1
    path = tmp_path / "maps.png"
    maps_picture(path, images, Solutions(masks, 0.5 * masks, 1 - masks))
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), float)
    coloured = pixels.std(axis=2) > 5
    width = pixels.shape[1] // 4
    # The images have colours; masks and maps are grey, and dark where they are 0.
    shares = [np.mean(coloured[:, column * width : (column + 1) * width]) for column in range(4)]
    assert shares[0] > 0.5
    assert max(shares[1:]) < 0.05
    dark = [np.mean(pixels[:, column * width : (column + 1) * width] < 10) for column in range(4)]
    assert dark[1] > 2 * dark[3] > 0.1
