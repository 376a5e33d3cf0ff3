"""Judging by masks drops, scores and remembers what judging by rows does."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxloss.learning.filters import RejectionSettings, empty_archive
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search.judging import FILTERS, tree_judge
from jaxloss.search.masked_judging import empty_masked_archive, masked_judge
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols import Alphabet, parse
from jaxloss.symbols.variation import VariationSettings
from jaxloss.tasks import supervised_task

ALPHABET = Alphabet(capacity=16)
GENERATIONS = (
    # The second is the first again; the third makes outputs leave the targets; the last explodes.
    (
        "add(abs(sub(f, y)), 1)",
        "add(1, abs(sub(f, y)))",
        "mul(square(sub(f, y)), -1)",
        "square(square(f - y))",
    ),
    # One from the archive, its double, one whose gradient is that of abs(f - y), a new one.
    ("add(abs(sub(f, y)), 1)", "add(1, abs(sub(f, y)))", "abs(sub(f, y))", "square(sub(f, y))"),
)


def test_both_ways_judge_alike():
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(80, 3))
    targets = inputs @ np.array([1.0, -1.0, 2.0]) + generator.normal(size=80)
    task = supervised_task("probe", inputs, targets, "regression", model="linear")
    settings = GeneticSettings(
        population=4,
        generations=2,
        max_nodes=ALPHABET.capacity,
        equivalence_tolerance=0.02,
        variation=VariationSettings(initial_height=(1, 2)),
        rejection=RejectionSettings(steps=20, examples=20),
        fitness=FitnessSettings(steps=12, seeds=2),
        optimizer=BaseOptimizerSettings(learning_rate=0.3, batch_size=16),
    )
    tuning = LocalSearchSettings(meta_steps=2)
    rows = tree_judge((task,), settings, tuning, ALPHABET)
    masks = jax.jit(masked_judge(task, settings, tuning, ALPHABET))
    archive, masked_archive = empty_archive(8, 20), empty_masked_archive(8, 20)

    key, dropped = jax.random.key(0), np.zeros(len(FILTERS), int)
    for number, formulas in enumerate(GENERATIONS):
        genomes = np.stack([ALPHABET.encode(parse(formula)) for formula in formulas])
        expected, archive = rows(key, genomes, archive, number)
        verdicts, masked_archive = masks(
            key, jnp.asarray(genomes), masked_archive, jnp.int32(number)
        )
        assert verdicts.dropped.tolist() == list(expected.dropped.values())
        np.testing.assert_array_equal(verdicts.trained, expected.trained)
        np.testing.assert_allclose(verdicts.fitness, expected.fitness, rtol=1e-4)
        trained = expected.trained
        np.testing.assert_allclose(verdicts.weights[trained], expected.weights[trained], rtol=1e-5)
        dropped += verdicts.dropped
    filled = np.asarray(masked_archive.filled)
    assert filled.sum() == archive.rows
    np.testing.assert_array_equal(masked_archive.hashes[filled], archive.hashes[: archive.rows])
    np.testing.assert_allclose(
        masked_archive.norms[filled], archive.norms[: archive.rows], rtol=1e-4
    )
    # Nothing is hopeless after two meta-steps that was not before.
    assert dict(zip(FILTERS, dropped.tolist(), strict=True)) == {
        "archive": 3,
        "rejected before": 1,
        "rejected after": 0,
        "equivalent": 1,
        "outrun": 0,
        "not finite": 1,
    }
