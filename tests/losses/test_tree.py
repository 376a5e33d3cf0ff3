import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.losses import compile_expression
from jaxloss.symbols import parse

F, Y = jnp.array([0.5, -1.5, 2.0]), jnp.array([1.0, 0.25, -3.0])


def test_weights_stand_in_the_order_of_call_syntax_without_the_root():
    # add(mul(y, f), log(f)): 1 mul, 2 y, 3 f, 4 log, 5 f.
    apply = compile_expression(parse("add(mul(y, f), log(f))")).apply
    weights = jnp.array([2.0, 3.0, 5.0, 7.0, 11.0])
    expected = 2.0 * (3.0 * Y) * (5.0 * F) + 7.0 * np.log(np.abs(11.0 * F))
    np.testing.assert_allclose(apply(weights, F, Y), expected, rtol=1e-6)


def test_weights_act_on_constants_and_below_unary_functions():
    # sub(square(f), tanh(-1)): 1 square, 2 f, 3 tanh, 4 -1.
    apply = compile_expression(parse("sub(square(f), tanh(-1))")).apply
    weights = jnp.array([2.0, 3.0, 5.0, 0.5])
    expected = 2.0 * (3.0 * F) ** 2 - 5.0 * np.tanh(-0.5)
    np.testing.assert_allclose(apply(weights, F, Y), expected, rtol=1e-6)


def test_with_all_weights_one_it_computes_the_expression_as_written():
    apply = compile_expression(parse("abs(f - y) + min(f, y)/f")).apply
    expected = np.abs(F - Y) + np.minimum(F, Y) / np.sqrt(1 + np.square(F))
    np.testing.assert_allclose(apply(jnp.ones(9), F, Y), expected, rtol=1e-6)


def test_fresh_weights_are_normal_around_one():
    family = compile_expression(parse("abs(f - y) + min(f, y)/f"))
    draws = np.asarray(jax.vmap(family.init)(jax.random.split(jax.random.key(0), 2000)))
    assert draws.shape == (2000, 9)
    spread = (draws - 1.0) / 1e-3
    # Of 18000 draws from N(0, 1), five standard errors wide.
    np.testing.assert_allclose(spread.mean(), 0.0, atol=5 / np.sqrt(18000))
    np.testing.assert_allclose(spread.std(), 1.0, atol=5 / np.sqrt(2 * 18000))
    assert np.abs(np.corrcoef(spread.T) - np.eye(9)).max() < 0.12
    np.testing.assert_array_equal(family.init(jax.random.key(3)), family.init(jax.random.key(3)))


@pytest.mark.parametrize(("text", "variable"), [("f", 0), ("y", 1)])
def test_a_lone_variable_is_its_own_loss(text: str, variable: int):
    family = compile_expression(parse(text))
    assert family.init(jax.random.key(0)).shape == (0,)
    np.testing.assert_array_equal(family.apply(jnp.zeros(0), F, Y), (F, Y)[variable])


def test_a_lone_constant_fills_the_shape():
    values = compile_expression(parse("-1")).apply(jnp.zeros(0), jnp.ones((2, 3)), jnp.ones((2, 3)))
    np.testing.assert_array_equal(values, -np.ones((2, 3)))


def test_variables_are_passed_in_the_order_given():
    apply = compile_expression(parse("f - y"), ("y", "f")).apply
    np.testing.assert_allclose(apply(jnp.ones(2), Y, F), F - Y)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidInputError, match=r"holds f, but the loss sees y, z"):
        compile_expression(parse("f - y"), ("y", "z"))
    apply = compile_expression(parse("f - y")).apply
    with pytest.raises(InvalidInputError, match=r"f, y of one shape, got shapes \(3,\), \(2,\)"):
        apply(jnp.ones(2), F, Y[:2])
    with pytest.raises(InvalidInputError, match=r"takes f, y of one shape"):
        apply(jnp.ones(2), F)
    with pytest.raises(InvalidInputError, match=r"has 2 parameters, got shape \(3,\)"):
        apply(jnp.ones(3), F, Y)
