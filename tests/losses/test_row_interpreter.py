"""Any tree in one program, in plain reverse mode: as the tree's own compiled function."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss.losses.interpreter import assemble
from jaxloss.losses.row_interpreter import interpret_rows, row_binding
from jaxloss.losses.tree import compile_expression
from jaxloss.losses.views import view_named
from jaxloss.symbols import BOX_PRIMITIVES, CLASS_PRIMITIVES, Alphabet, parse
from jaxloss.symbols.genome import grow

TREES = 24
SHAPES = {"classes": (3, 4), "boxes": (5,)}
GIVEN = {
    "classes": [
        "x",
        "2",
        "neg(dot(y, log(softmax(x))))",
        "dot(sub(softmax(x), y), sub(softmax(x), y))",
        # The same row as both operands, and one row used twice.
        "dot(x, x)",
        "mul(softmax(x), softmax(add(x, softmax(x))))",
        "ratio(softplus(x), sqrt(dot(x, y)))",
    ],
    "boxes": [
        "u",
        "sub(1, ratio(i, u))",
        "add(sub(1, ratio(i, u)), ratio(sub(e, u), e))",
        "mul(u, u)",
    ],
}

Sweep = Callable[..., tuple[Array, tuple[Array, ...]]]


class Forest(NamedTuple):
    """Trees and what they are evaluated on; leading axes of trees and of draws.

    Attributes:
        sweep: ``(genome, cotangent, *variables) -> (values, cotangents of the variables)``.
    """

    alphabet: Alphabet
    genomes: np.ndarray
    cotangents: np.ndarray
    variables: tuple[np.ndarray, ...]
    sweep: Sweep


@pytest.fixture(scope="module", params=SHAPES)
def forest(request: pytest.FixtureRequest) -> Forest:
    primitives = {"classes": CLASS_PRIMITIVES, "boxes": BOX_PRIMITIVES}[request.param]
    alphabet = Alphabet(primitives, 24)
    keys = jax.random.split(jax.random.key(0), TREES)
    grown = np.array(jax.vmap(lambda key: grow(key, alphabet, 1, 3))(keys))
    given = [alphabet.encode(parse(text, primitives)) for text in GIVEN[request.param]]
    generator = np.random.default_rng(0)
    shape = (2, *SHAPES[request.param])

    def draw() -> np.ndarray:
        return generator.uniform(0.2, 2.0, shape).astype(np.float32)

    def sweep(genome: Array, cotangent: Array, *variables: Array) -> tuple[Array, tuple]:
        program = assemble(alphabet, genome)
        values, pull = jax.vjp(lambda *seen: interpret_rows(alphabet, program, *seen), *variables)
        return values, pull(cotangent)

    variables = tuple(draw() for _ in primitives.variables)
    return Forest(alphabet, np.concatenate([given, grown]), draw(), variables, sweep)


def compiled_sweep(forest: Forest, genome: np.ndarray, draw: int) -> tuple[Array, tuple]:
    tree = forest.alphabet.decode(genome)
    apply = compile_expression(tree, forest.alphabet.primitives.variables).apply
    weights = jnp.ones(tree.size - 1)
    variables = [variable[draw] for variable in forest.variables]
    values, pull = jax.vjp(lambda *seen: apply(weights, *seen), *variables)
    return values, pull(jnp.asarray(forest.cotangents[draw]))


def assert_close(one: Array, other: Array, context: str) -> None:
    scale = 1e-5 * max(1.0, float(np.max(np.abs(other))))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=scale, err_msg=context)


def test_the_forest_holds_every_function(forest: Forest):
    names = {primitive.name for primitive in forest.alphabet.primitives.primitives}
    trees = [forest.alphabet.decode(genome) for genome in forest.genomes]
    found = {str(node.head) for tree in trees for node in tree.nodes if node.arguments}
    # A few of many may be missing in so small a forest, but not those over the last axis.
    assert len(found) >= len(names) - 2
    assert found >= {"softmax", "dot"} & names


def test_trees_and_draws_in_one_nested_program_equal_compiled_trees(forest: Forest):
    """Values and the derivatives for all variables."""

    @jax.jit
    def all_at_once(genomes: Array, cotangents: Array, *variables: Array) -> tuple:
        over_draws = jax.vmap(forest.sweep, in_axes=(None, 0, *[0] * len(variables)))
        over_trees = jax.vmap(over_draws, in_axes=(0, None, *[None] * len(variables)))
        return over_trees(genomes, cotangents, *variables)

    values, slopes = all_at_once(forest.genomes, forest.cotangents, *forest.variables)
    for i, genome in enumerate(forest.genomes):
        text = str(forest.alphabet.decode(genome))
        for draw in range(2):
            expected, expected_slopes = compiled_sweep(forest, genome, draw)
            assert_close(values[i, draw], expected, text)
            for own, other in zip(slopes, expected_slopes, strict=True):
                assert_close(own[i, draw], other, f"slope of {text}")


def test_a_population_equals_its_members_one_by_one(forest: Forest):
    one = jax.jit(forest.sweep)
    many = jax.jit(jax.vmap(forest.sweep, in_axes=(0, None, *[None] * len(forest.variables))))
    seen = forest.cotangents[0], *(variable[0] for variable in forest.variables)
    together = many(forest.genomes[:6], *seen)
    for i in range(6):
        for own, row in zip(
            jax.tree.leaves(one(forest.genomes[i], *seen)), jax.tree.leaves(together), strict=True
        ):
            np.testing.assert_array_equal(row[i], own)


def test_another_tree_compiles_nothing(forest: Forest):
    traced = []

    @jax.jit
    def values(genome: Array, *variables: Array) -> Array:
        traced.append(genome)
        return interpret_rows(forest.alphabet, assemble(forest.alphabet, genome), *variables)

    seen = [variable[0] for variable in forest.variables]
    results = [np.asarray(values(genome, *seen)) for genome in forest.genomes[:5]]
    assert len(traced) == 1
    assert not np.array_equal(results[0], results[2])


def test_a_binding_sums_over_the_elements_of_an_example():
    alphabet = Alphabet(CLASS_PRIMITIVES, 24)
    genome = alphabet.encode(parse("neg(mul(y, log(softmax(x))))", CLASS_PRIMITIVES))
    logits = jnp.array([[0.0, 1.0, -1.0], [2.0, 0.0, 0.5]])
    loss = row_binding(alphabet, view_named("logits"), jnp.asarray(genome))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = [-np.log(chances[0, 1]), -np.log(chances[1, 0])]
    np.testing.assert_allclose(loss(logits, jnp.array([1, 0])), expected, rtol=1e-5)
