"""The device programs of EvoMAL and GP-LFL lower for accelerators that are not there."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jaxtyping import Array, PRNGKeyArray, PyTree

from jaxloss.learning import trials
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings, draw_seeds
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.population import PopulationProgram
from jaxloss.learning.racing import Leg
from jaxloss.losses import LearnedLoss, TreeForm, interpreter
from jaxloss.losses.binding import interpreted_binding
from jaxloss.losses.network import ml3_network
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.taylor import TaylorForm
from jaxloss.search.candidate import candidate_way, tuning_way
from jaxloss.search.evolution import alphabet_of, grower, varier
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols import parse
from jaxloss.symbols.genome import canonical_hash
from jaxloss.tasks import Split, TaskSettings, load_task

PLATFORMS = ("cuda", "tpu")
POPULATION = 3
TASK = load_task("wine", TaskSettings(model="mlp:4"))


def settings(max_nodes: int) -> GeneticSettings:
    return GeneticSettings(
        population=POPULATION,
        max_nodes=max_nodes,
        rejection=RejectionSettings(steps=3, examples=20),
        fitness=FitnessSettings(steps=3, seeds=2),
    )


def lowered(function: Callable[..., Any], *arguments: Any) -> tuple[str, list[tuple[int, ...]]]:
    """Lowers a function and returns its text and the shapes of its results."""
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
    assert exported.platforms == PLATFORMS
    return exported.mlir_module(), [aval.shape for aval in exported.out_avals]


@pytest.fixture(params=["one after the other", "side by side"])
def way_settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both ways in which the interpreter runs trees: the backend chooses one."""
    beside = request.param == "side by side"
    monkeypatch.setattr(interpreter, "trees_run_side_by_side", lambda: beside)
    # Another capacity for each, so that traced programs are kept apart.
    return settings(max_nodes=33 if beside else 34)


@pytest.mark.parametrize("part", ["improve", "tune", "norms", "train"])
def test_the_way_of_a_candidate(way_settings: GeneticSettings, part: str):
    alphabet = alphabet_of(TASK, way_settings)
    tuning = LocalSearchSettings(meta_steps=2, inner_steps=1)
    way, tuner = candidate_way(TASK, way_settings), tuning_way([TASK], way_settings, tuning)
    function = tuner.tune if part == "tune" else getattr(way, part)
    examples = Split(*(leaf[:20] for leaf in TASK.train))
    splits = (TASK.train, TASK.valid)
    edges = alphabet.capacity - 1

    def shared_of(key: PRNGKeyArray) -> PyTree:
        if part == "tune":
            return tuner.draw(key, [splits]), [splits]
        return (way.draw_training(key, TASK.train), *splits) if part == "train" else (key, examples)

    def population(genomes: Array, weights: Array) -> Array:
        shared = shared_of(jax.random.key(0))

        def one(genome: Array, weights: Array) -> Array:
            return function(shared, interpreted_binding(alphabet, TASK.view, genome), weights)

        return jax.vmap(one)(genomes, weights)

    genomes = np.zeros((POPULATION, alphabet.capacity), np.int32)
    _, shapes = lowered(population, genomes, np.ones((POPULATION, edges), np.float32))
    rows = {"improve": (), "tune": (edges,), "norms": (20,), "train": (2,)}
    assert shapes == [(POPULATION, *rows[part])]


def test_a_leg_of_a_race(way_settings: GeneticSettings):
    alphabet, fitness = alphabet_of(TASK, way_settings), way_settings.fitness
    advance = candidate_way(TASK, way_settings).advance

    def population(begin: Array, end: Array, genomes: Array, weights: Array) -> Array:
        key = jax.random.key(0)
        drawn = draw_seeds(key, TASK, way_settings.optimizer, fitness, TASK.train)
        leg = Leg(drawn.batches, drawn.noise_key, begin, end, TASK.train, TASK.valid)

        def one(genome: Array, weights: Array) -> Array:
            bind = interpreted_binding(alphabet, TASK.view, genome)
            return advance(leg, bind, weights, drawn.learner)[1]

        return jax.vmap(one)(genomes, weights)

    genomes = np.zeros((POPULATION, alphabet.capacity), np.int32)
    weights = np.ones((POPULATION, alphabet.capacity - 1), np.float32)
    bounds = np.array(0, np.int32), np.array(1, np.int32)
    assert lowered(population, *bounds, genomes, weights)[1] == [(POPULATION, fitness.seeds)]


def test_breeding():
    alphabet = alphabet_of(TASK, settings(35))
    genomes = np.zeros((POPULATION, 35), np.int32)
    key, fitness = jax.random.key(0), np.zeros(POPULATION, np.float32)
    assert lowered(grower(TASK, alphabet, settings(35)), key)[1] == [(POPULATION, 35)]
    vary = varier(alphabet, settings(35))
    assert lowered(vary, key, 1, genomes, fitness)[1] == [(POPULATION, 35)]
    hashes = jax.vmap(lambda genome: canonical_hash(alphabet, genome))
    assert lowered(hashes, genomes)[1][0][0] == POPULATION


def test_trials(monkeypatch: pytest.MonkeyPatch):
    shapes: list[Sequence[int]] = []

    def lowering(function: Callable[[Any, Any], Any], chunk: int) -> PopulationProgram:
        def prepare(shared: Any, candidates: Any) -> None:
            rows = jax.tree.map(lambda leaf: jnp.repeat(leaf, chunk, axis=0), candidates)
            shapes.extend(
                lowered(lambda rows: jax.vmap(lambda row: function(shared, row))(rows), rows)[1]
            )

        return PopulationProgram(lambda _, candidates: candidates, prepare)

    monkeypatch.setattr(trials, "over_population", lowering)
    # Not through the cache, which would keep the stand-in.
    runner = trials.trial_runner.__wrapped__(TASK, BaseOptimizerSettings(), 4)
    tree = LearnedLoss(TreeForm(parse("sub(f, y)")), (1.0, 1.0), TASK.view.name)
    polynomial = LearnedLoss(TaylorForm(), (0.0,) * 8, TASK.view.name)
    base = ml3_network(TASK.view.variables)
    adapting = LearnedLoss(OnlineForm(base), (0.0,) * base.parameter_count, TASK.view.name)
    runner.prepare([TASK.task_loss, tree, polynomial, adapting])
    assert [len(shape) for shape in shapes] == 4 * [1, 1, 2]
