"""The usual losses as forms, and what interprets which primitives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.losses import LearnedLoss, ZooForm, assemble, interpret
from jaxloss.symbols.detection_primitives import CLASS_PRIMITIVES
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.parser import parse

# Outputs of 0 decode to 24, 24, 40, 40; golden values by hand, 1 - i/u + (e - u)/e of squares of
# side 16 that share all, half and none of their area.
MIDDLE = jnp.zeros((3, 4))
TRUE = jnp.asarray([[24.0, 24.0, 40.0, 40.0], [32.0, 24.0, 48.0, 40.0], [44.0, 24.0, 60.0, 40.0]])
GIOU = [0.0, 1 - 128 / 384, 1 + 64 / 576]
AREAS = {
    "i": jnp.array([256.0, 128.0, 0.0]),
    "u": jnp.array([256.0, 384.0, 512.0]),
    "e": jnp.array([256.0, 384.0, 576.0]),
}


def test_generalised_iou_is_one_function_in_all_its_forms():
    loss = LearnedLoss(ZooForm("giou", "boxes"), (), "boxes")
    np.testing.assert_allclose(loss(MIDDLE, TRUE), GIOU, atol=1e-6)
    np.testing.assert_allclose(loss.family.apply(jnp.zeros(0), *AREAS.values()), GIOU, atol=1e-6)
    assert loss.formula() == "1 - ratio(i, u) + ratio(e - u, e)"
    assert LearnedLoss.from_json(loss.to_json()) == loss


def test_a_family_that_is_built_within_a_trace_outlives_it():
    loss = LearnedLoss(ZooForm("cross_entropy", "softmax"), (), "softmax")
    program = jax.jit(lambda f, y: loss.family.apply(jnp.zeros(0), f, y))
    for count in (1, 2):
        found = program(jnp.full(count, 0.5), jnp.ones(count))
        np.testing.assert_allclose(found, np.log(2), rtol=1e-6)


def test_interpret_refuses_functions_along_an_axis():
    alphabet = Alphabet(CLASS_PRIMITIVES, 8)
    program = assemble(alphabet, jnp.asarray(alphabet.encode(parse("x - y", CLASS_PRIMITIVES))))
    with pytest.raises(InvalidInputError, match=r"softmax, dot; .*row_interpreter"):
        interpret(alphabet, program, jnp.ones(7), jnp.ones(3), jnp.ones(3))
