import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.tasks.scenes import (
    SILHOUETTES,
    SPLITS,
    SceneSettings,
    compose_scenes,
    compose_splits,
    photographs,
)
from jaxloss.tasks.splitting import SplitSettings


@pytest.fixture(scope="module")
def scenes():
    return compose_scenes(0, 40, "train", SceneSettings(side=24, objects=(1, 3)))


def test_boxes_are_those_of_the_pixels_that_each_object_shows(scenes):
    for owners, classes, boxes in zip(scenes.owners, scenes.classes, scenes.boxes, strict=True):
        for number, (left, top, right, bottom) in enumerate(boxes.astype(int)):
            shown = owners == number
            if classes[number] < 0:
                assert not shown.any()
                assert (left, top, right, bottom) == (0, 0, 0, 0)
                continue
            outside = shown.copy()
            outside[top:bottom, left:right] = False
            assert not outside.any()
            assert shown[top].any()
            assert shown[bottom - 1].any()
            assert shown[:, left].any()
            assert shown[:, right - 1].any()


def test_scenes_have_the_asked_numbers_of_objects_of_every_class(scenes):
    counts = np.sum(scenes.classes >= 0, axis=1)
    assert set(counts) == {1, 2, 3}
    assert set(scenes.classes[scenes.classes >= 0]) == set(range(len(SILHOUETTES)))
    np.testing.assert_array_equal(scenes.masks, scenes.owners >= 0)


def test_images_are_finite_colours(scenes):
    assert scenes.images.shape == (40, 24, 24, 3)
    assert scenes.images.dtype == np.float32
    assert scenes.images.min() >= 0
    assert scenes.images.max() <= 1


def test_a_longer_series_starts_with_the_shorter_one(scenes):
    shorter = compose_scenes(0, 7, "train", SceneSettings(side=24, objects=(1, 3)))
    for long, short in zip(scenes, shorter, strict=True):
        np.testing.assert_array_equal(long[:7], short)
    other = compose_scenes(1, 7, "train", SceneSettings(side=24, objects=(1, 3)))
    assert not np.array_equal(other.images, shorter.images)


def test_each_split_has_its_share_of_scenes_from_its_own_strip():
    looks, division = SceneSettings(side=24), SplitSettings(0.5, 0.2, 0.3, seed=3)
    parts = compose_splits(10, division, looks)
    assert [len(part.images) for part in parts] == [5, 2, 3]
    for split, part in zip(SPLITS, parts, strict=True):
        same = compose_scenes(3, len(part.images), split, looks)
        np.testing.assert_array_equal(part.images, same.images)
    with pytest.raises(InvalidInputError, match=r"leaves 2 scene\(s\) to the valid split"):
        compose_splits(10, division, looks, fewest=3)


def test_no_scene_of_one_split_has_the_objects_of_a_scene_of_another():
    parts = [compose_scenes(0, 20, split, SceneSettings(side=24)) for split in SPLITS]
    for one, other in itertools.combinations(parts, 2):
        for known in ("owners", "boxes"):
            left, right = getattr(one, known), getattr(other, known)
            # Every scene beside every other one, not just those of equal number.
            equal = np.all(left[:, None] == right[None], axis=(2, 3))
            assert not equal.any(), known


def test_splits_share_no_pixel_of_a_photograph():
    strips = [photographs(split) for split in SPLITS]
    for parts in zip(*strips, strict=True):
        assert sum(part.shape[1] for part in parts) == 640
        assert {part.shape[0] for part in parts} == {427}


def test_an_unknown_split_is_refused_with_the_nearest_one():
    split: Any = "tests"
    with pytest.raises(InvalidInputError, match=r"'tests'.*test"):
        compose_scenes(0, 1, split)


# The areas of a unit circle's disc, square, equilateral triangle and of the cross's two bars.
@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("disc", np.pi),
        ("square", 2.0),
        ("triangle", 3 * np.sqrt(3) / 4),
        ("cross", 2 * (2 * 0.94 * 2 * 0.33) - 0.66**2),
    ],
)
def test_silhouettes_lie_in_the_unit_circle_and_have_their_area(name, area):
    middles = (np.arange(800) + 0.5) / 400 - 1
    across, down = np.meshgrid(middles, middles)
    inside = SILHOUETTES[name](across, down)
    assert np.hypot(across, down)[inside].max() <= 1.0
    assert inside.sum() / 400**2 == pytest.approx(area, rel=0.01)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("side", 4),
        ("objects", (0, 2)),
        ("objects", (3, 2)),
        ("radii", (0.3, 0.2)),
        ("radii", (0.2, 0.7)),
        ("tint", (0.2, 1.7)),
        ("visible", 0.0),
    ],
)
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(InvalidInputError, match=setting):
        replace(SceneSettings(), **{setting: value})
