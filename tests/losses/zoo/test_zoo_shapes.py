"""Every loss of the zoo: shapes and types of what it takes and gives, axes and masks."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from zoo_inputs import MEMBERS, WHOLE, Inputs, both, drawn, evaluated, slopes, takes

from jaxloss import InvalidInputError, zoo
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses.zoo import ZooLoss, draws

EVERY = pytest.mark.parametrize("name", zoo.ZOO)
# In double precision a number that a loss makes of itself would show up in single precision.
pytestmark = pytest.mark.usefixtures("float64")

MASKED = [entry.name for entry in zoo.ZOO.values() if takes(entry, "where")]
ALONG = [entry.name for entry in zoo.ZOO.values() if takes(entry, "axis")]
SIZES = {
    "classes": 3,
    "answers": 3,
    "items": 3,
    "features": 4,
    "latents": 2,
    "height": 5,
    "width": 5,
}
"""How long the axes are that the kinds of inputs name."""


def shaped(entry: ZooLoss, dtype: Any, *batch: int) -> list[jax.ShapeDtypeStruct]:
    """Arguments without values, of examples that stand alone."""
    found = []
    for argument in entry.inputs.arguments:
        own = argument.shape.strip("[]").split(", ")[1:]
        shape = (*batch, *(int(part) if part.isdigit() else SIZES[part] for part in own))
        numbered = argument.draw is draws.classes
        found.append(jax.ShapeDtypeStruct(shape, np.int32 if numbered else dtype))
    return found


BATCHES = {jnp.bfloat16: (3,), np.float32: (), np.float64: (2, 3)}
"""Axes of examples, one set with each type."""


@EVERY
def test_results_have_the_type_and_shape_of_the_predictions(name: str):
    entry = zoo.get(name)
    for dtype, batch in BATCHES.items():
        inputs = shaped(entry, dtype, *batch)
        if entry.kind in WHOLE:
            inputs = [
                jax.ShapeDtypeStruct(array.shape, dtype if array.dtype.kind == "f" else np.int32)
                for array in drawn(entry.kind)
            ]
            batch = inputs[0].shape[:1]
        values, gradients = jax.eval_shape(functools.partial(both, entry), *inputs)
        assert {values.dtype, *(part.dtype for part in gradients)} == {np.dtype(dtype)}
        wanted = {"all": (), "example": batch, "element": inputs[0].shape}
        assert values.shape == wanted[entry.inputs.gives]


@EVERY
def test_whole_numbers_are_no_predictions(name: str):
    """They would cut targets to whole numbers without a word."""
    entry = zoo.get(name)
    if entry.kind in ("anchors", "labelled"):
        return
    inputs = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in drawn(entry.kind)]
    for place in entry.inputs.predictions:
        inputs[place] = jax.ShapeDtypeStruct(inputs[place].shape, np.int32)
    with pytest.raises((InvalidInputError, TypeError), match=r"floating|slope|float"):
        jax.eval_shape(entry.function, *inputs)


SHARED = {"noised": 2, "anchored": 2}
"""Arguments that all examples may share: noise levels, class anchors."""
PAIRS = [
    (entry.name, place)
    for entry in zoo.ZOO.values()
    for place in range(1, len(entry.inputs.arguments))
    if SHARED.get(entry.kind) != place
]


@pytest.mark.parametrize(("name", "place"), PAIRS)
def test_arguments_for_fewer_examples_are_refused(name: str, place: int):
    inputs = list(drawn(zoo.get(name).kind))
    for fewer in (inputs[place][:1], inputs[place][1:]):
        changed = [*inputs[:place], fewer, *inputs[place + 1 :]]
        with pytest.raises((InvalidInputError, ValueError), match=r"shape|same leading dimension"):
            jax.eval_shape(zoo.get(name).function, *changed)


def test_noise_levels_without_axes_for_the_numbers_are_refused():
    scores, noise, levels = (jnp.asarray(array[:4]) for array in drawn("noised"))
    with pytest.raises(InvalidInputError, match="expected as many axes"):
        zoo.denoising_score_matching(scores, noise, levels[:, 0])


def test_classes_are_whole_numbers():
    logits, labels = drawn("logits")
    for name in ("sparse_cross_entropy", "multiclass_hinge", "nll"):
        with pytest.raises(InvalidInputError, match="expected whole numbers"):
            zoo.get(name).function(logits, np.argmax(labels, -1).astype(float))


def hidden(entry: ZooLoss, inputs: Inputs, garbage: float) -> tuple[Inputs, np.ndarray]:
    """Appends what a mask has to hide, on each axis that is not the batch's."""
    found = []
    for argument, array in zip(entry.inputs.arguments, inputs, strict=True):
        own = argument.shape not in ("[...]", "[..., 1]")
        pads = [(0, 0)] + [(0, int(own))] * (array.ndim - 1)
        found.append(np.pad(array, pads, constant_values=garbage if own else 0))
    pads = [(0, 0)] + [(0, 1)] * (inputs[0].ndim - 1)
    return tuple(found), np.pad(np.full(inputs[0].shape, True), pads)


def turned(entry: ZooLoss, inputs: Inputs) -> tuple[Inputs, int | tuple[int, ...]]:
    """Puts the batch last."""
    count = inputs[entry.inputs.predictions[-1]].ndim - 1
    axis = tuple(range(count)) if count > 1 else 0
    return tuple(np.moveaxis(array, 0, -1) for array in inputs), axis


@functools.cache
def masked(kind: str) -> Callable[..., dict[str, Any]]:
    """Values and gradients of all losses of a kind that take a mask."""
    entries = [entry for entry in MEMBERS[kind] if entry.name in MASKED]

    def found(where: Array, *inputs: Array) -> dict[str, Any]:
        return {entry.name: both(entry, *inputs, where=where) for entry in entries}

    return jit_brief(found)


@pytest.mark.parametrize("garbage", [np.nan, 7.0, -7.0])
@pytest.mark.parametrize("name", MASKED)
def test_what_a_mask_hides_does_not_count(name: str, garbage: float):
    entry = zoo.get(name)
    inputs, where = hidden(entry, drawn(entry.kind), garbage)
    values, gradients = jax.tree.map(np.asarray, masked(entry.kind)(where, *inputs)[name])
    expected_values, expected = evaluated(name, *drawn(entry.kind))
    np.testing.assert_allclose(values, expected_values, rtol=1e-10, atol=1e-14)
    for gradient, right in zip(gradients, expected, strict=True):
        np.testing.assert_array_equal(gradient[~where], 0.0)
        np.testing.assert_allclose(gradient[where], right.ravel(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", MASKED)
def test_an_example_of_which_nothing_counts_costs_a_finite_number(name: str):
    entry = zoo.get(name)
    inputs, where = hidden(entry, drawn(entry.kind), np.nan)
    where[0] = False
    values, gradients = jax.tree.map(np.asarray, masked(entry.kind)(where, *inputs)[name])
    assert np.all(np.isfinite(values))
    assert 0 <= values[0] <= 1
    for gradient in gradients:
        np.testing.assert_array_equal(gradient[0], 0.0)


@pytest.mark.parametrize("name", [name for name in MASKED if zoo.get(name).kind == "logits"])
def test_a_single_class_that_may_occur_costs_a_finite_number(name: str):
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    where = np.full(inputs[0].shape, True)
    where[0] = inputs[1][0] == inputs[1][0].max()
    assert where[0].sum() == 1
    values, gradients = jax.tree.map(np.asarray, masked(entry.kind)(where, *inputs)[name])
    assert np.isfinite(values[0])
    for gradient in gradients:
        assert np.all(np.isfinite(gradient[0]))


@functools.cache
def with_axes(kind: str) -> dict[str, Any]:
    """Values and gradients of all losses of a kind that take an axis, with the batch last."""
    entries = [entry for entry in MEMBERS[kind] if entry.name in ALONG]
    inputs, axis = turned(entries[0], drawn(kind))

    def found(*inputs: Array) -> dict[str, Any]:
        return {
            entry.name: (
                entry.function(*inputs, axis=axis),
                slopes(entry, inputs, axis=axis),
            )
            for entry in entries
        }

    return jax.tree.map(np.asarray, jit_brief(found)(*inputs))


@pytest.mark.parametrize("name", ALONG)
def test_the_axis_is_where_the_caller_says(name: str):
    entry = zoo.get(name)
    values, gradients = with_axes(entry.kind)[name]
    expected_values, expected = evaluated(name, *drawn(entry.kind))
    np.testing.assert_allclose(values, expected_values, rtol=1e-10, atol=1e-14)
    for gradient, right in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(np.moveaxis(gradient, -1, 0), right, rtol=1e-9, atol=1e-13)
