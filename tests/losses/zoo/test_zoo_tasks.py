"""Losses of the zoo as training losses: on raw outputs, and as other losses of the same name."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from test_zoo_forms import outputs_and_targets

from jaxloss import InvalidInputError, zoo
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses.zoo import ZooTaskLoss

# In double precision a number that a loss makes of itself would show up in single precision.
pytestmark = pytest.mark.usefixtures("float64")

LARGE = 1e4
HARD = {
    "identity": np.array([[0, 0], [LARGE, -LARGE], [LARGE, LARGE], [-LARGE, 0]]),
    "sigmoid": np.array([[0], [LARGE], [-LARGE], [LARGE]]),
    "softmax": np.array([[0, 0, 0], [LARGE, -LARGE, 0], [-LARGE, LARGE, LARGE], [LARGE] * 3]),
    "boxes": np.array([[0] * 4, [LARGE] * 4, [-LARGE] * 4, [LARGE, -LARGE, LARGE, -LARGE]]),
    "anchors": np.array([np.full((4, 2), value) for value in (0.0, 1.0, LARGE, -LARGE)]),
    **dict.fromkeys(
        ("cell_classes", "cell_boxes"),
        np.array([np.full((2, 7), value) for value in (0.0, 1.0, LARGE, -LARGE)]),
    ),
    "masks": np.array([np.full((3, 4), value) for value in (0.0, 1.0, LARGE, -LARGE)]),
}
"""Outputs at the end of their range, ties and zeros among them."""
FITTING = [(name, view) for name in zoo.ZOO for view in zoo.views_of(zoo.get(name))]


def batch(view: str) -> tuple[np.ndarray, np.ndarray]:
    outputs, targets = outputs_and_targets(view)
    outputs = np.concatenate([outputs, HARD[view]])
    targets = np.concatenate([targets, targets[: len(HARD[view])]])
    return outputs.astype(np.float32), targets


@functools.cache
def trained(view: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values, and the gradient by the outputs, of all losses that train tasks of a view."""

    def found(outputs: Array, targets: Array) -> dict[str, Any]:
        losses = {name: zoo.as_task_loss(zoo.get(name), view) for name, of in FITTING if of == view}
        return {
            name: (
                loss(outputs, targets),
                jax.grad(lambda outputs, loss=loss: jnp.sum(loss(outputs, targets)))(outputs),
            )
            for name, loss in losses.items()
        }

    return jax.tree.map(np.asarray, jit_brief(found)(*batch(view)))


@pytest.mark.parametrize(("name", "view"), FITTING)
def test_losses_train_tasks_on_raw_outputs(name: str, view: str):
    values, gradient = trained(view)[name]
    outputs, _ = batch(view)
    assert values.shape == outputs.shape[:1]
    assert {values.dtype, gradient.dtype} == {np.dtype(np.float32)}
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(gradient))
    # What has no slope anywhere trains nothing.
    assert np.any(gradient[: -len(HARD[view])])


@pytest.mark.parametrize(("name", "view"), FITTING)
def test_no_examples_have_no_values(name: str, view: str):
    outputs, targets = batch(view)
    loss = zoo.as_task_loss(zoo.get(name), view)
    if zoo.get(name).kind in ("anchored", "triplet"):
        with pytest.raises(InvalidInputError, match="at least one embedding, got none"):
            jax.eval_shape(loss, outputs[:0], targets[:0])
        return
    assert jax.eval_shape(loss, outputs[:0], targets[:0]).shape == (0,)


@pytest.mark.parametrize(("name", "view"), FITTING)
def test_half_precision_is_refused(name: str, view: str):
    outputs, targets = batch(view)
    loss = zoo.as_task_loss(zoo.get(name), view)
    with pytest.raises(InvalidInputError, match="float16, the range of which is too small"):
        jax.eval_shape(loss, outputs.astype(np.float16), targets)


@pytest.mark.parametrize("name", [name for name, view in FITTING if view == "masks"])
def test_masks_with_an_axis_of_channels_are_refused(name: str):
    outputs, targets = batch("masks")
    loss = zoo.as_task_loss(zoo.get(name), "masks")
    for masks in (targets, targets[..., None]):
        with pytest.raises(InvalidInputError, match="masks of one shape"):
            jax.eval_shape(loss, outputs[..., None], masks)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_losses_that_train_no_such_task_say_so(name: str):
    views = zoo.views_of(zoo.get(name))
    for view in set(zoo.TASK_VIEWS) - set(views):
        with pytest.raises(InvalidInputError, match=f"{name} cannot train a task .*: .+") as error:
            zoo.as_task_loss(zoo.get(name), view)
        named = str(error.value).partition("fits tasks of view ")[2]
        assert named == " or ".join(views)


@pytest.mark.parametrize("labels", [[-1, 7, 1], np.eye(3)[[0, 0, 1]] * [[0], [0], [1]]], ids=len)
@pytest.mark.parametrize(
    "name",
    ["cross_entropy", "sparse_cross_entropy", "nll", "multiclass_hinge", "multiclass_perceptron"],
)
def test_labels_of_no_class_cost_nothing(name: str, labels: Any):
    loss, targets = zoo.as_task_loss(zoo.get(name), "softmax"), jnp.asarray(labels)

    def summed(outputs: Array) -> tuple[Array, Array]:
        values = loss(outputs, targets)
        return jnp.sum(values), values

    outputs = jnp.array([[4.0, -1.0, 0.5]] * 3)
    slopes, values = jax.grad(summed, has_aux=True)(outputs)
    np.testing.assert_array_equal(values[:2], 0.0)
    np.testing.assert_array_equal(slopes[:2], 0.0)
    assert values[2] > 1
    assert np.any(slopes[2])


@pytest.mark.parametrize(
    "name", ["sparse_cross_entropy", "nll", "kl", "energy_nll", "cross_entropy"]
)
def test_cross_entropy_under_its_other_names(name: str):
    # By hand: -log softmax of the right class.
    outputs, targets = outputs_and_targets("softmax")
    rows = zip(np.exp(outputs), targets, strict=True)
    expected = [-np.log(row[k] / row.sum()) for row, k in rows]
    np.testing.assert_allclose(trained("softmax")[name][0][: len(expected)], expected, rtol=1e-5)


def test_labels_may_be_one_hot():
    outputs, targets = outputs_and_targets("softmax")
    loss = zoo.as_task_loss(zoo.get("cross_entropy"), "softmax")
    found = loss(jnp.asarray(outputs), jnp.eye(3)[targets])
    np.testing.assert_allclose(found, trained("softmax")["cross_entropy"][0][: len(found)], 1e-5)


def test_margin_losses_take_labels_of_0_and_1():
    outputs, targets = outputs_and_targets("sigmoid")
    # By hand: max(0, 1 - ys) for y of -1 or 1.
    expected = np.maximum(0, 1 - np.where(targets > 0, 1, -1) * outputs[:, 0])
    found = trained("sigmoid")["hinge"][0][: len(expected)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_training_losses_say_why_they_do_not_fit():
    reasons = {
        "zero_one": "its gradient is 0",
        "mbe": "no minimum",
        "msle": "at least 0",
        "giou": "fits tasks of view boxes",
        "cse_a_class": "overlaps of boxes",
        "cam": "anchors",
        "triplet": "compares",
        "wgan_critic": "generative",
        "dice": "mask",
    }
    for name, reason in reasons.items():
        with pytest.raises(InvalidInputError, match=reason):
            zoo.as_task_loss(zoo.get(name), "identity")
    with pytest.raises(InvalidInputError, match="one output has none"):
        zoo.as_task_loss(zoo.get("cosine"), "sigmoid")
    for shape in ((3, 1), (3,)):
        with pytest.raises(InvalidInputError, match=r"of view identity: .* one output has none"):
            zoo.as_task_loss(zoo.get("cosine"), "identity")(jnp.ones(shape), jnp.ones(3))
    with pytest.raises(InvalidInputError, match="tasks of view softmax"):
        zoo.as_task_loss(zoo.get("cross_entropy"), "identity")
    with pytest.raises(InvalidInputError, match="unknown view 'softmx'"):
        zoo.as_task_loss(zoo.get("cross_entropy"), "softmx")


def test_equal_training_losses_share_a_program():
    traces = 0

    @functools.partial(jax.jit, static_argnums=0)
    def run(loss: ZooTaskLoss, outputs: Array, targets: Array) -> Array:
        nonlocal traces
        traces += 1
        return loss(outputs, targets)

    for delta in (2.0, 2.0, 3.0):
        run(
            zoo.as_task_loss(zoo.get("huber"), "identity", delta=delta),
            *outputs_and_targets("identity"),
        )
    assert traces == 2
