from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jaxtyping import Array

from jaxloss.losses import assemble, compile_expression, interpret, interpreter
from jaxloss.symbols import Alphabet, Expression, PrimitiveSet, parse

ALPHABET = Alphabet(capacity=32)
BOXES = Alphabet(PrimitiveSet(variables=("i", "u", "e")), capacity=32)
# Another capacity, so that programs traced for the select path are kept apart.
SELECTED = Alphabet(capacity=31)
POINTS = 6
HOSTILE = (0.0, 1e-30, 1.0, -1.0, 1e30, -1e30)

Apply = Callable[..., Array]


def everything(apply: Apply, weights: Array, v: Array, variables: Sequence[Array]) -> Any:
    """Values, slopes, weight gradient, and the derivatives of v · ∂ℓ/∂f (the mixed ones)."""

    def total(weights: Array, variables: Sequence[Array]) -> Array:
        return jnp.sum(apply(weights, *variables))

    def pushed(weights: Array, variables: Sequence[Array]) -> Array:
        def of_first(first: Array) -> Array:
            return jnp.sum(apply(weights, first, *variables[1:]))

        return jnp.sum(v * jax.grad(of_first)(variables[0]))

    values = apply(weights, *variables)
    by_weights = jax.grad(lambda weights: jnp.sum(v * apply(weights, *variables)))(weights)
    return {
        "values": values,
        "slopes": jax.grad(total, 1)(weights, variables),
        "by weights": by_weights,
        "mixed": jax.grad(pushed, (0, 1))(weights, variables),
    }


def interpreted(alphabet: Alphabet) -> Any:
    """One program for all trees: ``(genome, weights, v, variables) -> everything``."""

    @jax.jit
    def run(genome: Array, weights: Array, v: Array, variables: Sequence[Array]) -> Any:
        program = assemble(alphabet, genome)

        def apply(weights: Array, *variables: Array) -> Array:
            return interpret(alphabet, program, weights, *variables)

        return everything(apply, weights, v, variables)

    return run


RUN = {alphabet: interpreted(alphabet) for alphabet in (ALPHABET, BOXES, SELECTED)}


def assert_same(
    alphabet: Alphabet,
    tree: Expression,
    weights: Any,
    v: Any,
    variables: Any,
    rtol: float,
    atol: float,
) -> None:
    """Compares the interpreter with the compiler on one tree."""
    edges = tree.size - 1
    found = RUN[alphabet](alphabet.encode(tree), weights, v, variables)
    apply = compile_expression(tree, alphabet.primitives.variables).apply
    expected = everything(apply, weights[:edges], v, variables)
    # Weights beyond the tree's own edges are not read.
    assert not np.any(found["by weights"][edges:])
    assert not np.any(found["mixed"][0][edges:])
    found["by weights"] = found["by weights"][:edges]
    found["mixed"] = (found["mixed"][0][:edges], found["mixed"][1])
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol, atol, err_msg=str(tree)),
        found,
        expected,
    )


def drawn(alphabet: Alphabet, seed: int, points: int = POINTS) -> tuple[Any, Any, Any]:
    """Random weights, cotangents and variables."""
    generator = np.random.default_rng(seed)
    weights = generator.uniform(0.5, 1.5, alphabet.capacity - 1)
    variables = [generator.normal(0, 1.5, points) for _ in alphabet.primitives.variables]
    v = generator.normal(0, 1, points)
    return jax.tree.map(jnp.asarray, (weights, v, tuple(variables)))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("alphabet", [ALPHABET, BOXES], ids=["f y", "i u e"])
def test_interpreted_trees_agree_with_compiled_ones(alphabet: Alphabet, random_formulas):
    count = 40 if alphabet is ALPHABET else 10
    names = alphabet.primitives.variables
    for seed, text in enumerate(random_formulas(11, count, 4, names)):
        assert_same(
            alphabet,
            parse(text, alphabet.primitives),
            *drawn(alphabet, seed),
            rtol=1e-9,
            atol=1e-10,
        )


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "text",
    [
        "f",
        "y",
        "-1",
        "tanh(" * 31 + "f" + ")" * 31,
        "sub(f, f)",
        "mul(mul(f, f), mul(f, y))",
        "f - (y - (f - (y - (f - (y - (f - (y - f)))))))",
    ],
)
def test_trees_of_extreme_shape_agree(text: str):
    assert_same(ALPHABET, parse(text), *drawn(ALPHABET, 0), rtol=1e-9, atol=1e-12)


def hostile_points() -> tuple[Array, Array]:
    pairs = np.array(np.meshgrid(HOSTILE, HOSTILE)).reshape(2, -1)
    return jnp.array(pairs[0], jnp.float32), jnp.array(pairs[1], jnp.float32)


def test_hostile_inputs_give_the_same_values_slopes_and_mixed_derivatives(random_formulas):
    variables = hostile_points()
    v = jnp.ones(len(HOSTILE) ** 2)
    # Weights of 1, so that huge numbers cancel exactly or not at all.
    weights = jnp.ones(ALPHABET.capacity - 1)
    # With relative tolerances NaN and the infinities have to stand in the same places.
    for text in random_formulas(12, 25, 3):
        tree = parse(text)
        found = RUN[ALPHABET](ALPHABET.encode(tree), weights, v, variables)
        apply = compile_expression(tree).apply
        own = weights[: tree.size - 1]
        values, pull = jax.vjp(lambda f, y, apply=apply, own=own: apply(own, f, y), *variables)
        np.testing.assert_allclose(found["values"], values, rtol=1e-5, err_msg=text)
        for slope, expected in zip(found["slopes"], pull(jnp.ones_like(v)), strict=True):
            np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-30, err_msg=text)

        def total(f: Array, y: Array, apply: Any = apply, own: Array = own) -> Array:
            return jnp.sum(v * jax.grad(lambda f: jnp.sum(apply(own, f, y)))(f))

        mixed = jax.jit(jax.grad(total, (0, 1)))(*variables)
        for one, expected in zip(found["mixed"][1], mixed, strict=True):
            np.testing.assert_allclose(one, expected, rtol=1e-3, atol=1e-30, err_msg=text)


ALL_PRIMITIVES = [
    *(f"{name}(f, y)" for name in ("add", "sub", "mul", "div", "min", "max")),
    *(f"{name}(f)" for name in ("sign", "square", "abs", "tanh", "log", "sqrt")),
]


@pytest.fixture
def select_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the interpreter run trees side by side, as it does on accelerators."""
    monkeypatch.setattr(interpreter, "trees_run_side_by_side", lambda: True)


@pytest.mark.usefixtures("select_path")
class TestTheWayOfAccelerators:
    def test_it_is_a_select_of_all_branches(self):
        arguments = drawn(SELECTED, 0)
        text = RUN[SELECTED].lower(SELECTED.encode(parse("f - y")), *arguments).as_text()
        assert "stablehlo.case" not in text
        assert "stablehlo.while" in text

    def test_it_agrees_with_compiled_trees(self, random_formulas):
        texts = [*random_formulas(13, 15, 3), *ALL_PRIMITIVES, "f", "1"]
        for seed, text in enumerate(texts):
            assert_same(SELECTED, parse(text), *drawn(SELECTED, seed), rtol=2e-4, atol=2e-4)

    @pytest.mark.parametrize("text", ALL_PRIMITIVES)
    def test_no_branch_that_is_not_taken_leaks(self, text: str):
        f, y = hostile_points()
        tree = parse(text)
        values = compile_expression(tree).apply(jnp.ones(tree.size - 1), f, y)
        alive = np.isfinite(values)
        f, y = jnp.where(alive, f, 1.0), jnp.where(alive, y, 1.0)
        found = RUN[SELECTED](SELECTED.encode(tree), jnp.ones(30), jnp.full(f.shape, 1e-30), (f, y))
        for leaf in (found["values"], *found["slopes"], *found["mixed"][1]):
            assert np.all(np.isfinite(leaf))

    def test_nested_vmaps_agree_with_one_by_one(self, random_formulas):
        assert_nested_vmaps_agree(SELECTED, random_formulas(14, 4, 3))


def test_on_a_cpu_no_branch_that_is_not_taken_leaks():
    f, y = hostile_points()
    for text in ("f - y", "tanh(f)", "div(f, y)", "max(f, y)"):
        tree = parse(text)
        found = RUN[ALPHABET](ALPHABET.encode(tree), jnp.ones(31), jnp.full(f.shape, 1e-30), (f, y))
        for leaf in jax.tree.leaves((found["values"], found["slopes"], found["mixed"][1])):
            assert np.all(np.isfinite(leaf))


def assert_nested_vmaps_agree(alphabet: Alphabet, texts: list[str], seeds: int = 3) -> None:
    """Population × seeds, where f differs for each, weights for each tree, and y for none."""
    generator = np.random.default_rng(0)
    genomes = np.stack([alphabet.encode(parse(text)) for text in texts])
    shape = (len(texts), seeds, POINTS)
    f = jnp.asarray(generator.normal(size=shape), jnp.float32)
    y = jnp.asarray(generator.normal(size=POINTS), jnp.float32)
    weights = jnp.asarray(
        generator.uniform(0.5, 1.5, (len(texts), alphabet.capacity - 1)), jnp.float32
    )

    def one(genome: Array, weights: Array, f: Array) -> tuple[Array, Array]:
        def slope(weights: Array) -> tuple[Array, Array]:
            def total(f: Array) -> Array:
                program = assemble(alphabet, genome)
                return jnp.sum(interpret(alphabet, program, weights, f, y))

            value, slopes = jax.value_and_grad(total)(f)
            return jnp.sum(slopes * y), value

        mixed, value = jax.grad(slope, has_aux=True)(weights)
        return value, mixed

    over_seeds = jax.vmap(one, in_axes=(None, None, 0))
    values, mixed = jax.jit(jax.vmap(over_seeds))(genomes, weights, f)
    # The other order of nesting merges the axes the other way round.
    over_trees = jax.vmap(one)
    swapped = jax.jit(jax.vmap(over_trees, in_axes=(None, None, 1), out_axes=1))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        swapped(genomes, weights, f),
        (values, mixed),
    )
    for i, text in enumerate(texts):
        tree = parse(text)
        for seed in range(seeds):
            own = weights[i, : tree.size - 1]
            expected = everything(compile_expression(tree).apply, own, y, (f[i, seed], y))
            np.testing.assert_allclose(
                values[i, seed], jnp.sum(expected["values"]), rtol=1e-4, atol=1e-4, err_msg=text
            )
            np.testing.assert_allclose(
                mixed[i, seed, : tree.size - 1],
                expected["mixed"][0],
                rtol=1e-3,
                atol=1e-3,
                err_msg=text,
            )


def test_nested_vmaps_agree_with_one_by_one(random_formulas):
    assert_nested_vmaps_agree(ALPHABET, random_formulas(15, 5, 3))


def test_one_program_serves_all_trees(random_formulas):
    traces = 0

    @jax.jit
    def run(genome: Array, f: Array, y: Array) -> Array:
        nonlocal traces
        traces += 1
        return interpret(ALPHABET, assemble(ALPHABET, genome), jnp.ones(31), f, y)

    f, y = jnp.arange(3.0), jnp.ones(3)
    results = {
        tuple(run(ALPHABET.encode(parse(text)), f, y).tolist()) for text in random_formulas(16, 12)
    }
    assert len(results) > 5
    assert traces == 1


def test_shapes_are_kept():
    genome = ALPHABET.encode(parse("f*y"))
    f = jnp.arange(6.0).reshape(1, 2, 3)
    values = interpret(ALPHABET, assemble(ALPHABET, jnp.asarray(genome)), jnp.ones(31), f, f)
    np.testing.assert_allclose(values, f**2)


@pytest.mark.usefixtures("select_path")
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_it_lowers_for_accelerators(platform: str):
    def meta(genome: Array, weights: Array, f: Array, y: Array) -> Array:
        def slope(weights: Array) -> Array:
            program = assemble(ALPHABET, genome)

            def total(f: Array) -> Array:
                return jnp.sum(interpret(ALPHABET, program, weights, f, y))

            return jnp.sum(jax.grad(total)(f) * y)

        return jax.grad(slope)(weights)

    shapes = [(3, 32), (3, 31), (3, 4), (3, 4)]
    kinds = [jnp.int32, jnp.float32, jnp.float32, jnp.float32]
    arguments = [jax.ShapeDtypeStruct(*both) for both in zip(shapes, kinds, strict=True)]
    exported = export.export(jax.jit(jax.vmap(meta)), platforms=[platform])(*arguments)
    assert exported.platforms == (platform,)
    assert [shape.shape for shape in exported.out_avals] == [(3, 31)]
