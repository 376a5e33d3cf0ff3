from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.losses import Form, LearnedLoss, TaylorForm, compile_expression
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.views import view_named

F, Y = np.random.default_rng(0).normal(0.0, 2.0, (2, 5, 3)).astype(np.float32)
SQUARED_ERROR = (0.0, 0.0, 0.0, 1.0, 0.0, -2.0, 0.0, 0.0)
"""(f − y)² less y², which has no gradient to f."""


def drawn(form: TaylorForm, seed: int = 1) -> tuple[float, ...]:
    numbers = np.random.default_rng(seed).normal(0.0, 1.0, form.parameter_count)
    return tuple(numbers.astype(np.float32).tolist())


def test_order_three_is_the_polynomial_of_taylorglo():
    theta = (0.3, -0.7, 1.1, -0.4, 0.25, 2.0, -0.6, 0.9)

    # Eight parameters in the paper's numbering: θ0 and θ1 are the centres of label and prediction.
    h, y = F - theta[1], Y - theta[0]
    expected = (
        theta[2] * h
        + theta[3] * h**2
        + theta[4] * h**3
        + theta[5] * h * y
        + theta[6] * h**2 * y
        + theta[7] * h * y**2
    )
    ours = jnp.asarray((theta[1], theta[0], *theta[2:]))
    values = TaylorForm().family().apply(ours, jnp.asarray(F), jnp.asarray(Y))
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-4)


def test_the_squared_error_is_among_them():
    def values(f: Any) -> Any:
        return TaylorForm().family().apply(jnp.asarray(SQUARED_ERROR), f, jnp.asarray(Y))

    np.testing.assert_allclose(values(jnp.asarray(F)), (F - Y) ** 2 - Y**2, rtol=1e-5, atol=1e-5)
    slopes = jax.grad(lambda f: values(f).sum())(jnp.asarray(F))
    np.testing.assert_allclose(slopes, 2 * (F - Y), rtol=1e-6, atol=1e-5)


def test_the_squared_error_around_a_target_is_exact():
    # Centred at y = c_y the cross term vanishes, and (f − c)² is one θ alone.
    parameters = jnp.asarray((1.5, 1.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0))
    target = jnp.full_like(F, 1.5)
    values = TaylorForm().family().apply(parameters, jnp.asarray(F), target)
    np.testing.assert_array_equal(values, np.square(F - np.float32(1.5)))


@pytest.mark.parametrize(("order", "parameters"), [(1, 3), (2, 5), (3, 8), (4, 12), (8, 38)])
def test_how_many_parameters_there_are(order: int, parameters: int):
    form = TaylorForm(order)
    assert form.parameter_count == form.size == parameters
    start = form.family().init(jax.random.key(0))
    np.testing.assert_array_equal(start, np.zeros(parameters))


def test_every_term_has_a_gradient_to_the_prediction_and_fits_the_order():
    exponents = TaylorForm(4).exponents
    assert len(set(exponents)) == len(exponents) == 10
    assert all(a >= 1 and b >= 0 and a + b <= 4 for a, b in exponents)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("variables", [("f", "y"), ("x", "y")])
def test_the_formula_computes_the_polynomial(order: int, variables: tuple[str, str]):
    form = TaylorForm(order, variables)
    parameters = drawn(form)
    tree = form.expression(parameters)
    f, y = jnp.asarray(F / 4), jnp.asarray(Y / 4)
    shown = compile_expression(tree, variables).apply(jnp.ones(tree.size - 1), f, y)
    np.testing.assert_allclose(
        shown, form.family().apply(jnp.asarray(parameters), f, y), rtol=1e-4, atol=1e-4
    )


def test_the_formula_leaves_out_what_is_zero_or_one():
    loss = LearnedLoss(TaylorForm(), SQUARED_ERROR, "identity")
    assert loss.formula() == "square(f) - 2 * (f * y)"
    shifted = (0.5, -0.25, 0.0, 0.0, -1.0, 0.0, 0.0, 0.126)
    shown = TaylorForm().describe(shifted, digits=2)
    assert shown == "-1 * (square(f - 0.5) * (f - 0.5)) + 0.13 * ((f - 0.5) * square(y + 0.25))"


def test_the_zero_vector_prints_and_computes_zero():
    loss = LearnedLoss(TaylorForm(), (0.0,) * 8, "identity")
    assert (loss.formula(), str(loss.sympy()), loss.latex()) == ("0 * f", "0", "0")
    np.testing.assert_array_equal(loss(jnp.asarray(F), jnp.asarray(Y)), np.zeros(5))


def test_derivatives_are_finite_as_far_as_the_values_are():
    form = TaylorForm(3)
    apply, parameters = form.family().apply, jnp.asarray(drawn(form))
    # Cubes of 1e9 and their derivatives fit into single precision; those of 1e30 cannot.
    hostile = jnp.asarray([0.0, 1.0, -1.0, 1e3, -1e3, 1e9, -1e9])
    f, y = (part.ravel() for part in jnp.meshgrid(hostile, hostile))

    def slopes(numbers: Any) -> Any:
        return jax.grad(lambda f: apply(numbers, f, y).sum())(f)

    mixed = jax.jacfwd(slopes)(parameters)
    for values in (apply(parameters, f, y), slopes(parameters), mixed):
        assert np.all(np.isfinite(values))
    assert np.any(mixed[:, 0] != 0)


def test_candidates_bind_side_by_side():
    form: Form = TaylorForm()
    bind = family_binding(form, view_named("identity"))
    candidates = np.asarray([drawn(TaylorForm(), seed) for seed in range(4)], np.float32)
    together = jax.jit(jax.vmap(lambda one: bind(one)(jnp.asarray(F), jnp.asarray(Y))))(candidates)
    for row, values in zip(candidates, together, strict=True):
        alone = LearnedLoss(form, tuple(row.tolist()), "identity")(jnp.asarray(F), jnp.asarray(Y))
        np.testing.assert_allclose(values, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("order", [0, 9, -1, 2.0, True, "3", None])
def test_an_order_that_cannot_be_is_refused(order: Any):
    with pytest.raises(InvalidInputError, match="a whole number from 1 to 8"):
        TaylorForm.from_data({"order": order, "variables": ["f", "y"]})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"order": 3}, "described by order, variables; got order"),
        ({}, "got nothing"),
        ({"order": 3, "variables": "fy"}, "a list of variable names"),
        ({"order": 3, "variables": ["f", 1]}, "a list of variable names"),
        ({"order": 3, "variables": ["f"]}, "a prediction and a target, got the variables f"),
        ({"order": 3, "variables": ["i", "u", "e"]}, "got the variables i, u, e"),
        ({"order": 3, "variables": ["f", "f"]}, "names must be unique"),
        ({"order": 3, "variables": ["f", "a b"]}, "'a b' is not a plain name"),
    ],
)
def test_data_of_no_polynomial_are_refused(data: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        TaylorForm.from_data(data)


def test_what_does_not_fit_is_refused():
    apply = TaylorForm().family().apply
    with pytest.raises(InvalidInputError, match=r"f, y of one shape, got shapes \(3,\), \(2,\)"):
        apply(jnp.zeros(8), jnp.zeros(3), jnp.zeros(2))
    with pytest.raises(InvalidInputError, match=r"has 8 parameters, got shape \(7,\)"):
        apply(jnp.zeros(7), jnp.zeros(3), jnp.zeros(3))
    with pytest.raises(InvalidInputError, match="has 8 parameters, got 2"):
        TaylorForm().expression((1.0, 2.0))
