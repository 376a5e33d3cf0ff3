"""The compiled parts of a candidate's way, each for a whole population."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from jaxloss.learning.filters import gradient_norms, improvement
from jaxloss.learning.fitness import partial_training
from jaxloss.learning.inner import ExampleLoss, predict
from jaxloss.learning.population import PopulationProgram, jit_brief, over_population
from jaxloss.learning.unroll import LocalSearchSettings, local_search
from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.losses.tree import fresh_weights
from jaxloss.losses.views import per_example
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols.genome import Alphabet, Genome, canonical_hash
from jaxloss.tasks.task import Split, Task


class CandidatePrograms(NamedTuple):
    """The compiled parts of the way; all but the first are ``(shared, candidates) -> results``.

    Candidates are genomes with their edge weights.

    Attributes:
        describe: ``(key, genomes) -> (hashes, fresh weights)``.
        improve: the rejection test's improvement of the metric; shares a key and examples.
        tune: weights after local search; shares a key and the train and valid splits.
        norms: gradient norms on examples; shares what ``improve`` does.
        train: fitness for each seed after partial training; shares what ``tune`` does.
    """

    describe: Callable[[PRNGKeyArray, Int[np.ndarray, "trees capacity"]], tuple[Array, Array]]
    improve: PopulationProgram
    tune: PopulationProgram
    norms: PopulationProgram
    train: PopulationProgram


def candidate_programs(
    task: Task,
    settings: GeneticSettings,
    tuning: LocalSearchSettings | None,
    alphabet: Alphabet,
) -> CandidatePrograms:
    """Makes the compiled parts that `tree_judge` runs one after the other; same arguments."""
    see = task.view.see

    def bind(genome: Genome) -> Callable[[Array], ExampleLoss]:
        program = assemble(alphabet, genome)

        def with_weights(weights: Array) -> ExampleLoss:
            def loss(outputs: Array, targets: Array) -> Array:
                variables = see(outputs, targets)
                return per_example(interpret(alphabet, program, weights, *variables))

            return loss

        return with_weights

    @jit_brief
    def describe(key: PRNGKeyArray, genomes: np.ndarray) -> tuple[Array, Array]:
        hashes = jax.vmap(lambda genome: canonical_hash(alphabet, genome))(genomes)
        edges, trees = alphabet.capacity - 1, genomes.shape[0]
        if tuning is None:
            return hashes, jnp.ones((trees, edges))
        # fold_in, not split: a tree's weights do not depend on how many trees there are.
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(trees))
        return hashes, jax.vmap(lambda key: fresh_weights(key, edges))(keys)

    def untrained_outputs(key: PRNGKeyArray, examples: Split) -> Array:
        variables = task.model.init(key, examples.inputs[:1])
        return predict(task.model, variables, examples.inputs)

    def improve(shared: PyTree, candidate: PyTree) -> Array:
        (key, examples), (genome, weights) = shared, candidate
        outputs = untrained_outputs(key, examples)
        loss = bind(genome)(weights)
        return improvement(task, settings.rejection, loss, outputs, examples.targets)

    def tune(shared: PyTree, candidate: PyTree) -> Array:
        (key, train, valid), (genome, weights) = shared, candidate
        if tuning is None:
            return weights
        tuned, _ = local_search(
            key,
            task.model,
            settings.optimizer,
            tuning,
            task.task_loss,
            bind(genome),
            train,
            valid,
            weights,
        )
        return tuned

    def norms(shared: PyTree, candidate: PyTree) -> Array:
        (key, examples), (genome, weights) = shared, candidate
        outputs = untrained_outputs(key, examples)
        return gradient_norms(bind(genome)(weights), outputs, examples.targets)

    def train(shared: PyTree, candidate: PyTree) -> Array:
        (key, training, valid), (genome, weights) = shared, candidate
        loss = bind(genome)(weights)
        return partial_training(
            key, task, settings.optimizer, settings.fitness, loss, training, valid
        )

    chunk = settings.chunk or default_chunk(settings.population)
    lifted = (over_population(part, chunk) for part in (improve, tune, norms, train))
    return CandidatePrograms(describe, *lifted)


def default_chunk(population: int) -> int:
    """Chooses how many candidates run at once: few on a CPU, so that few are mere copies."""
    return min(population, 4) if jax.default_backend() == "cpu" else population
