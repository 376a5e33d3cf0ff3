"""Salient objects as a task: scenes, the network for pixels, losses of masks, and searches."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.fitness import network_score
from jaxloss.learning.inner import BaseOptimizerSettings, train
from jaxloss.losses import zoo
from jaxloss.losses.views import view_named
from jaxloss.models import create_model
from jaxloss.search import METHODS
from jaxloss.tasks import SaliencyTask, Task, TaskSettings, load_task, saliency_task

SPEC = "saliency:scenes:count=40:side=16"
TINY = TaskSettings(model="fcn:2-3")
LOSSES = ("binary_cross_entropy", "focal", "dice", "tversky", "mask_iou", "psg")
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def task() -> SaliencyTask:
    found = load_task(SPEC, TINY)
    assert isinstance(found, SaliencyTask)
    return found


def logits_and_masks(seed: int = 0) -> tuple[jax.Array, jax.Array]:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(5, 6, 4)).astype(np.float32)
    masks = (generator.random((5, 6, 4)) < 0.4).astype(np.float32)
    # One without an object, one that is nothing else.
    masks[0], masks[1] = 0, 1
    return jnp.asarray(logits), jnp.asarray(masks)


def test_the_task_is_as_it_says(task: SaliencyTask):
    assert isinstance(task, Task)
    assert (task.name, task.model.name, task.view.name) == (SPEC, "fcn:2-3", "masks")
    assert (task.metric.name, task.metric.higher_is_better) == ("max_f", True)
    assert task.task_loss_name == "binary_cross_entropy"
    for split, count in ((task.train, 24), (task.valid, 8), (task.test, 8)):
        assert split.inputs.shape == (count, 16, 16, 3)
        assert split.targets.shape == (count, 16, 16)
        assert set(np.unique(split.targets)) == {0, 1}
        assert 0.02 < float(jnp.mean(split.targets)) < 0.5
    np.testing.assert_allclose(jnp.mean(task.train.inputs), 0, atol=1e-5)
    np.testing.assert_allclose(jnp.std(task.train.inputs), 1, atol=1e-4)
    variables = task.model.init(KEY, task.train.inputs[:1])
    outputs, _ = task.model.apply(variables, task.train.inputs[:3], True, None)
    assert outputs.shape == (3, 16, 16)
    np.testing.assert_allclose(task.predictions(outputs), 1 / (1 + np.exp(-outputs)), rtol=1e-5)


def test_losses_see_pixels_and_are_averaged_over_them():
    logits, masks = logits_and_masks()
    f, y = view_named("masks").see(logits, masks)
    np.testing.assert_allclose(f, 1 / (1 + np.exp(-logits)), rtol=1e-5)
    np.testing.assert_array_equal(y, masks)
    p, g = np.asarray(f, float), np.asarray(masks, float)
    entropy = -(g * np.log(p) + (1 - g) * np.log(1 - p)).mean(axis=(1, 2))
    shared, both = (p * g).sum((1, 2)), p.sum((1, 2)) + g.sum((1, 2))
    expected = {
        "binary_cross_entropy": entropy,
        "mse": ((p - g) ** 2).mean(axis=(1, 2)),
        "rmse": np.sqrt(((p - g) ** 2).mean(axis=(1, 2))),
        "dice": 1 - (shared + 1) / (both / 2 + 1),
        "mask_iou": 1 - (shared + 1) / (both - shared + 1),
        "psg:alpha=0": entropy + 1 - (2 * shared + 1) / (both + 1),
        "psg:alpha=0:overlap=0": entropy,
        "psg:alpha=0:entropy=0": 1 - (2 * shared + 1) / (both + 1),
    }
    for name, values in expected.items():
        found = zoo.read_task_loss(name, "masks")(logits, masks)
        np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("base", ["", ":overlap=0", ":entropy=0"])
def test_the_guide_is_what_the_grown_map_reaches_of_the_mask(base: str):
    logits, masks = logits_and_masks(1)
    whole, alone = (zoo.read_task_loss(f"psg{base}{end}", "masks") for end in ("", ":alpha=0"))
    # By hand: the largest logit of each 3x3 neighbourhood, where the mask is.
    padded = np.pad(np.asarray(logits), ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    near = [padded[:, i : i + 6, j : j + 4] for i in range(3) for j in range(3)]
    guide = jnp.asarray(np.asarray(masks) / (1 + np.exp(-np.max(near, axis=0))))

    def by_hand(logits: jax.Array) -> jax.Array:
        return jnp.sum(alone(logits, masks) + alone(logits, guide))

    value, slope = jax.value_and_grad(by_hand)(logits)
    found, gradient = jax.value_and_grad(lambda logits: jnp.sum(whole(logits, masks)))(logits)
    np.testing.assert_allclose(found, value, rtol=1e-5)
    # The guide is a constant there: no gradient flows through it.
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-6)
    assert np.any(np.abs(guide - masks) > 0.1)


@pytest.mark.parametrize("name", LOSSES)
def test_first_and_mixed_derivatives_are_finite(name: str):
    logits, masks = logits_and_masks()
    loss = zoo.read_task_loss(name, "masks")

    @jax.jit
    def slopes(scale: jax.Array) -> tuple[jax.Array, jax.Array]:
        def first(scale: jax.Array) -> jax.Array:
            return jax.grad(lambda outputs: jnp.mean(loss(outputs, masks)))(scale * logits)

        return first(scale), jax.jacfwd(first)(scale)

    for scale in (1.0, 1e2, 1e4):
        first, mixed = slopes(jnp.float32(scale))
        assert np.all(np.isfinite(first))
        assert np.all(np.isfinite(mixed))
        if scale == 1.0:
            assert np.any(first)
            assert np.any(mixed)


def test_cse_autoloss_says_that_masks_are_not_for_it(task: SaliencyTask):
    method = METHODS["cse_autoloss"]
    with pytest.raises(InvalidInputError, match="masks view"):
        method.make(task, method.presets["quick"])


@pytest.mark.parametrize("name", ["binary_cross_entropy", "psg"])
def test_a_network_learns_to_find_objects(name: str):
    task = load_task(SPEC, TaskSettings(model="fcn:8-16"))
    settings = BaseOptimizerSettings(learning_rate=0.01, rule="adam", batch_size=8)
    loss = zoo.read_task_loss(name, "masks")
    variables, _ = jax.jit(lambda key: train(key, task.model, settings, loss, task.train, 120))(KEY)
    start = network_score(task, task.model.init(KEY, task.train.inputs[:1]), task.valid)
    assert network_score(task, variables, task.valid) > max(0.45, float(start) + 0.1)


# By hand: 3 pixels; in squares of 2 two cells, their neighbours, and a pixel at each side; in
# squares of 4 two cells and their neighbours, of 2 a neighbour at each side, and a pixel.
@pytest.mark.parametrize(
    ("spec", "width"), [("fcn:8", 3), ("fcn:8-8", 8 + 2), ("fcn:8-8-8", 16 + 4 + 2)]
)
def test_stages_see_as_much_as_their_squares(spec: str, width: int):
    model, images = create_model(spec, 1), jax.random.normal(KEY, (64, 32, 32, 3))
    variables = model.init(KEY, images)

    def middle(images: jax.Array) -> jax.Array:
        return jnp.sum(model.apply(variables, images, False, None)[0][:, 16, 16])

    # The largest of a square hides the others, in each image another.
    slopes = np.asarray(jax.jit(jax.grad(middle))(images))
    seen = np.argwhere(np.any(slopes, axis=(0, 3)))
    np.testing.assert_array_equal(np.ptp(seen, axis=0) + 1, [width, width])


def test_a_network_may_have_several_outputs_for_each_pixel():
    image = jnp.zeros((2, 8, 12, 3))
    several = create_model("fcn:4-4", 3)
    assert several.apply(several.init(KEY, image), image, False, None)[0].shape == (2, 8, 12, 3)


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        ("scenes:sid=48", {}, "unknown option of saliency:scenes 'sid'; valid, nearest first: sid"),
        ("scenes:side=big", {}, "side must be a whole number"),
        ("scenes:side=17", {}, "multiples of 2 for 2 stages, got 17x17"),
        ("scenes:side=4", {}, "side must be 16 to 96 pixels"),
        ("scenes:count=1", {}, r"count=1 leaves 1 scene\(s\) to the train split; at least 2"),
        ("scenes:count=0", {}, "count=0 leaves 0"),
        ("scenes:count=7", {}, r"leaves 1 scene\(s\) to the valid split"),
        ("scenes:side=32:side=48", {}, "gives 'side' twice"),
        ("scene", {}, "no such folder; or did you mean scenes"),
        ("scenes:count=12", {"metric": "max_ff"}, "valid, nearest first: max_f"),
        ("scenes:count=12", {"metric": "mae"}, "metric 'mae' is not for masks"),
        ("scenes:count=12", {"model": "mlp:10"}, r"expected \(2, 24, 24\), a logit for each pixel"),
        ("scenes:count=12", {"model": "fcn:8-x"}, "for instance 'fcn:50-50'"),
        ("scenes:count=12", {"imbalance": 2.0}, "asks which pixels.*; imbalance is for rows"),
        ("scenes:count=12", {"task_loss": "giou"}, "giou cannot train a task of view masks"),
    ],
)
def test_what_cannot_be_used_is_named(spec: str, settings: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        load_task(f"saliency:{spec}", TaskSettings(**settings))


def test_arrays_are_checked():
    images = np.random.default_rng(0).random((3, 8, 8, 3))
    masks = np.zeros((3, 8, 8))
    masks[:, 2:4] = 1
    for wrong, message in (
        (masks[:2], r"valid: masks of shape \(2, 8, 8\) do not fit images"),
        (masks * 0.5, "valid: masks must hold 0 and 1"),
        (masks * 0, "all masks of the valid split are empty"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            saliency_task("own", [images] * 3, [masks, wrong, masks], model="fcn:2")
    with pytest.raises(InvalidInputError, match=r"test: expected images .* of one size"):
        saliency_task("own", [images, images, images[:, :4]], [masks] * 3, model="fcn:2")
    with pytest.raises(InvalidInputError, match=r"the test split has 1 image\(s\)"):
        saliency_task("own", [images, images, images[:1]], [masks, masks, masks[:1]])
    with pytest.raises(InvalidInputError, match="expected a finite number"):
        saliency_task("own", [images, images * np.nan, images], [masks] * 3)


def test_the_view_wants_masks_of_the_shape_of_the_outputs():
    logits, masks = logits_and_masks()
    for outputs, targets in ((logits[:, 0], masks[:, 0]), (logits, masks[:, :3])):
        with pytest.raises(InvalidInputError, match="masks view needs outputs and masks of one"):
            zoo.read_task_loss("mse", "masks")(outputs, targets)
