"""Losses of the zoo drawn over one number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss import zoo
from jaxloss.runs.zoo.curves import curves
from jaxloss.runs.zoo.lines import Line, lines_of

UNDRAWN = {"nt_xent", "n_pairs"}
"""Losses whose value belongs to a whole batch."""


def test_all_losses_but_those_of_whole_batches_are_drawn():
    assert {name for name, entry in zoo.ZOO.items() if not lines_of(entry)} == UNDRAWN


@pytest.mark.parametrize("name", [name for name in zoo.ZOO if name not in UNDRAWN])
def test_lines_lead_through_what_a_loss_takes(name: str):
    entry = zoo.get(name)
    number = jax.ShapeDtypeStruct((), np.float32)

    def value(t: jax.Array, line: Line) -> jax.Array:
        arguments = line.arguments(t)
        assert len(arguments) == len(entry.inputs.arguments)
        return jnp.sum(entry.function(*arguments))

    for line in lines_of(entry):
        found = jax.eval_shape(lambda t, line=line: value(t, line), number)
        assert (found.shape, found.dtype) == ((), np.float32)
        low, high = line.moved(np.array(line.ends))
        assert np.isfinite([low, high]).all()
        assert low < high


def drawn(name: str, count: int, **parameters: float):
    (curve,) = curves(zoo.get(name), parameters, count)
    return curve


def test_a_regression_loss_is_drawn_over_the_error():
    # By hand: 0.5 r^2 up to 0.5, then 0.5 (|r| - 0.25).
    curve = drawn("huber", 7, delta=0.5)
    errors = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(curve.places, errors)
    expected = np.where(errors == 0, 0.0, 0.5 * (np.abs(errors) - 0.25))
    np.testing.assert_allclose(curve.values, expected, rtol=1e-6)
    np.testing.assert_allclose(curve.slopes, 0.5 * np.sign(errors), rtol=1e-6)


def test_a_loss_of_logits_is_drawn_over_the_probability_of_the_right_class():
    # By hand: -ln p, whose slope by the logit is p - 1.
    curve = drawn("cross_entropy", 5)
    np.testing.assert_allclose(curve.values, -np.log(curve.places), rtol=1e-5)
    np.testing.assert_allclose(curve.slopes, curve.places - 1, rtol=1e-5)
    binary = drawn("bce", 5)
    np.testing.assert_allclose(binary.values, -np.log(binary.places), rtol=1e-5)
    assert binary.line.by == "its logit"


def test_a_box_loss_is_drawn_over_a_sideways_shift():
    # By hand: squares of side 16, apart by 24 and by 0.
    curve = drawn("giou", 3)
    np.testing.assert_allclose(curve.values, [1 + 8 / 40, 0.0, 1 + 8 / 40], rtol=1e-6)


def test_losses_of_pairs_are_drawn_for_both_kinds_of_pairs():
    same, other = curves(zoo.get("contrastive"), {"margin": 2.0}, 4)
    distances = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(same.values, distances**2 / 2, atol=1e-6)
    np.testing.assert_allclose(other.values, np.maximum(0, 2 - distances) ** 2 / 2, atol=1e-6)
