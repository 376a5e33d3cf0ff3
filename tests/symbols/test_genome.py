from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.symbols import Alphabet, Expression, PrimitiveSet, parse
from jaxloss.symbols.genome import PAD, canonical_hash, grow, height, layout, size
from jaxloss.symbols.primitives import Primitive

ALPHABET = Alphabet(capacity=32)
BOXES = Alphabet(PrimitiveSet(variables=("i", "u", "e")), capacity=40)

both_alphabets = pytest.mark.parametrize("alphabet", [ALPHABET, BOXES], ids=["f y", "i u e"])


def formulas_of(alphabet: Alphabet, random_formulas, seed: int, count: int) -> list[Expression]:
    names = alphabet.primitives.variables
    return [parse(text, alphabet.primitives) for text in random_formulas(seed, count, 4, names)]


def encoded(alphabet: Alphabet, trees: Sequence[Expression]) -> np.ndarray:
    return np.stack([alphabet.encode(tree) for tree in trees])


@both_alphabets
def test_encoding_and_decoding_undo_each_other(alphabet: Alphabet, random_formulas):
    for tree in formulas_of(alphabet, random_formulas, seed=1, count=200):
        genome = alphabet.encode(tree)
        assert alphabet.decode(genome) == tree
        assert np.all((genome != PAD) == (np.arange(alphabet.capacity) < tree.size))


def test_a_genome_is_the_preorder_of_tokens():
    # Tokens: add 0, mul 2, log 10; then f 12, y 13, 1 14, -1 15.
    genome = Alphabet(capacity=8).encode(parse("add(mul(y, f), log(-1))"))
    assert genome.tolist() == [0, 2, 13, 12, 10, 15, PAD, PAD]


def test_what_does_not_fit_a_genome_is_refused():
    small = Alphabet(capacity=5)
    assert small.decode(small.encode(parse("f*y - 1"))) == parse("f*y - 1")
    with pytest.raises(InvalidInputError, match="has 6 nodes; a genome holds 5"):
        small.encode(parse("f*y - log(1)"))
    with pytest.raises(InvalidInputError, match=r"^0\.5 in .* not in the alphabet .* f, y, 1, -1"):
        small.encode(parse("f - 0.5"))
    with pytest.raises(InvalidInputError, match=r"^f in .* not in the alphabet"):
        BOXES.encode(parse("f - 1"))
    with pytest.raises(InvalidInputError, match="3 tokens or more, got 2"):
        Alphabet(capacity=2)


def places(tree: Expression) -> list[tuple[int, int, int, int]]:
    """End, left, right and depth of each node, by recursion."""
    rows: list[tuple[int, int, int, int]] = []

    def visit(node: Expression, depth: int) -> None:
        own = len(rows)
        rows.append((own + node.size, 0, 0, depth))
        starts = []
        for argument in node.arguments:
            starts.append(len(rows))
            visit(argument, depth + 1)
        left, right = [*starts, 0, 0][:2]
        rows[own] = (own + node.size, left, right, depth)

    visit(tree, 0)
    return rows


@both_alphabets
def test_the_layout_agrees_with_recursion(alphabet: Alphabet, random_formulas):
    trees = formulas_of(alphabet, random_formulas, seed=2, count=150)
    genomes = encoded(alphabet, trees)
    found = jax.jit(jax.vmap(lambda genome: layout(alphabet, genome)))(genomes)
    heights = jax.jit(jax.vmap(lambda genome: height(alphabet, genome)))(genomes)
    assert heights.tolist() == [tree.height for tree in trees]
    assert jax.vmap(size)(jnp.asarray(genomes)).tolist() == [tree.size for tree in trees]
    for row, tree in enumerate(trees):
        own = np.stack([part[row, : tree.size] for part in found], axis=1)
        np.testing.assert_array_equal(own, places(tree))


def canonical(tree: Expression) -> str:
    """Writes a tree so that the order of commutative arguments does not show."""

    def function(primitive: Primitive, parts: Sequence[str]) -> str:
        ordered = sorted(parts) if primitive.commutative else parts
        return f"{primitive.name}({', '.join(ordered)})"

    return tree.fold(str, function)


def shuffled(tree: Expression, generator: np.random.Generator) -> Expression:
    """Swaps the arguments of some commutative functions."""

    def function(primitive: Primitive, parts: Sequence[Expression]) -> Expression:
        swap = primitive.commutative and generator.random() < 0.5
        return Expression(primitive, tuple(parts[::-1] if swap else parts))

    return tree.fold(Expression, function)


@pytest.fixture(scope="module")
def hash_of():
    hashes = jax.jit(jax.vmap(lambda genome: canonical_hash(ALPHABET, genome)))

    def run(trees: Sequence[Expression]) -> list[tuple[int, ...]]:
        return [tuple(row) for row in np.asarray(hashes(encoded(ALPHABET, trees))).tolist()]

    return run


def test_distinct_trees_have_distinct_hashes_and_swapped_ones_the_same(hash_of, random_formulas):
    trees = formulas_of(ALPHABET, random_formulas, seed=3, count=4500)
    distinct = list({canonical(tree): tree for tree in trees}.values())
    assert len(distinct) > 2000
    hashes = hash_of(distinct)
    assert len(set(hashes)) == len(distinct)
    # The lanes are independent: neither alone is constant or a copy of the other.
    assert min(len({row[lane] for row in hashes}) for lane in (0, 1)) > len(distinct) - 3
    generator = np.random.default_rng(0)
    swapped = [shuffled(tree, generator) for tree in distinct]
    assert sum(map(lambda a, b: a != b, swapped, distinct)) > len(distinct) / 4
    assert hash_of(swapped) == hashes


@pytest.mark.parametrize("name", ["sub", "div"])
def test_the_order_of_other_arguments_counts(hash_of, name: str):
    texts = [f"{name}(f, y)", f"{name}(y, f)", f"log({name}(f, y)) + 1", f"log({name}(y, f)) + 1"]
    assert len(set(hash_of([parse(text) for text in texts]))) == 4


def test_the_hash_does_not_depend_on_the_padding(hash_of):
    tree = parse("log(f*y) - 1")
    narrow = Alphabet(capacity=6)
    run = jax.jit(lambda genome: canonical_hash(narrow, genome))
    assert tuple(run(narrow.encode(tree)).tolist()) == hash_of([tree])[0]


def half_and_half(generator: np.random.Generator, lowest: int, highest: int) -> tuple[int, ...]:
    """Draws a tree as DEAP's genHalfAndHalf does; size, height, whether it is full."""
    tallest, full = generator.integers(lowest, highest + 1), generator.random() < 0.5
    leaves: list[int] = []

    def nodes(depth: int) -> int:
        early = not full and depth >= lowest and generator.random() < 4 / 16
        if depth == tallest or early:
            leaves.append(depth)
            return 1
        arity = 2 if generator.random() < 6 / 12 else 1
        return 1 + sum(nodes(depth + 1) for _ in range(arity))

    count = nodes(0)
    return count, max(leaves), int(min(leaves) == max(leaves))


def is_full(tree: Expression) -> bool:
    depths = {
        row[3] for row, node in zip(places(tree), tree.nodes, strict=True) if not node.size > 1
    }
    return len(depths) == 1


@pytest.mark.parametrize(("lowest", "highest"), [(2, 4), (0, 3)])
def test_trees_grow_as_in_ramped_half_and_half(lowest: int, highest: int):
    keys = jax.random.split(jax.random.key(0), 3000)
    genomes = jax.jit(jax.vmap(lambda key: grow(key, ALPHABET, lowest, highest)))(keys)
    trees = [ALPHABET.decode(genome) for genome in np.asarray(genomes)]
    np.testing.assert_array_equal(encoded(ALPHABET, trees), genomes)
    grown = np.array([(tree.size, tree.height, is_full(tree)) for tree in trees])
    assert grown[:, 1].min() == lowest
    assert grown[:, 1].max() == highest
    generator = np.random.default_rng(1)
    expected = np.array([half_and_half(generator, lowest, highest) for _ in range(3000)])
    spread = np.sqrt((grown.var(axis=0) + expected.var(axis=0)) / 3000)
    assert np.all(np.abs(grown.mean(axis=0) - expected.mean(axis=0)) < 4 * spread)


def test_every_token_grows_about_as_often_as_its_kind():
    keys = jax.random.split(jax.random.key(3), 3000)
    genomes = np.asarray(jax.jit(jax.vmap(lambda key: grow(key, BOXES, 2, 4)))(keys))
    counts = np.bincount(genomes[genomes != PAD], minlength=17)
    for kind in (counts[:12], counts[12:]):
        assert np.all(np.abs(kind / kind.mean() - 1) < 0.15)


def test_full_trees_of_one_height_reach_it_everywhere():
    keys = jax.random.split(jax.random.key(1), 200)
    genomes = jax.jit(jax.vmap(lambda key: grow(key, ALPHABET, 4, 4)))(keys)
    trees = [ALPHABET.decode(genome) for genome in np.asarray(genomes)]
    assert all(is_full(tree) and tree.height == 4 for tree in trees)


def test_one_key_grows_one_tree():
    keys = jax.random.split(jax.random.key(2), 20)
    together = jax.jit(jax.vmap(lambda key: grow(key, ALPHABET, 2, 4)))(keys)
    alone = jax.jit(lambda key: grow(key, ALPHABET, 2, 4))
    np.testing.assert_array_equal(together[:3], [alone(key) for key in keys[:3]])
    assert len({tuple(row) for row in np.asarray(together).tolist()}) > 15
