"""Whole searches: one program finds what the host's search finds, for one seed and for several."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search import EvoMALSettings, GPLFLSettings, Search, evomal
from jaxloss.search.whole import WholeResult, best_losses, whole_search
from jaxloss.symbols.variation import VariationSettings
from jaxloss.tasks import SupervisedTask, supervised_task

SEEDS = 3
# Few steps: some losses amplify rounding from step to step until another tree wins.
SHARED: dict[str, Any] = {
    "population": 8,
    "generations": 3,
    "max_nodes": 16,
    "variation": VariationSettings(initial_height=(1, 2)),
    "rejection": RejectionSettings(steps=10, examples=20),
    "fitness": FitnessSettings(steps=4),
    "optimizer": BaseOptimizerSettings(batch_size=16),
}
EVOMAL = EvoMALSettings(**SHARED, local_search=LocalSearchSettings(meta_steps=3))
GP_LFL = GPLFLSettings(**SHARED, seed_from=("square(sub(f, y))",))


def probe() -> SupervisedTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(80, 3))
    targets = inputs @ np.array([1.0, -1.0, 2.0]) + generator.normal(size=80)
    return supervised_task("probe", inputs, targets, "regression", model="linear")


def of_seed(results: WholeResult, seed: int) -> WholeResult:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[seed], results)


class Seeds(NamedTuple):
    """Searches of several seeds in one program, and what it took to compile them."""

    task: SupervisedTask
    keys: Any
    results: WholeResult
    compilations: list[int]


@pytest.fixture(scope="module")
def seeds(compiled: list[str]) -> Seeds:
    task = probe()
    search = jax.jit(jax.vmap(whole_search(task, EVOMAL, EVOMAL.local_search)))
    others, keys = (jax.random.split(jax.random.key(number), SEEDS) for number in range(2))
    compilations, results = [], []
    for some in (others, keys):
        before = len(compiled)
        results.append(search(some))
        compilations.append(len(compiled) - before)
    return Seeds(task, keys, results[-1], compilations)


def test_all_seeds_are_one_compilation_and_other_keys_none(seeds: Seeds):
    assert seeds.compilations == [1, 0]


def test_each_seed_finds_what_the_host_finds(seeds: Seeds):
    search: Search = evomal(seeds.task, EVOMAL)
    for seed, key in enumerate(seeds.keys):
        state, infos = search.init(key), []
        for _ in range(search.steps):
            state, info = search.step(state)
            infos.append(info)
        result = of_seed(seeds.results, seed)
        np.testing.assert_array_equal(result.genomes, state.best_of_size.genomes)
        np.testing.assert_allclose(result.weights, state.best_of_size.weights, rtol=1e-4)
        np.testing.assert_allclose(result.fitness, state.best_of_size.fitness, rtol=1e-4)
        expected = [info.best_fitness for info in infos]
        np.testing.assert_allclose(result.best_fitness, expected, rtol=1e-4)
        assert result.dropped.tolist() == [list(info.dropped.values()) for info in infos]
        losses = best_losses("evomal", seeds.task, EVOMAL, result)
        front = [entry.loss for entry in search.front(state)]
        assert losses
        assert [loss.form for loss in losses] == [loss.form for loss in front]
        assert [loss.origin for loss in losses] == [loss.origin for loss in front]
    assert len({tuple(row) for row in np.asarray(seeds.results.best_fitness)}) == SEEDS


def test_a_seed_among_several_is_that_seed_alone():
    task = probe()
    search = whole_search(task, GP_LFL, None)
    keys = jax.random.split(jax.random.key(2), SEEDS)
    results, alone = jax.jit(jax.vmap(search))(keys), jax.jit(search)
    for seed, key in enumerate(keys):
        among, single = of_seed(results, seed), alone(key)
        np.testing.assert_array_equal(among.genomes, single.genomes)
        np.testing.assert_array_equal(among.dropped, single.dropped)
        np.testing.assert_allclose(among.fitness, single.fitness, rtol=1e-4)
        np.testing.assert_allclose(among.best_fitness, single.best_fitness, rtol=1e-4)
        assert np.all(single.weights == 1)
        # The formula to start from has four nodes and was trained.
        assert np.isfinite(single.fitness[4])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chunk": 4}, "expected no chunk, got 4"),
        ({"fitness": FitnessSettings(steps=4, rungs=2)}, "expected 1 fitness rung, got 2"),
        ({"fitness": FitnessSettings(normalize=True)}, "expected fitness normalize off"),
        ({"way": "specialised"}, "expected way auto or interpreted, got specialised"),
    ],
)
def test_what_a_whole_search_cannot_do_is_refused(settings: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        whole_search(probe(), dataclasses.replace(GP_LFL, **settings), None)


def test_losses_are_read_from_the_result_of_one_search(seeds: Seeds):
    with pytest.raises(InvalidInputError, match=f"of one search, got an axis of {SEEDS} seeds"):
        best_losses("evomal", seeds.task, EVOMAL, seeds.results)
