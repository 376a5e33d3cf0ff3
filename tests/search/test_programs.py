"""Interpreted = specialised, for every part of a candidate's way."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.unroll import LocalSearchSettings
from jaxloss.search.plan import execution_plan
from jaxloss.search.programs import CandidatePrograms, candidate_programs
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols import parse
from jaxloss.symbols.genome import Alphabet
from jaxloss.tasks import Split, TaskSettings, load_task

TASK = load_task("wine", TaskSettings(model="mlp:4"))
TUNING = LocalSearchSettings(meta_steps=4, inner_steps=1, learning_rate=0.1)
SETTINGS = GeneticSettings(
    population=3,
    rejection=RejectionSettings(steps=5, examples=20),
    fitness=FitnessSettings(steps=6, seeds=2),
)
ALPHABET = Alphabet(capacity=SETTINGS.max_nodes)
# None has a weight that training under it would not feel: there rounding alone would steer Adam.
FORMULAS = ("square(sub(y, f))", "tanh(mul(y, log(f)))", "sub(tanh(div(f, y)), mul(y, sqrt(f)))")
GENOMES = np.stack([ALPHABET.encode(parse(text, ALPHABET.primitives)) for text in FORMULAS])


@pytest.fixture(scope="module")
def both() -> list[CandidatePrograms]:
    ways = (replace(SETTINGS, way="interpreted"), replace(SETTINGS, way="specialised"))
    return [candidate_programs(TASK, settings, TUNING, ALPHABET) for settings in ways]


@pytest.mark.parametrize("part", ["improve", "tune", "norms", "train"])
def test_both_ways_agree(both: list[CandidatePrograms], part: str):
    weights = np.asarray(both[0].describe(jax.random.key(1), GENOMES)[1])
    examples = Split(*(leaf[:20] for leaf in TASK.train))
    whole = part in ("tune", "train")
    key = jax.random.key(2)
    shared = (key, TASK.train, TASK.valid) if whole else (key, examples)
    interpreted, specialised = (
        getattr(programs, part)(shared, (GENOMES, weights)) for programs in both
    )
    np.testing.assert_allclose(interpreted, specialised, rtol=2e-4, atol=2e-6)
    if part == "tune":
        assert np.all(np.max(np.abs(interpreted - weights), axis=1) > 0.05), "the weights moved"


PARTS = ("improve", "tune", "norms", "train")


def test_a_way_is_chosen_for_each_part():
    def ways(settings: GeneticSettings) -> list[str]:
        plan = execution_plan(TASK, settings, TUNING)
        return [plan[part].way for part in PARTS]

    assert ways(SETTINGS) == ["interpreted"] * 4
    long = replace(SETTINGS, fitness=FitnessSettings(steps=10_000_000))
    assert ways(long) == ["interpreted"] * 3 + ["specialised"]
    assert ways(replace(long, way="interpreted")) == ["interpreted"] * 4


@pytest.mark.parametrize(
    ("model", "chunks"), [("mlp:50-50", [4, 2, 4, 2]), ("mlp:1000-1000", [4, 2, 4, 1])]
)
def test_large_networks_run_in_smaller_chunks(model: str, chunks: list[int]):
    settings = replace(SETTINGS, population=25)
    task = load_task("wine", TaskSettings(model=model))
    plan = execution_plan(task, settings, TUNING)
    assert [plan[part].chunk for part in PARTS] == chunks
    own = execution_plan(task, replace(settings, chunk=7), TUNING)
    assert {own[part].chunk for part in PARTS} == {7}
