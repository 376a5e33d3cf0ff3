"""The same trees as fixed-size integer arrays: what a device evaluates and evolves.

A genome is a row of tokens in preorder, padded with `PAD`. Token ``k`` of a `PrimitiveSet` is its
``k``-th primitive, then come the variables, then the constants.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray, UInt32

from jaxloss.errors import InvalidInputError, require
from jaxloss.symbols.expression import Expression, print_terminal
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES, Primitive, PrimitiveSet

PAD = -1

Genome = Int[Array, " capacity"]


@dataclass(frozen=True)
class Alphabet:
    """A primitive set as tokens, with the number of tokens that a genome can hold.

    Attributes:
        primitives: the functions, variables and constants.
        capacity: tokens in a genome; larger trees are refused. 64 is *assumed*: EvoMAL bounds only
            the height, and losses that win are far smaller.
    """

    primitives: PrimitiveSet = EVOMAL_PRIMITIVES
    capacity: int = 64

    def __post_init__(self) -> None:
        require(self.capacity >= 3, f"a genome needs 3 tokens or more, got {self.capacity}")

    @property
    def functions(self) -> int:
        """Number of function tokens; they come first."""
        return len(self.primitives.primitives)

    @property
    def terminals(self) -> int:
        """Number of variable and constant tokens."""
        return len(self.primitives.variables) + len(self.primitives.constants)

    @cached_property
    def arities(self) -> np.ndarray:
        """Arity of each token, 0 for terminals."""
        arities = [primitive.arity for primitive in self.primitives.primitives]
        return np.array(arities + [0] * self.terminals, np.int32)

    @cached_property
    def commutative(self) -> np.ndarray:
        """Whether each token's arguments may be swapped."""
        flags = [primitive.commutative for primitive in self.primitives.primitives]
        return np.array(flags + [False] * self.terminals)

    @cached_property
    def variable_tokens(self) -> np.ndarray:
        """The variables' tokens."""
        return self.functions + np.arange(len(self.primitives.variables))

    @cached_property
    def heads(self) -> tuple[Primitive | str | float, ...]:
        """What each token stands for in an `Expression`."""
        alphabet = self.primitives
        return (*alphabet.primitives, *alphabet.variables, *alphabet.constants)

    def encode(self, expression: Expression) -> np.ndarray:
        """Writes an expression as a genome.

        Raises:
            InvalidInputError: the tree is too large, or has a part that the alphabet lacks.
        """
        if expression.size > self.capacity:
            raise InvalidInputError(
                f"{expression} has {expression.size} nodes; a genome holds {self.capacity}"
            )
        genome = np.full(self.capacity, PAD, np.int32)
        for position, node in enumerate(expression.nodes):
            if node.head not in self.heads:
                raise InvalidInputError(
                    f"{_print_head(node.head)} in {expression} is not in the alphabet of the "
                    f"search; it has {', '.join(_print_head(head) for head in self.heads)}"
                )
            genome[position] = self.heads.index(node.head)
        return genome

    def decode(self, genome: np.ndarray | Genome) -> Expression:
        """Reads a genome back as an expression."""
        tokens = np.asarray(genome)

        def read(position: int) -> tuple[Expression, int]:
            head, following, arguments = self.heads[tokens[position]], position + 1, []
            for _ in range(self.arities[tokens[position]]):
                argument, following = read(following)
                arguments.append(argument)
            return Expression(head, tuple(arguments)), following

        return read(0)[0]


def _print_head(head: Primitive | str | float) -> str:
    return head.name if isinstance(head, Primitive) else print_terminal(head)


def size(genome: Genome) -> Int[Array, ""]:
    """Counts the nodes."""
    return jnp.sum(genome != PAD)


def arity_of(alphabet: Alphabet, genome: Genome) -> Int[Array, " capacity"]:
    """Looks up each token's arity; 0 for padding."""
    return jnp.where(genome == PAD, 0, jnp.asarray(alphabet.arities)[genome])


class Layout(NamedTuple):
    """Where the parts of a tree lie, for each token of a genome.

    Attributes:
        end: one past the last token of the subtree that starts here.
        left: position of the first argument (0 where there is none).
        right: position of the second argument (0 where there is none).
        depth: edges up to the root.
    """

    end: Int[Array, " capacity"]
    left: Int[Array, " capacity"]
    right: Int[Array, " capacity"]
    depth: Int[Array, " capacity"]


def layout(alphabet: Alphabet, genome: Genome) -> Layout:
    """Finds each node's arguments, subtree and depth."""
    position = jnp.arange(alphabet.capacity)
    arity = arity_of(alphabet, genome)
    # A subtree ends where the arguments still owed, counted from its root, first reach zero.
    owed = jnp.cumsum(arity - 1)
    before = owed - (arity - 1)
    settled = (owed[None, :] - before[:, None] == -1) & (position[None, :] >= position[:, None])
    end = jnp.where(genome == PAD, position, jnp.argmax(settled, axis=1) + 1)
    left = jnp.where(arity >= 1, position + 1, 0)
    right = jnp.where(arity == 2, end[left], 0)
    inside: Bool[Array, "capacity capacity"] = (position[:, None] < position[None, :]) & (
        position[None, :] < end[:, None]
    )
    return Layout(end, left, right, jnp.sum(inside, axis=0))


def height(alphabet: Alphabet, genome: Genome) -> Int[Array, ""]:
    """Measures the longest way from the root to a leaf, in edges."""
    return jnp.max(jnp.where(genome == PAD, 0, layout(alphabet, genome).depth))


def canonical_hash(alphabet: Alphabet, genome: Genome) -> UInt32[Array, "2"]:
    """Hashes a tree to 64 bits so that the order of commutative arguments does not count."""
    where = layout(alphabet, genome)
    arity = arity_of(alphabet, genome)
    commutes = jnp.asarray(alphabet.commutative)[genome]

    def mix(value: Array) -> Array:  # The finaliser of MurmurHash3, on two lanes.
        value = (value ^ (value >> 16)) * jnp.array([0x85EBCA6B, 0x9E3779B1], jnp.uint32)
        value = (value ^ (value >> 13)) * jnp.array([0xC2B2AE35, 0x27D4EB2F], jnp.uint32)
        return value ^ (value >> 16)

    def visit(step: Array, hashes: Array) -> Array:
        node = alphabet.capacity - 1 - step
        first = jnp.where(arity[node] >= 1, hashes[where.left[node]], 0)
        second = jnp.where(arity[node] == 2, hashes[where.right[node]], 0)
        swap = commutes[node] & (
            (first[0] > second[0]) | ((first[0] == second[0]) & (first[1] > second[1]))
        )
        first, second = jnp.where(swap, second, first), jnp.where(swap, first, second)
        own = mix(genome[node].astype(jnp.uint32) + jnp.array([0x1B873593, 0xE6546B64], jnp.uint32))
        return hashes.at[node].set(mix(mix(own + first) * 5 + second))

    hashes = jnp.zeros((alphabet.capacity, 2), jnp.uint32)
    return jax.lax.fori_loop(0, alphabet.capacity, visit, hashes)[0]


def grow(
    key: PRNGKeyArray,
    alphabet: Alphabet,
    lowest: int,
    highest: int,
) -> Genome:
    """Draws a tree by half-and-half: a fair coin chooses between full and grow.

    Full places terminals at the drawn height only; grow may place them from ``lowest`` on, as often
    as a token drawn from the whole alphabet would be one (both as in DEAP's genHalfAndHalf).

    Args:
        key: randomness.
        alphabet: what trees are made of; its capacity must hold a full tree of height ``highest``.
        lowest: smallest height drawn.
        highest: largest height drawn.

    Returns:
        A genome. It may lack variables: see `variation.ensure_variables`.
    """
    height_key, full_key, early_key, function_key, terminal_key = jax.random.split(key, 5)
    tallest = jax.random.randint(height_key, (), lowest, highest + 1)
    full = jax.random.bernoulli(full_key)
    share = alphabet.terminals / (alphabet.functions + alphabet.terminals)
    early = jax.random.bernoulli(early_key, share, (alphabet.capacity,))
    function = jax.random.randint(function_key, (alphabet.capacity,), 0, alphabet.functions)
    terminal = alphabet.functions + jax.random.randint(
        terminal_key, (alphabet.capacity,), 0, alphabet.terminals
    )
    arities = jnp.asarray(alphabet.arities)

    def place(position: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        genome, owed_depths, owed = carry
        depth = owed_depths[owed - 1]
        stop = (depth == tallest) | (~full & (depth >= lowest) & early[position])
        token = jnp.where(stop, terminal[position], function[position])
        placed = genome.at[position].set(jnp.where(owed > 0, token, PAD))
        # The node's place on the stack goes to its first argument, the next place to its second.
        arity = arities[token]
        owed_depths = owed_depths.at[owed - 1].set(depth + 1).at[owed].set(depth + 1)
        return placed, owed_depths, jnp.where(owed > 0, owed - 1 + arity, 0)

    start = jnp.full(alphabet.capacity, PAD, jnp.int32)
    stack = jnp.zeros(highest + 3, jnp.int32)
    return jax.lax.fori_loop(0, alphabet.capacity, place, (start, stack, jnp.int32(1)))[0]
