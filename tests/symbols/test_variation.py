import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxloss.errors import InvalidInputError
from jaxloss.symbols import Alphabet, Expression, PrimitiveSet, parse
from jaxloss.symbols.genome import PAD
from jaxloss.symbols.parser import MAX_LEVELS, MAX_NODES
from jaxloss.symbols.variation import (
    VariationSettings,
    crossover,
    elite_count,
    ensure_variables,
    first_population,
    mutate,
    next_generation,
    splice,
    tournament,
)

ALPHABET = Alphabet(capacity=36)
BOXES = Alphabet(PrimitiveSet(variables=("i", "u", "e")), capacity=40)
RESIDUAL = Alphabet(PrimitiveSet(variables=("r",)), capacity=33)
# Tight limits, so that children often break them.
TIGHT = VariationSettings(max_height=6, elitism=0.1)
POPULATION = 40

each_alphabet = pytest.mark.parametrize(
    "alphabet", [ALPHABET, BOXES, RESIDUAL], ids=["f y", "i u e", "r"]
)


def decoded(alphabet: Alphabet, genomes: np.ndarray) -> list[Expression]:
    """Reads genomes back and makes sure that they are whole and nothing but trees."""
    trees = [alphabet.decode(genome) for genome in genomes]
    np.testing.assert_array_equal(np.stack([alphabet.encode(tree) for tree in trees]), genomes)
    return trees


def assert_complete(alphabet: Alphabet, trees: list[Expression], max_height: int) -> None:
    for tree in trees:
        assert set(tree.variables) == set(alphabet.primitives.variables)
        assert tree.height <= max_height


@functools.lru_cache
def programs(alphabet: Alphabet) -> tuple[Callable, Callable]:
    """The compiled first population and next generation."""
    return (
        jax.jit(lambda key: first_population(key, alphabet, TIGHT, POPULATION)),
        jax.jit(lambda key, *parts: next_generation(key, alphabet, TIGHT, *parts)),
    )


@each_alphabet
def test_generations_keep_every_promise(alphabet: Alphabet):
    start, vary = programs(alphabet)
    genomes = np.asarray(start(jax.random.key(0)))
    trees = decoded(alphabet, genomes)
    assert_complete(alphabet, trees, 5 + (len(alphabet.primitives.variables) > 2))
    for generation in range(8):
        # Large trees are fit: the limits of size and height are reached soon.
        fitness = np.array([-float(tree.size + tree.height) for tree in trees], np.float32)
        children = np.asarray(vary(jax.random.key(generation), genomes, fitness))
        elite = np.argsort(fitness, kind="stable")[:4]
        np.testing.assert_array_equal(children[:4], genomes[elite])
        assert np.any(children[4:] != genomes[4:])
        genomes, trees = children, decoded(alphabet, children)
        assert_complete(alphabet, trees, TIGHT.max_height)
    assert max(tree.height for tree in trees) == TIGHT.max_height
    assert max(tree.size for tree in trees) > alphabet.capacity - 8


@pytest.mark.parametrize("variables", [("f", "y"), ("i", "u", "e"), ("a", "b", "c", "d")])
def test_first_trees_are_whole_at_the_tightest_settings_allowed(variables: tuple[str, ...]):
    settings = VariationSettings(initial_height=(3, 3), max_height=2 + len(variables))
    alphabet = Alphabet(PrimitiveSet(variables=variables), 15 + 2 * (len(variables) - 1))
    settings.check(alphabet)
    grow = jax.jit(lambda key: first_population(key, alphabet, settings, 200))
    genomes = grow(jax.random.key(1))
    assert_complete(alphabet, decoded(alphabet, np.asarray(genomes)), settings.max_height)


def test_variation_is_the_same_alone_and_under_vmap():
    start, vary = programs(ALPHABET)
    genomes, fitness = start(jax.random.key(3)), jnp.arange(float(POPULATION))
    keys = jax.random.split(jax.random.key(4), 3)
    together = jax.jit(jax.vmap(vary, in_axes=(0, None, None)))(keys, genomes, fitness)
    np.testing.assert_array_equal(together[1], vary(keys[1], genomes, fitness))
    assert np.any(together[0] != together[1])


def replaced(tree: Expression, at: int, part: Expression) -> Expression:
    """Puts ``part`` in the place of node ``at`` (preorder)."""
    if at == 0:
        return part
    arguments, start = list(tree.arguments), 1
    for number, argument in enumerate(arguments):
        if start <= at < start + argument.size:
            arguments[number] = replaced(argument, at - start, part)
        start += argument.size
    return Expression(tree.head, tuple(arguments))


def children_of(operator: Callable, *parents: str, keys: int = 300) -> list[Expression]:
    genomes = [jnp.asarray(ALPHABET.encode(parse(parent))) for parent in parents]
    run = jax.jit(jax.vmap(lambda key: operator(key, ALPHABET, VariationSettings(), *genomes)))
    return decoded(ALPHABET, np.asarray(run(jax.random.split(jax.random.key(5), keys))))


def test_crossover_makes_exactly_the_children_of_one_point_crossover():
    first, second = parse("log(f*y) - 1"), parse("tanh(f) / y")
    possible = {
        str(replaced(first, at, donor)) for at in range(1, first.size) for donor in second.nodes[1:]
    }
    found = {str(child) for child in children_of(crossover, str(first), str(second))}
    assert found == possible


@pytest.mark.parametrize(("first", "second"), [("f", "f - y"), ("f - y", "f")])
def test_crossover_needs_a_tree_with_arguments_on_both_sides(first: str, second: str):
    assert {str(child) for child in children_of(crossover, first, second, keys=10)} == {
        str(parse(first))
    }


def test_mutation_replaces_one_subtree_by_a_small_one():
    parent = parse("log(f*y) - 1")
    places = set()
    for child in children_of(mutate, str(parent)):
        fitting = [
            (at, node)
            for at in range(parent.size)
            for node in child.nodes
            if node.height <= 2 and replaced(parent, at, node) == child
        ]
        assert fitting
        if len(fitting) == 1:
            places.add(fitting[0][0])
    assert places == set(range(parent.size))


def test_a_missing_variable_enters_in_each_of_eight_ways():
    genome = jnp.asarray(ALPHABET.encode(parse("log(1)")))
    fill = jax.jit(
        jax.vmap(lambda key: ensure_variables(key, ALPHABET, VariationSettings(), genome))
    )
    found, valid = fill(jax.random.split(jax.random.key(6), 200))
    assert np.all(valid)
    expected = {
        f"log({name}({pair}))" for name in ("add", "sub", "mul", "div") for pair in ("f, y", "y, f")
    }
    assert {str(tree) for tree in decoded(ALPHABET, np.asarray(found))} == expected


def test_complete_trees_pass_and_those_without_room_are_reported():
    settings, small = VariationSettings(max_height=3, initial_height=(1, 2)), Alphabet(capacity=5)
    fill = jax.jit(lambda genome: ensure_variables(jax.random.key(0), small, settings, genome))

    def filled(text: str) -> str | None:
        tree, valid = fill(small.encode(parse(text)))
        return str(decoded(small, np.asarray(tree)[None])[0]) if valid else None

    assert filled("tanh(tanh(f - y))") == "tanh(tanh(sub(f, y)))"
    assert filled("tanh(tanh(f))") in {
        f"tanh(tanh({name}({pair})))"
        for name in ("add", "sub", "mul", "div")
        for pair in ("f, y", "y, f")
    }
    assert filled("tanh(tanh(tanh(f)))") is None  # too tall with one level more
    assert filled("f + tanh(f)") is None  # too large with two nodes more


CAPACITY = 12
spliced = jax.jit(splice)


@st.composite
def parts_of_lists(draw):
    def part():
        tokens = draw(st.lists(st.integers(0, 15), min_size=1, max_size=CAPACITY))
        start = draw(st.integers(0, len(tokens) - 1))
        return tokens, start, draw(st.integers(start + 1, len(tokens)))

    return part(), part()


@given(parts_of_lists())
def test_splicing_agrees_with_slices_of_lists(parts):
    (tokens, start, stop), (donor, donor_start, donor_stop) = parts

    def genome(row: list[int]) -> np.ndarray:
        return np.array((row + [PAD] * CAPACITY)[:CAPACITY], np.int32)

    expected = tokens[:start] + donor[donor_start:donor_stop] + tokens[stop:]
    numbers = [jnp.int32(number) for number in (start, stop, donor_start, donor_stop)]
    found, fits = spliced(genome(tokens), *numbers[:2], genome(donor), *numbers[2:])
    assert bool(fits) == (len(expected) <= CAPACITY)
    np.testing.assert_array_equal(found, genome(expected))


@pytest.mark.parametrize("entrants", [1, 2, 4])
def test_tournaments_choose_as_the_formula_says(entrants: int):
    fitness = jnp.array([3.0, jnp.inf, -1.0, 0.5])
    winners = tournament(jax.random.key(7), fitness, entrants, 8000)
    shares = np.bincount(np.asarray(winners), minlength=4) / 8000
    # P(rank r wins) = ((n - r)^k - (n - r - 1)^k) / n^k, the infinite one ranking last.
    chances = [((4 - rank) ** entrants - (3 - rank) ** entrants) / 4**entrants for rank in range(4)]
    np.testing.assert_allclose(shares[[2, 3, 0, 1]], chances, atol=0.02)


@pytest.mark.parametrize(
    ("elitism", "population", "count"),
    [(0.05, 25, 2), (0.05, 20, 1), (0.05, 1, 1), (0.0, 25, 0), (1.0, 7, 7), (0.07, 100, 7)],
)
def test_the_elite_is_the_share_rounded_up(elitism: float, population: int, count: int):
    assert elite_count(VariationSettings(elitism=elitism), population) == count


def test_without_operators_and_elite_all_children_are_copies():
    settings = VariationSettings(crossover=0.0, mutation=0.0, elitism=0.0)

    @jax.jit
    def run(key):
        genomes = first_population(key, ALPHABET, settings, 10)
        return genomes, next_generation(key, ALPHABET, settings, genomes, jnp.arange(10.0))

    parents, children = (
        {tuple(row) for row in np.asarray(rows).tolist()} for rows in run(jax.random.key(8))
    )
    assert len(parents) > 1
    assert children <= parents


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crossover": 0.8, "mutation": 0.3}, "at most 1 together"),
        ({"crossover": -0.1}, "chances within"),
        ({"elitism": 1.5}, "chances within"),
        ({"tournament": 0}, "a tournament needs 1 or more, got 0"),
        ({"initial_height": (3, 2)}, "initial_height needs 0 <= lowest <= highest"),
        ({"mutation_height": (-1, 2)}, "mutation_height needs 0 <= lowest <= highest"),
        ({"initial_height": (0, 2)}, "height 1 to hold f and y"),
        ({"max_height": 4}, "max_height is 4, below the minimum of 5"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        VariationSettings(**settings)


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        (VariationSettings(), 33),
        (VariationSettings(initial_height=(1, 2), mutation_height=(0, 4)), 31),
        (VariationSettings(mutation_height=(0, 5)), 63),
    ],
)
def test_genomes_too_small_for_the_trees_that_are_drawn_are_refused(
    settings: VariationSettings, needed: int
):
    settings.check(Alphabet(capacity=needed))
    message = f"can need {needed} nodes, but max_nodes is {needed - 1}"
    with pytest.raises(InvalidInputError, match=message):
        settings.check(Alphabet(capacity=needed - 1))


@pytest.mark.parametrize(
    ("settings", "nodes"),
    [
        ({"max_height": MAX_LEVELS}, MAX_NODES),
        ({"max_height": MAX_LEVELS - 1}, MAX_NODES + 1),
        ({"mutation_height": (0, 10**6)}, MAX_NODES),
    ],
)
def test_trees_that_could_not_be_read_back_are_refused(settings: dict, nodes: int):
    VariationSettings(max_height=MAX_LEVELS - 1).check_sizes(MAX_NODES)
    with pytest.raises(InvalidInputError, match="could not be read back when saved"):
        VariationSettings(**settings).check_sizes(nodes)
