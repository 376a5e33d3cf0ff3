import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.symbols import EVOMAL_PRIMITIVES, PrimitiveSet
from jaxloss.symbols.primitives import PRIMITIVES, TINY, Primitive, analytic_quotient

HOSTILE = (0.0, 1e-30, -1e-30, 1.0, -1.0, 1e30, -1e30)
GENERIC = (-2.1, -0.7, 0.4, 1.3, 3.2)

each_primitive = pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda row: row.name)


def points(primitive: Primitive, values: tuple[float, ...]) -> tuple[Array, ...]:
    """All combinations of values as arguments."""
    return tuple(jnp.array(list(itertools.product(values, repeat=primitive.arity))).T)


def summed(primitive: Primitive):
    return lambda *arguments: jnp.sum(primitive.function(*arguments))


def test_the_table_is_that_of_the_field_notes():
    # The released EvoMAL code: add sub mul min max, div, sign square abs tanh, log, sqrt.
    arities = {row.name: row.arity for row in PRIMITIVES}
    pairs = dict.fromkeys(("add", "sub", "mul", "div", "min", "max"), 2)
    assert arities == pairs | dict.fromkeys(("sign", "square", "abs", "tanh", "log", "sqrt"), 1)
    assert {row.name for row in PRIMITIVES if row.commutative} == {"add", "mul", "min", "max"}
    assert EVOMAL_PRIMITIVES.constants == (1.0, -1.0)
    assert EVOMAL_PRIMITIVES.variables == ("f", "y")


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("add", (2.0, 3.0), 5.0),
        ("sub", (2.0, 3.0), -1.0),
        ("mul", (2.0, 3.0), 6.0),
        ("div", (2.0, np.sqrt(3.0)), 1.0),
        ("div", (1e30, 1e30), 1.0),
        ("div", (1.0, 0.0), 1.0),
        ("min", (2.0, 3.0), 2.0),
        ("max", (2.0, 3.0), 3.0),
        ("sign", (-2.0,), -1.0),
        ("sign", (0.0,), 0.0),
        ("square", (-3.0,), 9.0),
        ("abs", (-3.0,), 3.0),
        ("tanh", (1.0,), 0.7615942),
        ("log", (-np.e,), 1.0),
        ("log", (0.0,), np.log(TINY)),
        ("sqrt", (-4.0,), 2.0),
        ("sqrt", (0.0,), np.sqrt(TINY)),
    ],
)
def test_values_follow_the_formulae_of_the_paper(name: str, arguments: tuple, value: float):
    primitive = EVOMAL_PRIMITIVES.primitive(name)
    result = primitive.function(*(jnp.float32(argument) for argument in arguments))
    np.testing.assert_allclose(result, value, rtol=1e-6)


@each_primitive
def test_derivatives_are_finite_wherever_the_value_is(primitive: Primitive):
    arguments = points(primitive, HOSTILE)
    alive = np.isfinite(primitive.function(*arguments))
    # Only a product of two huge numbers may overflow.
    assert alive.mean() == 1.0 or primitive.name in ("mul", "square")
    arguments = tuple(argument[alive] for argument in arguments)
    numbers = tuple(range(primitive.arity))
    first = jax.vmap(jax.grad(primitive.function, numbers))
    second = jax.vmap(jax.jacfwd(jax.grad(primitive.function, numbers), numbers))
    mixed = jax.vmap(jax.grad(lambda *a: jax.grad(primitive.function)(*a), numbers))
    for derivatives in (first, second, mixed):
        for derivative in jax.tree.leaves(derivatives(*arguments)):
            assert np.all(np.isfinite(derivative))


@each_primitive
@pytest.mark.usefixtures("float64")
def test_gradients_agree_with_finite_differences(primitive: Primitive):
    arguments = points(primitive, GENERIC)
    if primitive.arity == 2:  # The kink of min and max lies where the arguments are equal.
        apart = arguments[0] != arguments[1]
        arguments = tuple(argument[apart] for argument in arguments)
    numbers = tuple(range(primitive.arity))
    gradients = jax.grad(summed(primitive), numbers)(*arguments)
    for number, gradient in enumerate(gradients):
        moved = [
            [a + way * 1e-6 * (i == number) for i, a in enumerate(arguments)] for way in (1, -1)
        ]
        difference = primitive.function(*moved[0]) - primitive.function(*moved[1])
        np.testing.assert_allclose(gradient, difference / 2e-6, rtol=1e-7, atol=1e-8)


@pytest.mark.usefixtures("float64")
def test_second_derivatives_of_the_quotient_agree_with_the_plain_formula():
    a, b = points(EVOMAL_PRIMITIVES.primitive("div"), GENERIC)

    def plain(a: Array, b: Array) -> Array:
        return a / jnp.sqrt(1 + b**2)

    for outer, inner in itertools.product((0, 1), repeat=2):
        own, expected = (
            jax.vmap(jax.grad(jax.grad(function, inner), outer))(a, b)
            for function in (analytic_quotient, plain)
        )
        np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-12)


@each_primitive
@pytest.mark.usefixtures("float64")
def test_the_sympy_form_computes_the_function_away_from_its_guards(primitive: Primitive):
    arguments = points(primitive, GENERIC)
    symbols = sympy.symbols("a b", real=True)[: primitive.arity]
    form = primitive.symbolic(*symbols)
    for row in zip(*arguments, strict=True):
        expected = form.subs(dict(zip(symbols, (float(value) for value in row), strict=True)))
        np.testing.assert_allclose(primitive.function(*row), float(expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variables": ("f", "f")}, "names must be unique"),
        ({"variables": ("log", "y")}, "names must be unique"),
        ({"variables": ()}, "at least one variable"),
        ({"variables": ("f y",)}, "'f y' is not a plain name"),
        ({"variables": ("1f",)}, "'1f' is not a plain name"),
        ({"variables": ("lambda", "y")}, "'lambda' is not a plain name"),
    ],
)
def test_a_primitive_set_refuses_names_that_no_formula_can_hold(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        PrimitiveSet(**settings)


def test_an_unknown_primitive_is_answered_with_the_nearest():
    with pytest.raises(InvalidInputError, match=r"unknown primitive 'sqr'; .* first: sqrt"):
        EVOMAL_PRIMITIVES.primitive("sqr")
