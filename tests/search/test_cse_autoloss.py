"""CSE-Autoloss: what its filters keep when the search's own programs run them, and its search."""

import itertools
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.convergence import ConvergenceSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.simulation import SimulationSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses import LearnedLoss, ZooForm
from jaxloss.search import Info, Search
from jaxloss.search.cse_autoloss import cse_autoloss
from jaxloss.search.cse_judging import Branch, CSEPrograms, branch_of, cse_programs
from jaxloss.search.cse_proposals import ProposalSettings
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.symbols import Alphabet, parse
from jaxloss.tasks import SupervisedTask, TaskSettings, load_supervised_task, supervised_task

KEY = jax.random.key(0)
CROSS_ENTROPY = "neg(dot(y, log(softmax(x))))"
SQUARED_ERROR = "dot(sub(softmax(x), y), sub(softmax(x), y))"
IOU = "sub(1, ratio(i, u))"
GIOU = "add(sub(1, ratio(i, u)), ratio(sub(e, u), e))"
KEPT = {"classes": [CROSS_ENTROPY, SQUARED_ERROR], "boxes": [IOU, GIOU]}
DROPPED = {
    "classes": [*(f"neg({text})" for text in KEPT["classes"]), "1", "y", "exp(sin(y))", "x"],
    "boxes": [*(f"neg({text})" for text in KEPT["boxes"]), "1", "exp(sin(2))", "u", "neg(i)"],
}
SETTINGS: dict[str, Any] = {
    "population": 3,
    "generations": 3,
    "proposals": 48,
    "parents": 2,
    "first_rounds": 60,
    "chunk": 2,
    "proposal": ProposalSettings(max_nodes=24, initial_height=(1, 3)),
    "convergence": ConvergenceSettings(lines=12, steps=8),
    "simulation": SimulationSettings(steps=60, learning_rate=0.05, examples=20),
    "fitness": FitnessSettings(steps=40),
    "optimizer": BaseOptimizerSettings(learning_rate=0.05, batch_size=16),
    "trial": TrialSettings(steps=40, finalists=2, finalist_seeds=2),
}


def clouds() -> SupervisedTask:
    generator = np.random.default_rng(0)
    targets = np.arange(120) % 3
    centres = np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    inputs = centres[targets] + generator.normal(size=(120, 2))
    return supervised_task("clouds", inputs, targets, "classification", model="linear")


class Place(NamedTuple):
    """A branch with the task that calls for it."""

    name: str
    task: SupervisedTask
    settings: CSEAutoLossSettings
    branch: Branch
    alphabet: Alphabet


class Course(NamedTuple):
    search: Search
    states: list[Any]
    infos: list[Info]


@pytest.fixture(scope="module", params=["classes", "boxes"])
def place(request: pytest.FixtureRequest) -> Place:
    name = request.param
    task = (
        clouds()
        if name == "classes"
        else load_supervised_task("boxes", TaskSettings(model="linear"))
    )
    settings = CSEAutoLossSettings(**SETTINGS, seed_from=(KEPT[name][0],))
    branch = branch_of(task)
    return Place(name, task, settings, branch, Alphabet(branch.primitives, 24))


@pytest.fixture(scope="module")
def programs(place: Place) -> CSEPrograms:
    return cse_programs((place.task,), place.settings, place.branch, place.alphabet)


@pytest.fixture(scope="module")
def course(place: Place, programs: CSEPrograms) -> Course:
    """A whole search, which takes the programs that are there instead of compiling its own."""
    with pytest.MonkeyPatch.context() as patch:
        # By the function, whose name hides its module in the package.
        patch.setitem(cse_autoloss.__globals__, "cse_programs", lambda *_: programs)
        search = cse_autoloss(place.task, place.settings)
    states, infos = [search.init(KEY)], []
    for _ in range(search.steps):
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
    return Course(search, states, infos)


def genomes_of(place: Place, texts: list[str]) -> np.ndarray:
    primitives = place.branch.primitives
    return np.stack([place.alphabet.encode(parse(text, primitives)) for text in texts])


def test_the_convergence_filter_keeps_what_trains_and_drops_the_rest(
    place: Place, programs: CSEPrograms
):
    kept, dropped = KEPT[place.name], DROPPED[place.name]
    passed = programs.converges(KEY, genomes_of(place, [*kept, *dropped]))
    assert passed.dtype == bool
    assert passed.tolist() == [True] * len(kept) + [False] * len(dropped)


def test_simulation_ranks_good_losses_before_their_negations(place: Place, programs: CSEPrograms):
    kept = KEPT[place.name]
    texts = [*kept, *(f"neg({text})" for text in kept)]
    scores = programs.simulates(KEY, genomes_of(place, texts))
    assert np.all(scores[: len(kept)] > 0.75)
    assert np.all(scores[len(kept) :] < 0.2)


def test_filters_take_no_genomes_at_all(place: Place, programs: CSEPrograms):
    none = np.zeros((0, place.alphabet.capacity), np.int32)
    assert programs.converges(KEY, none).tolist() == []
    assert programs.simulates(KEY, none).tolist() == []


def test_training_under_a_genome_scores_each_seed(place: Place, programs: CSEPrograms):
    texts = [KEPT[place.name][0], f"neg({KEPT[place.name][0]})"]
    (scores,) = programs.train(KEY, genomes_of(place, texts))
    assert scores.shape == (2, place.settings.fitness.seeds)
    assert np.mean(scores[0]) < np.mean(scores[1])


def test_the_search_finds_losses_that_converge(course: Course, place: Place, programs: CSEPrograms):
    last = course.states[-1]
    found = int(np.sum(np.isfinite(last.fitness)))
    assert found >= 1
    # Nothing comes back worse than what was handed over.
    (handed,) = genomes_of(place, [KEPT[place.name][0]])
    first = course.states[1]
    (seeded,) = first.fitness[np.all(first.genomes == handed, axis=1)]
    assert last.fitness[0] <= seeded
    assert np.all(programs.converges(course.states[0].key, last.genomes[:found]))
    assert last.fitness.tolist() == sorted(last.fitness.tolist())
    assert np.all(last.genomes[found:] == -1)
    best = course.infos[-1].best
    assert isinstance(best, LearnedLoss)
    assert best.view == place.branch.view
    assert set(best.parameters) == {1.0}


def test_a_formula_to_seed_from_is_judged_in_the_first_generation(course: Course, place: Place):
    (genome,) = genomes_of(place, [KEPT[place.name][0]])
    assert genome.tolist() in course.states[1].genomes.tolist()


def test_the_first_generation_proposes_until_it_is_full(course: Course, place: Place):
    first, *later = course.infos
    assert first.candidates % SETTINGS["proposals"] == 0
    assert first.trained == SETTINGS["population"]
    if place.name == "classes":
        # Hardly any tree of logits passes; of the one to seed from alone, all others would come.
        assert first.candidates > SETTINGS["proposals"]
    assert all(info.candidates == SETTINGS["proposals"] for info in later)
    for info in course.infos:
        kept = info.candidates - sum(info.dropped.values())
        assert kept == info.trained - info.dropped["not finite"]


def test_no_tree_passes_the_filters_twice(course: Course):
    new = [info.candidates - info.dropped["archive"] for info in course.infos]
    archive = course.states[-1].archive
    assert int(archive.rows) == sum(new)
    hashes = archive.hashes[: sum(new)]
    assert len({tuple(row) for row in hashes.tolist()}) == sum(new)
    assert all(info.trained <= SETTINGS["population"] for info in course.infos)
    for older, newer in itertools.pairwise(course.states):
        done = int(older.archive.rows)
        np.testing.assert_array_equal(older.archive.hashes[:done], newer.archive.hashes[:done])


def test_the_end_of_the_search_has_a_winner(course: Course, place: Place):
    finalists = course.search.finalists(course.states[-1])
    (usual,) = [finalist for finalist in finalists if not finalist.learned]
    assert usual.loss.form == ZooForm(place.task.task_loss_name, place.task.view.name)
    assert finalists[0].mean <= usual.mean
    best = course.search.best(course.states[-1])
    assert best == finalists[0].loss
    assert LearnedLoss.from_json(best.to_json()) == best


def test_a_table_of_values_is_refused():
    inputs = np.random.default_rng(0).normal(size=(60, 2))
    table = supervised_task("table", inputs, inputs[:, 0], "regression", model="linear")
    with pytest.raises(InvalidInputError, match=r"table shows .* identity view.*evomal"):
        cse_autoloss(table, CSEAutoLossSettings(**SETTINGS))


def test_formulas_to_seed_from_are_read_when_the_search_is_made():
    with pytest.raises(InvalidInputError, match="boxx"):
        cse_autoloss(clouds(), CSEAutoLossSettings(**SETTINGS, seed_from=("softmax(boxx)",)))
    tall = "neg(" * 9 + "x" + ")" * 9
    with pytest.raises(InvalidInputError, match="has height 9, max_height is 8"):
        cse_autoloss(clouds(), CSEAutoLossSettings(**SETTINGS, seed_from=(tall,)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parents": 0}, "parents must be 1 or more, got 0"),
        ({"first_rounds": 0}, "first_rounds must be 1 or more, got 0"),
        ({"population": 9, "proposals": 8}, "proposals must be at least the population of 9"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        CSEAutoLossSettings(**settings)
