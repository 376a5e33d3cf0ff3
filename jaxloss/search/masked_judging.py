"""The way of a candidate without a host: what `judging` does, with masks for the filters.

A compiled program cannot leave out candidates that it has yet to judge. So all go through all the
arithmetic, and what comes out counts only for those that no filter has dropped.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, UInt32

from jaxloss.keys import named_key
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.losses.binding import interpreted_binding
from jaxloss.losses.tree import fresh_weights
from jaxloss.search.candidate import Part, candidate_way, rejection_examples, tuning_way
from jaxloss.search.judging import FILTERS
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols.genome import Alphabet, canonical_hash
from jaxloss.tasks.task import Task


class MaskedArchive(NamedTuple):
    """Every tree judged so far, at a fixed place: generation × population + place in it.

    Attributes:
        filled: false for generations to come, and for trees that were in the archive already.
        hashes: canonical hashes.
        fitness: what they were judged; infinite for rejected trees.
        norms: gradient norms on the rejection's examples; NaN where not measured.
    """

    filled: Bool[Array, " rows"]
    hashes: UInt32[Array, "rows 2"]
    fitness: Float[Array, " rows"]
    norms: Float[Array, "rows examples"]


class MaskedVerdicts(NamedTuple):
    """What became of each tree of a generation.

    Attributes:
        weights: edge weights after local search; for trained trees only.
        fitness: lower is better; infinite for what a filter dropped.
        trained: whether the tree reached partial training.
        dropped: how many each of `FILTERS` took out.
    """

    weights: Float[Array, "trees edges"]
    fitness: Float[Array, " trees"]
    trained: Bool[Array, " trees"]
    dropped: Int[Array, " filters"]


MaskedJudge = Callable[
    [PRNGKeyArray, Int[Array, "trees capacity"], MaskedArchive, Int[Array, ""]],
    tuple[MaskedVerdicts, MaskedArchive],
]


class _Work(NamedTuple):
    """A generation under judgement."""

    weights: Float[Array, "trees edges"]
    norms: Float[Array, "trees examples"]
    fitness: Float[Array, " trees"]


Stage = Callable[[_Work], tuple[_Work, Bool[Array, " trees"]]]
"""``(work) -> (work, passed)``: treats all trees and says which of them go on."""


def empty_masked_archive(rows: int, examples: int) -> MaskedArchive:
    """Allocates an archive; ``examples`` is 0 where gradient norms are not used."""
    return MaskedArchive(
        jnp.zeros(rows, bool),
        jnp.zeros((rows, 2), jnp.uint32),
        jnp.full(rows, jnp.inf, jnp.float32),
        jnp.full((rows, examples), jnp.nan, jnp.float32),
    )


def masked_judge(
    task: Task,
    settings: GeneticSettings,
    tuning: LocalSearchSettings | None,
    alphabet: Alphabet,
) -> MaskedJudge:
    """Makes ``(key, genomes, archive, generation) -> (verdicts, archive)``, pure, for ``jit``.

    Arguments are those of `judging.tree_judge`; the keys are drawn by the same names, so that both
    judge alike, up to rounding.
    """
    way = candidate_way(task, settings)
    tuner = tuning_way([task], settings, tuning or LocalSearchSettings(meta_steps=0))
    examples = rejection_examples(task, settings)
    splits = (task.train, task.valid)
    when, tolerance = settings.rejection.when, settings.equivalence_tolerance

    def stages(
        key: PRNGKeyArray, genomes: Array, archive: MaskedArchive, generation: Array
    ) -> dict[str, Stage]:
        network_key = named_key(key, "untrained network")
        tuning_key = jax.random.fold_in(named_key(key, "local search"), generation)
        fitness_key = named_key(key, "partial training")

        def of_all(part: Part, shared: PyTree, weights: Array) -> Array:
            def of_one(genome: Array, weights: Array) -> Array:
                return part(shared, interpreted_binding(alphabet, task.view, genome), weights)

            return jax.vmap(of_one)(genomes, weights)

        def improves(work: _Work) -> tuple[_Work, Array]:
            gains = of_all(way.improve, (network_key, examples), work.weights)
            return work, gains > settings.rejection.threshold

        def tune(work: _Work) -> tuple[_Work, Array]:
            shared = tuner.draw(tuning_key, [splits]), [splits]
            tuned = of_all(tuner.tune, shared, work.weights)
            return work._replace(weights=tuned), jnp.ones(genomes.shape[0], bool)

        def differs(work: _Work) -> tuple[_Work, Array]:
            norms = of_all(way.norms, (network_key, examples), work.weights).astype(jnp.float32)
            # Rows that were not measured hold NaN, which is within no tolerance.
            apart = jnp.abs(norms[:, None] - archive.norms[None])
            alike = jnp.all(apart <= (tolerance or 0.0), axis=2)
            twin, has_twin = jnp.argmax(alike, axis=1), jnp.any(alike, axis=1)
            fitness = jnp.where(has_twin, archive.fitness[twin], jnp.inf)
            return work._replace(norms=norms, fitness=fitness), ~has_twin

        def score(work: _Work) -> tuple[_Work, Array]:
            shared = way.draw_training(fitness_key, task.train), *splits
            scores = of_all(way.train, shared, work.weights)
            fitness = jnp.mean(scores, axis=1).astype(jnp.float32)
            return work._replace(fitness=fitness), jnp.isfinite(fitness)

        way_of_all: dict[str, Stage] = {}
        if when in ("before", "both"):
            way_of_all["rejected before"] = improves
        if tuning is not None:
            way_of_all["tuned"] = tune
        # Without tuning the second test would repeat the first.
        if when == "after" or (when == "both" and tuning is not None):
            way_of_all["rejected after"] = improves
        if tolerance is not None:
            way_of_all["equivalent"] = differs
        return {**way_of_all, "not finite": score}

    def judge(
        key: PRNGKeyArray, genomes: Array, archive: MaskedArchive, generation: Array
    ) -> tuple[MaskedVerdicts, MaskedArchive]:
        trees, edges = genomes.shape[0], alphabet.capacity - 1
        weights = jnp.ones((trees, edges))
        if tuning is not None:
            weights_key = jax.random.fold_in(named_key(key, "fresh weights"), generation)
            weights = _weights_of_each(weights_key, trees, edges)
        norms = jnp.full((trees, archive.norms.shape[1]), jnp.nan, jnp.float32)
        work = _Work(weights, norms, jnp.full(trees, jnp.inf, jnp.float32))
        hashes = jax.vmap(lambda genome: canonical_hash(alphabet, genome))(genomes)
        known = jnp.any(_matches(archive, hashes), axis=1)
        new = ~known & _first_of_each(hashes)
        dropped = {**dict.fromkeys(FILTERS, jnp.int32(0)), "archive": _count(~new)}

        going = trained = new
        for name, stage in stages(key, genomes, archive, generation).items():
            trained = going
            treated, passed = stage(work)
            work = _where(going, treated, work)
            if name in FILTERS:
                dropped[name] = _count(going & ~passed)
            going &= passed

        judged = MaskedArchive(new, hashes, work.fitness, work.norms)
        archive = _recorded(archive, judged, generation * trees)
        fitness = archive.fitness[jnp.argmax(_matches(archive, hashes), axis=1)]
        counts = jnp.stack(list(dropped.values()))
        return MaskedVerdicts(work.weights, fitness, trained, counts), archive

    return judge


def _weights_of_each(key: PRNGKeyArray, trees: int, edges: int) -> Float[Array, "trees edges"]:
    """Draws fresh weights as `programs.candidate_programs` does."""
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(trees))
    return jax.vmap(lambda key: fresh_weights(key, edges))(keys)


def _where(mask: Bool[Array, " trees"], new: _Work, old: _Work) -> _Work:
    """Takes the new rows where the mask is true."""

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(mask.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, new, old)


def _count(mask: Bool[Array, " trees"]) -> Int[Array, ""]:
    return jnp.sum(mask, dtype=jnp.int32)


def _matches(archive: MaskedArchive, hashes: UInt32[Array, "trees 2"]) -> Bool[Array, "trees rows"]:
    """Compares trees with the archive, which holds each in one row at most."""
    same = jnp.all(hashes[:, None] == archive.hashes[None], axis=2)
    return same & archive.filled[None]


def _first_of_each(hashes: UInt32[Array, "trees 2"]) -> Bool[Array, " trees"]:
    """Marks where each distinct hash occurs first."""
    same = jnp.all(hashes[:, None] == hashes[None], axis=2)
    return jnp.argmax(same, axis=1) == jnp.arange(hashes.shape[0])


def _recorded(archive: MaskedArchive, judged: MaskedArchive, start: Array) -> MaskedArchive:
    """Writes a generation into its rows."""

    def write(old: Array, new: Array) -> Array:
        return jax.lax.dynamic_update_slice_in_dim(old, new, start, axis=0)

    return jax.tree.map(write, archive, judged)
