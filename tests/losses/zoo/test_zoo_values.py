"""Every loss of the zoo: values, gradients, shapes, precisions and extremes."""

import functools

import elementary_references
import generative_references
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import structured_references
from jaxtyping import Array
from zoo_inputs import (
    FEW,
    WHOLE,
    cast,
    drawn,
    extremes,
    program,
    replaced,
    takes,
)

from jaxloss import InvalidInputError, zoo
from jaxloss.losses.zoo import ZooLoss

REFERENCES = {
    **elementary_references.REFERENCES,
    **generative_references.REFERENCES,
    **structured_references.REFERENCES,
}
EVERY = pytest.mark.parametrize("name", zoo.ZOO)
DETACHED = {"ciou", "psg"}
"""Losses with a part that counts as a constant in the gradient."""
MASKED = [entry.name for entry in zoo.ZOO.values() if takes(entry, "where")]
ALONG = [entry.name for entry in zoo.ZOO.values() if takes(entry, "axis")]
STEP = 1e-5


def assert_slopes(entry: ZooLoss, inputs: tuple[Array, ...], gradients: tuple[Array, ...]) -> None:
    """Compares the gradient with central differences in one random direction."""
    generator = np.random.default_rng(0)
    places = entry.inputs.predictions
    directions = [jnp.asarray(generator.normal(size=inputs[i].shape)) for i in places]

    def moved(step: float) -> float:
        pairs = zip(places, directions, strict=True)
        there = replaced(entry, inputs, *(inputs[i] + step * way for i, way in pairs))
        return float(jnp.sum(program(entry.name)(*there)[0]))

    expected = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    pairs = zip(gradients, directions, strict=True)
    found = sum(float(jnp.sum(gradient * way)) for gradient, way in pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_every_loss_has_an_independent_source():
    assert set(REFERENCES) == set(zoo.ZOO)
    assert all(reference.source for reference in REFERENCES.values())


@pytest.mark.usefixtures("float64")
@EVERY
def test_values_and_gradients(name: str):
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    values, gradients = program(name)(*inputs)
    first = inputs if entry.kind in WHOLE else tuple(array[:FEW] for array in inputs)
    expected = REFERENCES[name](*first)
    np.testing.assert_allclose(values[:FEW] if values.ndim else values, expected, 1e-10, 1e-12)
    assert values.dtype == jnp.float64
    if entry.inputs.elementwise:
        assert values.shape == inputs[0].shape
    if name not in DETACHED:
        assert_slopes(entry, inputs, gradients)


@pytest.mark.usefixtures("float64")
def test_ciou_takes_its_weight_as_a_constant():
    boxes, targets = drawn("boxes")

    def v(boxes: Array) -> Array:
        sides, others = boxes[:, 2:] - boxes[:, :2], targets[:, 2:] - targets[:, :2]
        turn = jnp.arctan(others[:, 0] / others[:, 1]) - jnp.arctan(sides[:, 0] / sides[:, 1])
        return 4 / jnp.pi**2 * turn**2

    alpha = v(boxes) / (zoo.iou(boxes, targets) + v(boxes))
    held = jax.grad(lambda boxes: jnp.sum(zoo.diou(boxes, targets) + alpha * v(boxes)))
    found = program("ciou")(boxes, targets)[1][0]
    np.testing.assert_allclose(found, jax.jit(held)(boxes), rtol=1e-8, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_psg_takes_its_guide_as_a_constant():
    logits, masks = drawn("mask")
    guide = zoo.progressive_self_guided(logits, masks) - zoo.progressive_self_guided(
        logits, masks, alpha=0.0
    )
    grown = np.full_like(logits, -np.inf)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            padded = np.pad(logits, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
            height, width = logits.shape[1:]
            shifted = padded[:, 1 + down : 1 + down + height, 1 + across : 1 + across + width]
            grown = np.maximum(grown, shifted)
    held = jax.nn.sigmoid(jnp.asarray(grown)) * masks

    def guided(logits: Array) -> Array:
        return zoo.progressive_self_guided(logits, held, alpha=0.0)

    np.testing.assert_allclose(guide, guided(logits), rtol=1e-12)
    found = jax.grad(lambda x: jnp.sum(zoo.progressive_self_guided(x, masks)))(logits)
    plain = jax.grad(lambda x: jnp.sum(zoo.progressive_self_guided(x, masks, alpha=0.0)))(logits)
    expected = plain + jax.grad(lambda x: jnp.sum(guided(x)))(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("float64")
@EVERY
def test_vmap_over_examples_changes_nothing(name: str):
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    expected = program(name)(*inputs)[0]
    if REFERENCES[name].level == "batch":
        inputs = tuple(jnp.stack([array, array]) for array in inputs)
        expected = jnp.stack([expected, expected])
    found = jax.jit(jax.vmap(entry.function))(*inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def joined(first: Array, second: np.ndarray) -> Array:
    return jnp.concatenate([first, jnp.asarray(second, first.dtype)])


@EVERY
def test_single_precision_and_extremes(name: str):
    """Ordinary examples keep their values, extreme ones beside them are finite."""
    entry = zoo.get(name)
    ordinary = drawn(entry.kind, jnp.float32, batch=FEW)
    for hard in extremes(entry):
        alone = entry.kind in WHOLE
        inputs = cast(tuple(map(jnp.asarray, hard)), jnp.float32)
        inputs = inputs if alone else tuple(map(joined, ordinary, hard))
        values, gradients = program(name)(*inputs)
        assert values.dtype == jnp.float32
        assert_finite_unless_too_large(name, inputs, [values, *gradients])
        if not alone:
            expected = REFERENCES[name](*ordinary)
            np.testing.assert_allclose(values[:FEW], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [entry.name for entry in zoo.ZOO.values() if entry.kind in WHOLE])
def test_single_precision_of_whole_batches(name: str):
    inputs = drawn(zoo.get(name).kind, jnp.float32, batch=FEW)
    values, _ = program(name)(*inputs)
    assert values.dtype == jnp.float32
    np.testing.assert_allclose(values, REFERENCES[name](*inputs), rtol=1e-4, atol=1e-5)


def assert_finite_unless_too_large(
    name: str, inputs: tuple[Array, ...], found: list[Array]
) -> None:
    if all(np.all(np.isfinite(array)) for array in found):
        return
    with jax.enable_x64(True):
        exact_values, exact_gradients = program(name)(*cast(inputs, jnp.float64))
    for array, exact in zip(found, [exact_values, *exact_gradients], strict=True):
        too_large = np.abs(exact) > np.finfo(np.float32).max
        assert np.all(np.isfinite(exact))
        assert np.all(np.isfinite(array) | (too_large & ~np.isnan(array)))


def garbage(entry: ZooLoss, array: Array, argument: int) -> Array:
    """Appends what a mask has to hide, on each axis that is not the batch's."""
    shape = entry.inputs.arguments[argument].shape
    if shape in ("[...]", "[..., 1]") or array.ndim == 1:
        return array
    pads = [(0, 0)] + [(0, 1)] * (array.ndim - 1)
    return jnp.pad(array, pads, constant_values=7.0)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", MASKED)
def test_what_a_mask_hides_does_not_count(name: str):
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    padded = tuple(garbage(entry, array, i) for i, array in enumerate(inputs))
    where = jnp.pad(jnp.full(inputs[0].shape, True), [(0, 0)] + [(0, 1)] * (inputs[0].ndim - 1))

    def masked(*inputs: Array) -> Array:
        return entry.function(*inputs, where=where)

    def summed(*inputs: Array) -> tuple[Array, Array]:
        values = masked(*inputs)
        return jnp.sum(values), values

    gradient, values = jax.jit(jax.grad(summed, has_aux=True))(*padded)
    expected_values, expected = program(name)(*inputs)
    np.testing.assert_allclose(values, expected_values, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(np.where(where, 0.0, gradient), 0.0)
    found = np.asarray(gradient)[np.asarray(where)]
    np.testing.assert_allclose(found, np.ravel(expected[0]), rtol=1e-9, atol=1e-13)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ALONG)
def test_the_axis_is_where_the_caller_says(name: str):
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    own = tuple(range(1, inputs[entry.inputs.predictions[-1]].ndim))
    turned = [jnp.moveaxis(array, 0, -1) for array in inputs]
    axis = tuple(place - 1 for place in own) if len(own) > 1 else 0
    found = jax.jit(functools.partial(entry.function, axis=axis))(*turned)
    np.testing.assert_allclose(found, program(name)(*inputs)[0], rtol=1e-10, atol=1e-14)


COMPARED = [
    entry.name
    for entry in zoo.ZOO.values()
    # Of class numbers there is nothing to compare the shape with.
    if len(entry.inputs.arguments) > 1 and entry.inputs.arguments[1].name != "classes"
]


@pytest.mark.parametrize("name", COMPARED)
def test_shapes_that_do_not_fit_are_refused(name: str):
    inputs = drawn(zoo.get(name).kind, jnp.float32, batch=FEW)
    with pytest.raises(InvalidInputError, match="expected one shape"):
        zoo.get(name).function(inputs[0], inputs[1][1:], *inputs[2:])
