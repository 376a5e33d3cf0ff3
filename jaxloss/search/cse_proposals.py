"""How CSE-Autoloss proposes trees: bred from the best so far, or grown anew."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.symbols.genome import Alphabet, grow
from jaxloss.symbols.variation import VariationSettings, crossover, mutate


@dataclass(frozen=True)
class ProposalSettings:
    """What proposed trees are like; all *assumed*."""

    crossover: float = 0.3
    """Chance that a proposal is bred of two parents."""
    mutation: float = 0.5
    """Chance that it is a parent with a new subtree; the rest are grown anew."""
    initial_height: tuple[int, int] = (1, 4)
    """Heights of trees that are grown anew (half-and-half)."""
    mutation_height: tuple[int, int] = (0, 2)
    """Heights of new subtrees."""
    max_height: int = 8
    """Greatest height of a bred tree, at most 69; beyond it the parent is proposed again."""
    max_nodes: int = 32
    """Nodes that a tree may have, at most 250."""

    def __post_init__(self) -> None:
        chances = self.crossover, self.mutation
        require(
            all(0 <= chance <= 1 for chance in chances) and sum(chances) <= 1,
            f"crossover and mutation are chances, at most 1 together; got {chances}",
        )
        # The other bounds are those of all variation.
        self.variation().check_sizes(self.max_nodes)

    def variation(self) -> VariationSettings:
        """Gives the operators their bounds."""
        return VariationSettings(
            max_height=self.max_height,
            initial_height=self.initial_height,
            mutation_height=self.mutation_height,
        )


def proposer(alphabet: Alphabet, settings: ProposalSettings, count: int) -> Callable[..., Array]:
    """Makes ``(key, parents, filled) -> genomes``: ``count`` proposals.

    ``parents`` has ``filled`` trees in front; with none, all proposals are grown anew.
    """
    bounds = settings.variation()

    def one(key: PRNGKeyArray, parents: Array, filled: Array) -> Array:
        kind_key, first_key, second_key, own_key = jax.random.split(key, 4)
        first, second = (
            parents[jax.random.randint(each, (), 0, jnp.maximum(filled, 1))]
            for each in (first_key, second_key)
        )
        draw = jax.random.uniform(kind_key)
        ways = (
            lambda: crossover(own_key, alphabet, bounds, first, second),
            lambda: mutate(own_key, alphabet, bounds, first),
            lambda: grow(own_key, alphabet, *settings.initial_height),
        )
        way = jnp.where(draw < settings.crossover, 0, 1)
        way = jnp.where(draw < settings.crossover + settings.mutation, way, 2)
        return jax.lax.switch(jnp.where(filled > 0, way, 2), ways)

    def propose(key: PRNGKeyArray, parents: Array, filled: Array) -> Array:
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(count))
        return jax.vmap(lambda key: one(key, parents, filled))(keys)

    return propose
