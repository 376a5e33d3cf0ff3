"""Folders of images with masks in DUTS's layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import TaskSettings, load_task

TINY = TaskSettings(model="fcn:2-2")


def write_folder(folder: Path, sets: tuple[str, ...] = ("DUTS-TR", "DUTS-TE")) -> Path:
    """Writes twelve images to train with and three to test, of mixed sizes: an object is red."""
    for name in sets:
        images, masks = (folder / name / f"{name}-{what}" for what in ("Image", "Mask"))
        images.mkdir(parents=True)
        masks.mkdir()
        for number in range(12 if name == "DUTS-TR" else 3):
            width, height = 40 + 8 * (number % 2), 32
            mask = np.zeros((height, width), np.uint8)
            mask[8:24, width // 2 :] = 255
            pixels = np.full((height, width, 3), 40 + number, np.uint8)
            pixels[mask > 0] = 200, 20, 20
            Image.fromarray(pixels).save(images / f"img_{number}.jpg", quality=95)
            Image.fromarray(mask).save(masks / f"img_{number}.png")
    return folder


def test_a_folder_is_read_and_made_smaller(tmp_path: Path):
    task = load_task(f"saliency:{write_folder(tmp_path / 'duts')}:side=16", TINY)
    assert [len(part.inputs) for part in (task.train, task.valid, task.test)] == [9, 3, 3]
    assert task.train.inputs.shape[1:] == (16, 16, 3)
    # By hand: rows 8 to 24 of 32 and the right half, of 16 x 16 pixels.
    expected = np.zeros((16, 16))
    expected[4:12, 8:] = 1
    np.testing.assert_array_equal(task.test.targets, np.tile(expected, (3, 1, 1)))
    red = np.asarray(task.test.inputs)[..., 0]
    assert red[:, 5:11, 10:].min() > red[:, :3].max()


def test_without_a_test_set_the_images_are_divided_in_three(tmp_path: Path):
    task = load_task(f"saliency:{write_folder(tmp_path / 'duts', ('DUTS-TR',))}:side=16", TINY)
    sizes = [len(part.inputs) for part in (task.train, task.valid, task.test)]
    assert sizes == [8, 2, 2]


def refused(folder: Path, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load_task(f"saliency:{folder}:side=16", TINY)


def test_masks_of_0_and_1_are_refused(tmp_path: Path):
    folder = write_folder(tmp_path / "duts")
    for file in (folder / "DUTS-TR/DUTS-TR-Mask").iterdir():
        with Image.open(file) as mask:
            pixels = np.asarray(mask) // 255
        Image.fromarray(pixels).save(file)
    refused(folder, "the brightest pixel of all masks is 1; expected 255 where an object is")


def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path):
    folder = write_folder(tmp_path / "duts")
    images, masks = (folder / f"DUTS-TR/DUTS-TR-{what}" for what in ("Image", "Mask"))
    good = (masks / "img_3.png").read_bytes()
    (masks / "img_3.png").unlink()
    refused(folder, r"1 of 12 masks are missing in .*DUTS-TR-Mask, first that of 'img_3.jpg'")
    Image.new("L", (8, 8)).save(masks / "img_3.png")
    refused(folder, r"img_3.jpg has 48x32 pixels and its mask img_3.png has 8x8")
    (masks / "img_3.png").write_text("no image")
    refused(folder, r"img_3.png is no image that can be read")
    (masks / "img_3.png").write_bytes(good)
    (masks / "more.png").write_bytes(good)
    refused(folder, r"1 of 13 images are missing in .*DUTS-TR-Image, first that of 'more.png'")
    (masks / "more.png").unlink()
    (images / "img_3.png").write_bytes((images / "img_3.jpg").read_bytes())
    refused(folder, r"DUTS-TR-Image has more than one picture of a name, first 'img_3.jpg'")
    (images / "img_3.png").unlink()
    for file in (folder / "DUTS-TE/DUTS-TE-Mask").iterdir():
        with Image.open(file) as mask:
            size = mask.size
        Image.new("L", size).save(file)
    refused(folder, "all masks of the test split are empty")
    for file in images.iterdir():
        file.unlink()
    refused(folder, r"DUTS-TR-Image is empty")
    refused(images, r"expected DUTS-TR/DUTS-TR-Image beside DUTS-TR/DUTS-TR-Mask")
    refused(tmp_path / "nowhere", "there is no such folder")
    with pytest.raises(InvalidInputError, match=r"unknown option of saliency:.* 'count'"):
        load_task(f"saliency:{folder}:count=3", TINY)
    with pytest.raises(InvalidInputError, match="side must be 16 to 224 pixels"):
        load_task(f"saliency:{folder}:side=1000", TINY)
