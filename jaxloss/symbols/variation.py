"""Genetic operators on genomes: pure functions of a key, made for ``jit`` and ``vmap``.

Settings and order of operations follow EvoMAL (https://arxiv.org/abs/2209.08907, Section 4.1).
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.symbols.genome import PAD, Alphabet, Genome, arity_of, grow, height, layout, size
from jaxloss.symbols.parser import MAX_LEVELS, MAX_NODES


@dataclass(frozen=True)
class VariationSettings:
    """How children come from parents; defaults from the released EvoMAL code."""

    crossover: float = 0.70
    """Chance that a child comes from one-point subtree crossover."""
    mutation: float = 0.25
    """Chance that a child comes from uniform subtree mutation; the rest are copies."""
    tournament: int = 4
    """How many individuals compete for each place among the parents."""
    elitism: float = 0.05
    """Share of the population, rounded up, that passes unchanged."""
    max_height: int = 10
    """A taller child is dropped and its parent kept; at most 69, so that a saved loss loads."""
    initial_height: tuple[int, int] = (2, 4)
    """Heights of the first trees (ramped half-and-half)."""
    mutation_height: tuple[int, int] = (0, 2)
    """Heights of the subtrees that mutation inserts."""

    def __post_init__(self) -> None:
        chances = self.crossover, self.mutation, self.elitism
        require(
            all(0 <= chance <= 1 for chance in chances) and self.crossover + self.mutation <= 1,
            "crossover, mutation and elitism are chances within [0, 1], the first two at most 1 "
            f"together; got {chances}",
        )
        require(self.tournament >= 1, f"a tournament needs 1 or more, got {self.tournament}")
        for name, (lowest, highest) in (
            ("initial_height", self.initial_height),
            ("mutation_height", self.mutation_height),
        ):
            require(
                0 <= lowest <= highest,
                f"{name} needs 0 <= lowest <= highest, got {lowest, highest}",
            )
        require(self.initial_height[0] >= 1, "a first tree needs height 1 to hold f and y")
        require(
            self.max_height >= self.initial_height[1] + 1,
            f"max_height is {self.max_height}, below the minimum of {self.initial_height[1] + 1} "
            "(the tallest first tree and one level for a missing variable)",
        )

    def check(self, alphabet: Alphabet) -> None:
        """Raises `InvalidInputError` if trees over the alphabet cannot keep to these settings."""
        missing = len(alphabet.primitives.variables) - 1
        tallest = self.initial_height[1] + missing
        require(
            self.max_height >= tallest,
            f"max_height is {self.max_height}, below the minimum of {tallest} (the tallest first "
            f"tree and {missing} levels for missing variables)",
        )
        require(
            missing == 0 or bool(np.any(alphabet.arities == 2)),
            "joining several variables needs a primitive of two arguments",
        )
        self.check_sizes(alphabet.capacity, missing)

    def check_sizes(self, max_nodes: int, missing: int = 0) -> None:
        """Raises `InvalidInputError` if a new tree may not fit, or a saved one not be read back.

        Args:
            max_nodes: that a tree may have.
            missing: how many variables a first tree may yet have to take in.
        """
        tallest = max(self.max_height, self.mutation_height[1])
        require(
            tallest < MAX_LEVELS and max_nodes <= MAX_NODES,
            f"trees of height {tallest} and {max_nodes} nodes could not be read back when saved; "
            f"expected a height below {MAX_LEVELS} and max_nodes of at most {MAX_NODES}",
        )
        for highest, joining in (
            (self.initial_height[1], 2 * missing),
            (self.mutation_height[1], 0),
        ):
            needed = 2 ** (highest + 1) - 1 + joining
            require(
                max_nodes >= needed,
                f"trees of height {highest} can need {needed} nodes, but max_nodes is {max_nodes}",
            )


def splice(
    receiver: Genome,
    start: Int[Array, ""],
    stop: Int[Array, ""],
    donor: Genome,
    donor_start: Int[Array, ""],
    donor_stop: Int[Array, ""],
) -> tuple[Genome, Bool[Array, ""]]:
    """Replaces tokens ``start:stop`` of the receiver by ``donor_start:donor_stop`` of the donor.

    Returns:
        The new genome (cut at the capacity) and whether it fitted.
    """
    position = jnp.arange(receiver.shape[0])
    inserted = donor_stop - donor_start
    from_donor = donor[jnp.clip(donor_start + position - start, 0, donor.shape[0] - 1)]
    behind = position - inserted + (stop - start)
    from_tail = jnp.where(
        behind < receiver.shape[0],
        receiver[jnp.clip(behind, 0, receiver.shape[0] - 1)],
        PAD,
    )
    result = jnp.where(
        position < start,
        receiver,
        jnp.where(position < start + inserted, from_donor, from_tail),
    )
    return result, size(receiver) - (stop - start) + inserted <= receiver.shape[0]


def _fitting(
    alphabet: Alphabet, settings: VariationSettings, child: Genome, fits: Array, parent: Genome
) -> Genome:
    """Keeps the parent if the child is too large or too tall."""
    return jnp.where(fits & (height(alphabet, child) <= settings.max_height), child, parent)


def crossover(
    key: PRNGKeyArray,
    alphabet: Alphabet,
    settings: VariationSettings,
    first: Genome,
    second: Genome,
) -> Genome:
    """Puts a random subtree of ``second`` in the place of one of ``first``; roots stay (DEAP)."""
    first_key, second_key = jax.random.split(key)
    first_size, second_size = size(first), size(second)
    at = jax.random.randint(first_key, (), 1, jnp.maximum(first_size, 2))
    donor_at = jax.random.randint(second_key, (), 1, jnp.maximum(second_size, 2))
    child, fits = splice(
        first,
        at,
        layout(alphabet, first).end[at],
        second,
        donor_at,
        layout(alphabet, second).end[donor_at],
    )
    fits &= (first_size > 1) & (second_size > 1)
    return _fitting(alphabet, settings, child, fits, first)


def mutate(
    key: PRNGKeyArray, alphabet: Alphabet, settings: VariationSettings, genome: Genome
) -> Genome:
    """Replaces the subtree at a random node, the root included, by a newly grown one."""
    place_key, grow_key = jax.random.split(key)
    at = jax.random.randint(place_key, (), 0, size(genome))
    subtree = grow(grow_key, alphabet, *settings.mutation_height)
    child, fits = splice(
        genome, at, layout(alphabet, genome).end[at], subtree, jnp.int32(0), size(subtree)
    )
    return _fitting(alphabet, settings, child, fits, genome)


def ensure_variables(
    key: PRNGKeyArray, alphabet: Alphabet, settings: VariationSettings, genome: Genome
) -> tuple[Genome, Bool[Array, ""]]:
    """Makes a tree hold every variable.

    If one is missing, a random terminal becomes ``op(y, f)`` or ``op(f, y)``, ``op`` drawn from
    add, sub, mul and div (or from all of two arguments if the alphabet has none of these). With
    more than two variables the operators nest to the right. Terminals too deep to be replaced
    within the height limit are not drawn.

    Returns:
        The tree, and whether it now holds all variables and fits.
    """
    functions = alphabet.primitives.primitives
    usual = [i for i, op in enumerate(functions) if op.name in ("add", "sub", "mul", "div")]
    joining = usual or [i for i, op in enumerate(functions) if op.arity == 2]
    operators = jnp.array(joining, jnp.int32)
    variables = jnp.asarray(alphabet.variable_tokens)
    count = variables.shape[0]
    place_key, operator_key, order_key = jax.random.split(key, 3)

    present = jnp.any(genome[None, :] == variables[:, None], axis=1)
    room = layout(alphabet, genome).depth + (count - 1) <= settings.max_height
    terminal = (genome != PAD) & (arity_of(alphabet, genome) == 0) & room
    at = jax.random.categorical(place_key, jnp.where(terminal, 0.0, -jnp.inf))

    chain = jnp.full(alphabet.capacity, PAD, jnp.int32)
    chain = chain.at[0 : 2 * count - 2 : 2].set(
        jax.random.choice(operator_key, operators, (count - 1,))
    )
    order = jax.random.permutation(order_key, variables)
    chain = chain.at[1 : 2 * count - 1 : 2].set(order[:-1]).at[2 * count - 2].set(order[-1])
    filled, fits = splice(genome, at, at + 1, chain, jnp.int32(0), jnp.int32(2 * count - 1))

    complete = jnp.all(present)
    return jnp.where(complete, genome, filled), complete | (fits & jnp.any(terminal))


def first_population(
    key: PRNGKeyArray, alphabet: Alphabet, settings: VariationSettings, population: int
) -> Int[Array, "population capacity"]:
    """Grows the first trees by ramped half-and-half, each with all variables."""

    def one(key: PRNGKeyArray) -> Genome:
        grow_key, fill_key = jax.random.split(key)
        tree = grow(grow_key, alphabet, *settings.initial_height)
        return ensure_variables(fill_key, alphabet, settings, tree)[0]

    return jax.vmap(one)(jax.random.split(key, population))


def tournament(
    key: PRNGKeyArray, fitness: Float[Array, " population"], size: int, winners: int
) -> Int[Array, " winners"]:
    """Draws ``size`` individuals with replacement for each winner and keeps the fittest."""
    entrants = jax.random.randint(key, (winners, size), 0, fitness.shape[0])
    return jnp.take_along_axis(entrants, jnp.argmin(fitness[entrants], axis=1)[:, None], axis=1)[
        :, 0
    ]


def next_generation(
    key: PRNGKeyArray,
    alphabet: Alphabet,
    settings: VariationSettings,
    genomes: Int[Array, "population capacity"],
    fitness: Float[Array, " population"],
) -> Int[Array, "population capacity"]:
    """Makes the next population: the elite unchanged in front, then the children.

    Each child comes from one selected parent by exactly one operator: crossover with a mate drawn
    at random among the selected, or mutation, or plain reproduction.
    """
    population = genomes.shape[0]
    elite = elite_count(settings, population)
    select_key, mate_key, choice_key, child_key = jax.random.split(key, 4)
    selected = genomes[tournament(select_key, fitness, settings.tournament, population)]
    mates = selected[jax.random.randint(mate_key, (population,), 0, population)]
    choice = jax.random.uniform(choice_key, (population,))

    def child(key: PRNGKeyArray, parent: Genome, mate: Genome, choice: Array) -> Genome:
        cross_key, mutate_key, fill_key = jax.random.split(key, 3)
        crossed = crossover(cross_key, alphabet, settings, parent, mate)
        mutated = mutate(mutate_key, alphabet, settings, parent)
        varied = jnp.where(
            choice < settings.crossover,
            crossed,
            jnp.where(choice < settings.crossover + settings.mutation, mutated, parent),
        )
        filled, valid = ensure_variables(fill_key, alphabet, settings, varied)
        return jnp.where(valid, filled, parent)

    children = jax.vmap(child)(jax.random.split(child_key, population), selected, mates, choice)
    best = genomes[jnp.argsort(fitness)[:elite]]
    return jnp.concatenate([best, children[elite:]])


def elite_count(settings: VariationSettings, population: int) -> int:
    """Counts the individuals that pass unchanged: the share, rounded up."""
    # Rounded first: 0.07 * 100 is a little more than 7 in binary.
    return math.ceil(round(settings.elitism * population, 9))
