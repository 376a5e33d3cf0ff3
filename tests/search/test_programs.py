"""Interpreted = specialised, for every part of a candidate's way."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.population import PopulationProgram
from jaxloss.search.plan import execution_plan
from jaxloss.search.programs import CandidatePrograms, candidate_programs, tuning_program
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols import parse
from jaxloss.symbols.genome import Alphabet
from jaxloss.tasks import Split, Task, TaskSettings, load_task

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


BOTH = (replace(SETTINGS, way="interpreted"), replace(SETTINGS, way="specialised"))
SPLITS = TASK.train, TASK.valid


@pytest.fixture(scope="module")
def both() -> list[CandidatePrograms]:
    return [candidate_programs(TASK, settings, TUNING, ALPHABET) for settings in BOTH]


@pytest.fixture(scope="module")
def weights(both: list[CandidatePrograms]) -> np.ndarray:
    return np.asarray(both[0].describe(jax.random.key(1), GENOMES)[1])


@pytest.mark.parametrize("part", ["improve", "norms", "train"])
def test_both_ways_agree(both: list[CandidatePrograms], weights: np.ndarray, part: str):
    examples = Split(*(leaf[:20] for leaf in TASK.train))
    key = jax.random.key(2)
    shared = (key, *SPLITS) if part == "train" else (key, examples)
    interpreted, specialised = (
        getattr(programs, part)(shared, (GENOMES, weights)) for programs in both
    )
    np.testing.assert_allclose(interpreted, specialised, rtol=2e-4, atol=2e-6)


def tuned(tasks: list[Task], settings: GeneticSettings, weights: np.ndarray) -> np.ndarray:
    splits = [(task.train, task.valid) for task in tasks]
    program = tuning_program(tasks, settings, TUNING, ALPHABET)
    return program((jax.random.key(2), splits), (GENOMES, weights))


@pytest.fixture(scope="module")
def tuned_alone(weights: np.ndarray) -> np.ndarray:
    return tuned([TASK], BOTH[0], weights)


def test_both_ways_tune_alike(tuned_alone: np.ndarray, weights: np.ndarray):
    specialised = tuned([TASK], BOTH[1], weights)
    np.testing.assert_allclose(tuned_alone, specialised, rtol=2e-4, atol=2e-6)
    assert np.all(np.max(np.abs(tuned_alone - weights), axis=1) > 0.05), "the weights moved"


def test_no_meta_steps_leave_the_weights_as_they_are(weights: np.ndarray):
    program = tuning_program([TASK], SETTINGS, LocalSearchSettings(meta_steps=0), ALPHABET)
    found = program((jax.random.key(2), [SPLITS]), (GENOMES, weights))
    np.testing.assert_array_equal(found, weights)


def test_a_second_task_has_its_say_in_tuning(tuned_alone: np.ndarray, weights: np.ndarray):
    other = load_task("wine", TaskSettings(model="linear"))
    pair = tuned([TASK, other], BOTH[0], weights)
    assert np.all(np.max(np.abs(pair - tuned_alone), axis=1) > 1e-3)


def test_splits_go_on_as_they_are(monkeypatch: pytest.MonkeyPatch):
    handed_on: list[Any] = []

    def keep(shared: Any, _: Any) -> None:
        handed_on.append(shared)

    stub = PopulationProgram(keep, keep)
    monkeypatch.setattr("jaxloss.search.programs.over_trees", lambda *_: stub)
    train = candidate_programs(TASK, SETTINGS, TUNING, ALPHABET).train
    tune = tuning_program([TASK], SETTINGS, TUNING, ALPHABET)
    key = jax.random.key(0)
    for call in (train, train.prepare):
        call((key, *SPLITS), ())
    for call in (tune, tune.prepare):
        call((key, [SPLITS]), ())
    assert len(handed_on) == 4
    for splits in (*(shared[1:] for shared in handed_on[:2]), *(s[1][0] for s in handed_on[2:])):
        assert splits[0].inputs is TASK.train.inputs
        assert splits[1].inputs is TASK.valid.inputs


PARTS = ("improve", "tune", "norms", "train")


@pytest.fixture
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the choices those of a CPU, wherever the tests run."""
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")


@pytest.mark.usefixtures("on_a_cpu")
def test_a_way_is_chosen_for_each_part():
    def ways(settings: GeneticSettings) -> list[str]:
        plan = execution_plan(TASK, settings, TUNING)
        return [plan[part].way for part in PARTS]

    assert ways(SETTINGS) == ["interpreted"] * 4
    long = replace(SETTINGS, fitness=FitnessSettings(steps=10_000_000))
    assert ways(long) == ["interpreted"] * 3 + ["specialised"]
    assert ways(replace(long, way="interpreted")) == ["interpreted"] * 4


@pytest.mark.usefixtures("on_a_cpu")
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


@pytest.mark.parametrize(
    ("population", "model", "chunks"),
    [
        (25, "mlp:50-50", [25, 25, 25, 25]),
        (800, "mlp:50-50", [800, 256, 800, 256]),
        (9000, "mlp:50-50", [1024, 1024, 1024, 1024]),
        (25, "mlp:1000-1000", [25, 16, 25, 16]),
        (800, "mlp:1000-1000", [800, 200, 800, 200]),
    ],
)
def test_accelerators_take_many_at_once(
    population: int, model: str, chunks: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    plan = execution_plan(
        load_task("wine", TaskSettings(model=model)),
        replace(SETTINGS, population=population),
        TUNING,
    )
    assert [plan[part].chunk for part in PARTS] == chunks
