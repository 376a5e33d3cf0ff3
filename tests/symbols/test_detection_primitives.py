import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sympy
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.losses import TreeForm
from jaxloss.losses.tree import compile_expression
from jaxloss.symbols import (
    ALL_PRIMITIVES,
    BOX_PRIMITIVES,
    CLASS_PRIMITIVES,
    Alphabet,
    Primitive,
    PrimitiveSet,
    parse,
)
from jaxloss.symbols.detection_primitives import LARGEST_EXPONENT, dot
from jaxloss.symbols.primitives import PRIMITIVES, TINY
from jaxloss.symbols.variation import VariationSettings, first_population, next_generation

HOSTILE = (0.0, 1e-30, -1e-30, 1e-7, 1.0, -1.0, 60.0, 1e30, -1e30)
GENERIC = (-2.1, -0.7, 0.4, 1.3, 3.2)
NEW = ALL_PRIMITIVES[len(PRIMITIVES) :]
CROSS_ENTROPY = "neg(dot(y, log(softmax(x))))"

each_new = pytest.mark.parametrize("primitive", NEW, ids=lambda row: row.name)
each_elementwise = pytest.mark.parametrize(
    "primitive", [row for row in NEW if row.elementwise], ids=lambda row: row.name
)
each_set = pytest.mark.parametrize(
    "primitives", [CLASS_PRIMITIVES, BOX_PRIMITIVES], ids=["classes", "boxes"]
)


def points(primitive: Primitive, values: tuple[float, ...]) -> tuple[Array, ...]:
    """All combinations of values as arguments; rows of classes where the last axis counts."""
    arguments = jnp.array(list(itertools.product(values, repeat=primitive.arity))).T
    if not primitive.elementwise:
        arguments = arguments.reshape(primitive.arity, -1, len(values))
    return tuple(arguments)


def test_the_sets_are_those_of_the_released_code():
    # github.com/PerdonLiu/CSE-Autoloss, tools/search_space.py: get_multi_cls_pset, get_reg_pset.
    both = "add sub mul neg log exp ratio abs sqrt softplus sigmoid tanh relu sin cos"
    assert set(BOX_PRIMITIVES.by_name) == set(both.split())
    only_classes = {"softmax", "sgdf", "salf", "serf", "dot"}
    assert set(CLASS_PRIMITIVES.by_name) == set(both.split()) | only_classes
    assert CLASS_PRIMITIVES.constants == BOX_PRIMITIVES.constants == (1.0, 2.0, 3.0)
    assert (CLASS_PRIMITIVES.variables, BOX_PRIMITIVES.variables) == (("x", "y"), ("i", "u", "e"))


def test_every_name_stands_for_one_function():
    everything = PrimitiveSet(ALL_PRIMITIVES)
    for primitives in (CLASS_PRIMITIVES, BOX_PRIMITIVES, PrimitiveSet()):
        for primitive in primitives.primitives:
            assert everything.primitive(primitive.name) is primitive


def test_the_sets_say_whether_all_is_elementwise():
    assert BOX_PRIMITIVES.elementwise
    assert not CLASS_PRIMITIVES.elementwise
    assert {row.name for row in ALL_PRIMITIVES if not row.elementwise} == {"softmax", "dot"}


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("neg", (2.0,), -2.0),
        ("exp", (1.0,), np.e),
        ("exp", (1e30,), np.exp(LARGEST_EXPONENT)),
        ("softplus", (0.0,), np.log(2.0)),
        ("softplus", (1e30,), 1e30),
        ("sigmoid", (np.log(3.0),), 0.75),
        ("sin", (1.0,), 0.8414710),
        ("cos", (1.0,), 0.5403023),
        ("relu", (-1.0,), 0.0),
        ("relu", (1.5,), 1.5),
        ("ratio", (3.0, -2.0), -1.5),
        ("ratio", (1.0, 0.0), 1 / TINY),
        ("ratio", (1.0, -1e-30), -1 / TINY),
        ("serf", (1.2,), (scipy.special.erf(np.sqrt(np.pi) * 0.3) + 1) / 2),
        # The Gudermannian function in another form: gd(t) = arcsin(tanh t).
        ("sgdf", (1.2,), (2 / np.pi * np.arcsin(np.tanh(0.3 * np.pi)) + 1) / 2),
        ("salf", (2.0,), (np.sqrt(0.5) + 1) / 2),
    ],
)
def test_values_follow_the_formulae(name: str, arguments: tuple, value: float):
    function = PrimitiveSet(ALL_PRIMITIVES).primitive(name).function
    result = function(*(jnp.float32(argument) for argument in arguments))
    np.testing.assert_allclose(result, value, rtol=1e-6)


@pytest.mark.parametrize("name", ["sigmoid", "serf", "sgdf", "salf"])
def test_s_curves_rise_from_0_to_1_with_the_slope_of_the_logistic(name: str):
    curve = CLASS_PRIMITIVES.primitive(name).function
    np.testing.assert_allclose(curve(jnp.array([-1e30, 0.0, 1e30])), [0.0, 0.5, 1.0], atol=1e-7)
    np.testing.assert_allclose(jax.grad(curve)(0.0), 0.25, rtol=1e-6)


def test_softmax_and_the_inner_product_act_on_the_last_axis():
    x, y = jnp.array([[0.5, -1.0, 2.0], [0.0, 1.0, 0.0]]), jnp.array([[0.0, 2.0, 1.0]] * 2)
    np.testing.assert_allclose(dot(x, y), [[0.0] * 3, [2.0] * 3])
    softmax = CLASS_PRIMITIVES.primitive("softmax").function
    np.testing.assert_allclose(softmax(x), scipy.special.softmax(x, axis=-1), rtol=1e-6)


def test_cross_entropy_with_an_inner_product_is_that_of_the_example_in_each_element():
    x, y = jnp.array([[0.5, -1.0, 2.0], [0.0, 1.0, 0.0]]), jnp.eye(3)[jnp.array([1, 2])]
    tree = parse(CROSS_ENTROPY, CLASS_PRIMITIVES)
    values = compile_expression(tree, ("x", "y")).apply(jnp.ones(tree.size - 1), x, y)
    known = -scipy.special.log_softmax(x, axis=-1)[[0, 1], [1, 2]]
    np.testing.assert_allclose(values, np.repeat(known[:, None], 3, axis=1), rtol=1e-6)


@each_new
def test_functions_are_total_and_derivatives_finite(primitive: Primitive):
    arguments = points(primitive, HOSTILE)
    if primitive.arity == 2:  # Only what is itself too large for a float overflows.
        arguments = tuple(jnp.clip(argument, -1e10, 1e10) for argument in arguments)
    numbers = tuple(range(primitive.arity))

    def total(*arguments: Array) -> Array:
        return jnp.sum(primitive.function(*arguments))

    def pull(*arguments: Array) -> Array:
        return sum(
            (jnp.sum(slope) for slope in jax.grad(total, numbers)(*arguments)), jnp.zeros(())
        )

    assert np.all(np.isfinite(primitive.function(*arguments)))
    for derivatives in (jax.grad(total, numbers), jax.grad(pull, numbers)):
        for derivative in derivatives(*arguments):
            assert np.all(np.isfinite(derivative))


@each_elementwise
@pytest.mark.usefixtures("float64")
def test_the_sympy_form_computes_the_function_away_from_its_guards(primitive: Primitive):
    arguments = points(primitive, GENERIC)
    symbols = sympy.symbols("a b", real=True)[: primitive.arity]
    form = primitive.symbolic(*symbols)
    for row in zip(*arguments, strict=True):
        expected = form.subs(dict(zip(symbols, (float(value) for value in row), strict=True)))
        np.testing.assert_allclose(primitive.function(*row), float(expected), rtol=1e-12)


def test_formulas_are_shown_in_every_form():
    tree = parse(CROSS_ENTROPY, CLASS_PRIMITIVES)
    assert tree.infix() == CROSS_ENTROPY
    assert "softmax" in tree.latex()
    box = parse("1 - ratio(i, u)", BOX_PRIMITIVES)
    assert box.sympy() == 1 - sympy.Symbol("i", real=True) / sympy.Symbol("u", real=True)


@each_set
def test_trees_grow_vary_and_keep_their_form(primitives: PrimitiveSet):
    alphabet = Alphabet(primitives, capacity=24)
    settings = VariationSettings(initial_height=(1, 2), max_height=6)
    settings.check(alphabet)

    @jax.jit
    def two_generations(key: Array) -> tuple[Array, Array]:
        genomes = first_population(key, alphabet, settings, 60)
        return genomes, next_generation(key, alphabet, settings, genomes, jnp.arange(60.0))

    seen = set()
    for genome in np.concatenate(two_generations(jax.random.key(0))):
        tree = alphabet.decode(genome)
        seen |= {node.head.name for node in tree.nodes if isinstance(node.head, Primitive)}
        assert set(tree.variables) == set(primitives.variables)
        assert parse(str(tree), primitives) == tree
        assert parse(tree.infix(), primitives) == tree
        np.testing.assert_array_equal(alphabet.encode(tree), genome)
    assert seen == set(primitives.by_name)


def test_a_saved_loss_of_these_functions_loads():
    tree = parse("sub(1, ratio(i, u))", BOX_PRIMITIVES)
    form = TreeForm(tree, BOX_PRIMITIVES.variables)
    assert TreeForm.from_data(form.as_data()) == form


def test_another_sets_functions_are_refused():
    with pytest.raises(InvalidInputError, match="a known name"):
        parse("softmax(i)", BOX_PRIMITIVES)
    with pytest.raises(InvalidInputError, match="an operator of the primitive set"):
        parse("i / u", BOX_PRIMITIVES)
