"""Every loss of the zoo: values, gradients, extremes, and both under jit and vmap."""

import functools
from collections.abc import Callable
from typing import Any

import elementary_references
import generative_references
import jax
import numpy as np
import pytest
import structured_references
from jaxtyping import Array
from zoo_inputs import (
    FEW,
    MEMBERS,
    WHOLE,
    Found,
    Inputs,
    both,
    cast,
    drawn,
    evaluated,
    extremes,
    replaced,
)

from jaxloss import zoo
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses.zoo import ZooLoss

REFERENCES = {
    **elementary_references.REFERENCES,
    **generative_references.REFERENCES,
    **structured_references.REFERENCES,
}
EVERY = pytest.mark.parametrize("name", zoo.ZOO)
# In double precision a number that a loss makes of itself would show up in single precision too.
pytestmark = pytest.mark.usefixtures("float64")

DETACHED = {"ciou", "psg"}
"""Losses with a part that counts as a constant in the gradient."""
STEP = 1e-5


def assert_slopes(entry: ZooLoss, inputs: Inputs, gradients: tuple[np.ndarray, ...]) -> None:
    """Compares the gradient with central differences in one random direction."""
    generator = np.random.default_rng(0)
    places = entry.inputs.predictions
    directions = [generator.normal(size=inputs[i].shape) for i in places]

    def moved(step: float) -> float:
        pairs = zip(places, directions, strict=True)
        there = replaced(entry, inputs, *(inputs[i] + step * way for i, way in pairs))
        return float(np.sum(evaluated(entry.name, *there)[0]))

    expected = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    pairs = zip(gradients, directions, strict=True)
    found = sum(float(np.sum(gradient * way)) for gradient, way in pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_every_loss_has_an_independent_source():
    assert set(REFERENCES) == set(zoo.ZOO)
    assert all(reference.source for reference in REFERENCES.values())


@EVERY
def test_values_and_gradients(name: str):
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    values, gradients = evaluated(name, *inputs)
    first = inputs if entry.kind in WHOLE else tuple(array[:FEW] for array in inputs)
    expected = REFERENCES[name](*first)
    np.testing.assert_allclose(values[:FEW] if values.ndim else values, expected, 1e-10, 1e-12)
    if name not in DETACHED:
        assert_slopes(entry, inputs, gradients)


@EVERY
def test_examples_side_by_side_in_single_precision_change_nothing(name: str):
    """One example at a time under ``vmap``; of examples that belong together, batches."""
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    values, gradients = evaluated(name, *inputs)
    if entry.kind in WHOLE:
        inputs = tuple(np.stack([array, array]) for array in inputs)
        values, gradients = np.stack([values] * 2), [np.stack([part] * 2) for part in gradients]
    found, slopes = evaluated(name, *cast(inputs, np.float32), side_by_side=True)
    assert {part.dtype for part in (found, *slopes)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5)
    for part, expected in zip(slopes, gradients, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


MINUS_LOG_0 = "-ln 0 of the right class is infinite, and so is the loss"
INFINITE = {"nll": MINUS_LOG_0, "kl": MINUS_LOG_0}
"""Losses that may be infinite for extreme inputs, and why."""


@EVERY
def test_extreme_inputs_give_finite_numbers(name: str):
    entry = zoo.get(name)
    for batch in extremes(entry.kind):
        exact = jax.tree.leaves(evaluated(name, *cast(batch, np.float64)))
        infinite = np.isposinf(exact[0]) & (name in INFINITE)
        assert np.all(np.isfinite(exact[0]) | infinite)
        assert all(np.all(np.isfinite(part)) for part in exact[1:])
        found = jax.tree.leaves(in_single_precision(entry, batch))
        for part, right in zip(found, exact, strict=True):
            too_large = np.abs(right) > np.finfo(np.float32).max
            assert np.all(np.isfinite(part) | (too_large & ~np.isnan(part)))
        np.testing.assert_array_equal(np.isposinf(found[0][infinite]), True)


def in_single_precision(entry: ZooLoss, batch: Inputs) -> Found:
    """Values and gradient of examples side by side."""
    inputs = cast(batch, np.float32)
    if entry.kind not in WHOLE:
        return evaluated(entry.name, *inputs, side_by_side=True)
    twice = (np.stack([array, array]) for array in inputs)
    return jax.tree.map(lambda part: part[0], evaluated(entry.name, *twice, side_by_side=True))


@functools.cache
def _with_settings() -> Callable[..., Any]:
    """Values and gradient for rows of parameters, of losses of a kind."""

    def found(tables: dict[str, Array], inputs: tuple[Array, ...]) -> dict[str, Any]:
        def of(name: str, row: Array) -> tuple[Array, tuple[Array, ...]]:
            names = zoo.get(name).defaults
            return both(zoo.get(name), *inputs, **dict(zip(names, row, strict=True)))

        return {
            name: jax.vmap(functools.partial(of, name))(table) for name, table in tables.items()
        }

    return jit_brief(found)


def settings_of(entry: ZooLoss) -> np.ndarray:
    """The defaults, then each parameter at the ends of its range."""
    usual = np.array(list(entry.defaults.values()), np.float32)
    rows = [usual]
    for place, parameter in enumerate(entry.parameters):
        for end in (parameter.low, parameter.high):
            rows.append(np.where(np.arange(len(usual)) == place, np.float32(end), usual))
    return np.stack(rows)


@pytest.mark.parametrize("kind", dict.fromkeys(e.kind for e in zoo.ZOO.values() if e.parameters))
def test_parameters_may_lie_at_the_ends_of_their_ranges(kind: str):
    tables = {entry.name: settings_of(entry) for entry in MEMBERS[kind] if entry.parameters}
    for batch in (drawn(kind), *extremes(kind, largest=1e4)):
        found = _with_settings()(tables, cast(batch, np.float32))
        for name, (values, gradients) in found.items():
            assert all(np.all(np.isfinite(part)) for part in (values, *gradients)), name
            # Numbers that are traced do as numbers that are not.
            usual = in_single_precision(zoo.get(name), batch)
            np.testing.assert_allclose(values[0], usual[0], rtol=1e-4, atol=1e-6)
