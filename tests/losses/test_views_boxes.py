import itertools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.losses import zoo
from jaxloss.losses.boxes import decoded_boxes
from jaxloss.losses.views import VIEWS, per_example, shows, view_named

# Outputs of 0 decode to 24, 24, 40, 40.
MIDDLE = jnp.zeros((3, 4))
TRUE = jnp.asarray([[24.0, 24.0, 40.0, 40.0], [32.0, 24.0, 48.0, 40.0], [44.0, 24.0, 60.0, 40.0]])
HUGE = (0.0, 1e-30, 1.0, -1.0, 1e30, -1e30)


# Golden values by hand: squares of side 16 that share all, half and none of their area.
def test_the_boxes_view_shows_areas_in_squared_pixels():
    view = view_named("boxes")
    assert view.variables == ("i", "u", "e")
    intersection, union, enclosing = view.see(MIDDLE, TRUE)
    np.testing.assert_allclose(intersection, [256, 128, 0])
    np.testing.assert_allclose(union, [256, 384, 512])
    np.testing.assert_allclose(enclosing, [256, 384, 576])
    assert per_example(union).shape == (3,)


# Golden values by hand: 1 - i/u + (e - u)/e of the areas above.
def test_the_giou_task_loss_is_that_of_the_decoded_boxes():
    np.testing.assert_allclose(
        zoo.as_task_loss(zoo.get("giou"), "boxes")(MIDDLE, TRUE),
        [0.0, 1 - 128 / 384, 1 + 64 / 576],
        atol=1e-6,
    )


def test_a_step_of_outputs_moves_and_stretches_the_box():
    moved = decoded_boxes(jnp.asarray([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))
    # By hand: 64 / (1 + 1/e) = 46.787; 16 exp(3 tanh(1/3)) = 41.976.
    np.testing.assert_allclose(moved[0], [38.787, 24, 54.787, 40], atol=2e-3)
    np.testing.assert_allclose(moved[1], [24, 32 - 20.988, 40, 32 + 20.988], atol=2e-3)


def test_all_outputs_give_boxes_and_finite_derivatives():
    outputs = jnp.asarray(list(itertools.product(HUGE, repeat=4)))
    targets = jnp.tile(jnp.asarray([[10.0, 20.0, 30.0, 25.0]]), (len(outputs), 1))
    boxes = decoded_boxes(outputs)
    assert bool(jnp.all(jnp.isfinite(boxes)))
    assert bool(jnp.all(boxes[:, 2:] - boxes[:, :2] > 0.7))

    def weighted(weights, outputs):
        parts = view_named("boxes").see(outputs, targets)
        areas = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        return jnp.sum(areas + zoo.as_task_loss(zoo.get("giou"), "boxes")(outputs, targets))

    slope = jax.grad(weighted, 1)
    weights = jnp.ones(3)
    assert bool(jnp.all(jnp.isfinite(jax.jit(slope)(weights, outputs))))
    mixed = jax.jit(jax.jacfwd(slope))(weights, outputs)
    assert bool(jnp.all(jnp.isfinite(mixed)))
    assert bool(jnp.any(mixed != 0))


# Golden values: the central difference quotient in double precision.
@pytest.mark.usefixtures("float64")
def test_slopes_of_the_areas_are_right():
    outputs, targets = jnp.asarray([[0.3, -0.2, 0.4, -0.5]]), jnp.asarray([[20.0, 22, 38, 45]])

    def total(outputs):
        i, u, e = view_named("boxes").see(outputs, targets)
        return jnp.sum(i + 2 * u + 3 * e)

    def along(step):
        return (total(outputs + step) - total(outputs - step)) / 2e-5

    quotients = jax.jit(jax.vmap(along))(1e-5 * jnp.eye(4)[:, None, :])
    np.testing.assert_allclose(jax.jit(jax.grad(total))(outputs)[0], quotients, rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "targets", "message"),
    [
        ((5, 3), (5, 4), r"needs outputs of shape \[batch, 4\], got \(5, 3\)"),
        ((5, 4), (5,), r"targets of shape \(5,\) do not fit outputs of shape \(5, 4\)"),
    ],
)
def test_what_is_no_box_is_refused(outputs, targets, message):
    with pytest.raises(InvalidInputError, match=message):
        view_named("boxes").see(jnp.zeros(outputs), jnp.zeros(targets))


@pytest.mark.parametrize("targets", [jnp.asarray([2, 0]), jnp.eye(3)[jnp.asarray([2, 0])]])
def test_the_logits_view_shows_raw_outputs_beside_labels(targets):
    outputs = jnp.asarray([[5.0, -7.0, 2.0], [0.0, 1.0, 30.0]])
    view = view_named("logits")
    assert view.variables == ("x", "y")
    seen, labels = view.see(outputs, targets)
    np.testing.assert_array_equal(seen, outputs)
    np.testing.assert_array_equal(labels, [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_one_output_has_no_logit_for_each_class(shape):
    with pytest.raises(InvalidInputError, match=r"two classes or more.* have two outputs"):
        view_named("logits").see(jnp.zeros(shape), jnp.zeros(5, int))


def test_a_task_shows_its_own_view_and_logits_beside_softmax():
    fitting = {pair for pair in itertools.product(VIEWS, repeat=2) if shows(*pair)}
    assert fitting == {(name, name) for name in VIEWS} | {("softmax", "logits")}
    with pytest.raises(InvalidInputError, match=r"unknown view 'logit'; .*first: logits"):
        shows("softmax", "logit")


WITH_BOXES = np.array([[4, 0, 1, 2], [4, 4, 4, 0], [0, 1, 2, 3]])
"""Class numbers in the cells of three images; 4 is the background."""
BATCHES = {
    "softmax": ((3, 4), np.array([0, 3, 1])),
    "sigmoid": ((3, 1), np.array([0, 1, 1])),
    "identity": ((3, 2), np.zeros((3, 2))),
    "logits": ((3, 4), np.array([0, 3, 1])),
    "boxes": ((3, 4), np.asarray(TRUE)),
    "anchors": ((3, 4, 2), np.array([0, 2, 1])),
    "cell_classes": ((3, 4, 9), np.dstack([WITH_BOXES, np.full((3, 4, 4), 8.0)])),
    "cell_boxes": ((3, 4, 9), np.dstack([WITH_BOXES, np.full((3, 4, 4), 8.0)])),
    "masks": ((3, 2, 2), np.zeros((3, 2, 2))),
}
"""Shapes of outputs, and targets, for each view."""


@pytest.mark.parametrize("name", VIEWS)
def test_a_loss_that_averages_is_the_mean_over_what_counts(name: str):
    view, (shape, labels) = view_named(name), BATCHES[name]
    outputs, targets = jnp.zeros(shape), jnp.asarray(labels)
    ones = jnp.ones_like(view.see(outputs, targets)[0])
    np.testing.assert_allclose(view.per_example(ones, outputs, targets, True), 1.0, rtol=1e-6)


def test_the_mean_over_the_boxes_of_an_image_without_any_is_zero():
    outputs, targets = jnp.zeros((1, 4, 9)), jnp.full((1, 4, 5), 4.0)
    found = view_named("cell_boxes").per_example(jnp.ones((1, 4)), outputs, targets, True)
    np.testing.assert_array_equal(found, [0.0])


def test_the_view_needs_no_module_that_was_imported_before():
    program = (
        "import numpy as np\n"
        "from jaxloss.losses.views import view_named\n"
        "view_named('boxes').see(np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
