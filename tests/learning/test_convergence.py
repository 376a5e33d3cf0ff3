from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.learning.convergence import (
    BoxLoss,
    ClassLoss,
    ConvergenceSettings,
    boxes_converge,
    classes_converge,
    convergence_of,
    random_boxes,
    shifted_boxes,
)
from jaxloss.losses.boxes import areas
from jaxloss.losses.tree import compile_expression
from jaxloss.losses.views import per_example
from jaxloss.symbols import BOX_PRIMITIVES, CLASS_PRIMITIVES, parse

KEY = jax.random.key(0)
SETTINGS = ConvergenceSettings(lines=30, steps=10)


def keeps_classes(loss: ClassLoss) -> bool:
    return bool(jax.jit(lambda key: classes_converge(key, loss, SETTINGS))(KEY))


def keeps_boxes(loss: BoxLoss, settings: ConvergenceSettings = SETTINGS) -> bool:
    return bool(jax.jit(lambda key: boxes_converge(key, loss, settings))(KEY))


CROSS_ENTROPY = "neg(dot(y, log(softmax(x))))"
SQUARED_ERROR = "dot(sub(softmax(x), y), sub(softmax(x), y))"
# Of the sigmoid of each class: beside what a wrong class adds, a right one's part is soon too small
# for single precision.
FOCAL = (
    "neg(add(mul(y, mul(mul(sub(1, sigmoid(x)), sub(1, sigmoid(x))), log(sigmoid(x)))), "
    "mul(sub(1, y), mul(mul(sigmoid(x), sigmoid(x)), log(sub(1, sigmoid(x)))))))"
)
IOU = "sub(1, ratio(i, u))"
GIOU = "add(sub(1, ratio(i, u)), ratio(sub(e, u), e))"
# The formulas that the README of github.com/PerdonLiu/CSE-Autoloss gives as found; overlap 1.
FOUND_A_CLASS = "neg(dot(mul(y, add(1, sin(1))), log(softmax(x))))"
FOUND_B_CLASS = (
    "neg(add(mul(y, mul(add(1, serf(sigmoid(sub(1, y)))), log(sigmoid(x)))), mul(add(sgdf(x), "
    "neg(y)), mul(add(add(1, neg(y)), neg(add(1, neg(sigmoid(x))))), log(add(1, neg(sigmoid(x))))"
    "))))"
)
FOUND_A_BOX = "add(1, neg(add(ratio(i, u), neg(ratio(add(e, neg(add(i, 2))), e)))))"
FOUND_B_BOX = (
    "neg(ratio(add(ratio(neg(add(neg(e), add(1, i))), neg(add(3, add(2, u)))), add(ratio(e, e), "
    "ratio(neg(e), neg(1)))), neg(add(ratio(neg(add(u, ratio(i, 1))), neg(3)), neg(e)))))"
)


def class_loss(text: str) -> ClassLoss:
    tree = parse(text, CLASS_PRIMITIVES)
    apply = compile_expression(tree, CLASS_PRIMITIVES.variables).apply
    return lambda logits, labels: per_example(apply(jnp.ones(tree.size - 1), logits, labels))


def box_loss(text: str) -> BoxLoss:
    tree = parse(text, BOX_PRIMITIVES)
    apply = compile_expression(tree, BOX_PRIMITIVES.variables).apply
    return partial(apply, jnp.ones(tree.size - 1))


@pytest.mark.parametrize(
    "text", [CROSS_ENTROPY, FOCAL, SQUARED_ERROR, FOUND_A_CLASS, FOUND_B_CLASS]
)
def test_class_losses_that_train_are_kept_and_their_negations_dropped(text: str):
    assert keeps_classes(class_loss(text))
    assert not keeps_classes(class_loss(f"neg({text})"))


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "y",
        "exp(sin(y))",
        "x",
        "softplus(x)",
        # Least where any one class is sure.
        "neg(dot(softmax(x), log(softmax(x))))",
        "relu(sub(2, x))",
        # Pulls without end.
        "neg(mul(x, y))",
        # Its minimum is at a logit of 1.
        "mul(sub(x, y), sub(x, y))",
    ],
)
def test_class_losses_without_a_reason_to_converge_are_dropped(text: str):
    assert not keeps_classes(class_loss(text))


@pytest.mark.parametrize("text", [IOU, GIOU, FOUND_A_BOX, FOUND_B_BOX])
def test_box_losses_that_train_are_kept_and_their_negations_dropped(text: str):
    assert keeps_boxes(box_loss(text))
    assert not keeps_boxes(box_loss(f"neg({text})"))


@pytest.mark.parametrize("text", ["1", "neg(i)", "u", "e", "ratio(1, u)", "neg(ratio(u, e))"])
def test_box_losses_without_a_reason_to_converge_are_dropped(text: str):
    assert not keeps_boxes(box_loss(text))


def spoilt(values: Array, where: Array, by: float) -> Array:
    return jnp.where(where, by, values)


@pytest.mark.parametrize("by", [np.nan, np.inf, -np.inf])
def test_losses_that_are_not_finite_somewhere_are_dropped(by: float):
    entropy, iou = class_loss(CROSS_ENTROPY), box_loss(IOU)
    assert not keeps_classes(lambda x, y: spoilt(entropy(x, y), jnp.max(x, axis=-1) < 3.0, by))
    assert not keeps_boxes(lambda i, u, e: spoilt(iou(i, u, e), i / u < 0.2, by))


def test_a_slope_that_is_not_finite_is_enough_to_be_dropped():
    entropy = class_loss(CROSS_ENTROPY)

    def broken(x: Array, y: Array) -> Array:
        # √0 has an infinite slope, and an infinity times 0 is not a number.
        return entropy(x, y) + jnp.sqrt(0.0 * x[:, 0])

    assert not keeps_classes(broken)


def test_a_rise_on_the_way_counts_unless_it_is_rare():
    iou = box_loss(IOU)

    def with_a_hill(i: Array, u: Array, e: Array) -> Array:
        return iou(i, u, e) + jnp.exp(-1e3 * jnp.square(i / u - 0.5)) * (u > 3000)

    settings = ConvergenceSettings(lines=30, steps=40)
    assert not keeps_boxes(with_a_hill, settings)
    lenient = ConvergenceSettings(lines=30, steps=40, share=0.1)
    assert keeps_boxes(with_a_hill, lenient)


def test_a_population_is_tested_in_one_program():
    tree = parse(CROSS_ENTROPY, CLASS_PRIMITIVES)
    apply = compile_expression(tree, CLASS_PRIMITIVES.variables).apply

    @jax.jit
    @jax.vmap
    def test(weights: Array) -> Array:
        return classes_converge(KEY, lambda x, y: per_example(apply(weights, x, y)), SETTINGS)

    usual = jnp.ones(tree.size - 1)
    # The first edge leads from the inner product to its negation.
    candidates = jnp.stack([usual, usual.at[0].set(-1.0), 3.0 * usual, 0.0 * usual])
    np.testing.assert_array_equal(test(candidates), [True, False, True, False])


def test_toy_boxes_lie_beside_within_and_around_their_targets():
    targets = random_boxes(KEY, 60)
    sides = targets[:, 2:] - targets[:, :2]
    assert np.all((sides >= 16) & (sides <= 64) & (targets[:, :2] >= 0) & (targets[:, 2:] <= 256))
    boxes = shifted_boxes(KEY, targets, reach=1.5)
    intersection, _, enclosing = areas(boxes, targets)
    own, true = (np.prod(part[:, 2:] - part[:, :2], axis=1) for part in (boxes, targets))
    within = np.isclose(enclosing, true, rtol=1e-4)
    around = np.isclose(enclosing, own, rtol=1e-4)
    assert within.sum() >= 5
    assert around.sum() >= 5
    assert np.sum(intersection == 0) >= 5
    assert np.sum(~within & ~around & (intersection > 0)) >= 5


def test_a_kind_of_loss_has_its_check():
    assert convergence_of("classes") is classes_converge
    assert convergence_of("boxes") is boxes_converge
    with pytest.raises(InvalidInputError, match=r"unknown kind of loss 'box'; .* first: boxes"):
        convergence_of("box")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lines": 0}, "lines must be 1 or more, got 0"),
        ({"steps": 1}, "steps must be 2 or more, got 1"),
        ({"classes": 1}, "classes must be 2 or more, got 1"),
        ({"share": 0.0}, "share must be above 0 and at most 1, got 0.0"),
        ({"nudge": -0.1}, "nudge must be above 0, got -0.1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        ConvergenceSettings(**settings)
