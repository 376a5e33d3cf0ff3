from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses import LearnedLoss, TreeForm, ZooForm, zoo
from jaxloss.search import METHODS, EvoMALSettings, GPLFLSettings, gp_lfl, method_named
from jaxloss.search.cse_proposals import ProposalSettings
from jaxloss.symbols import Alphabet, PrimitiveSet, parse
from jaxloss.symbols.variation import VariationSettings
from jaxloss.tasks import SupervisedTask, supervised_task

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(40, 2))
SCORES = INPUTS @ np.array([1.0, -1.0])
TINY: dict[str, Any] = {
    "population": 4,
    "generations": 2,
    "max_nodes": 33,
    "chunk": 2,
    "rejection": RejectionSettings(steps=5, examples=20),
    "fitness": FitnessSettings(steps=5),
    "trial": TrialSettings(steps=1, seeds=2, finalist_seeds=2),
}


def regression(targets: Any = SCORES) -> SupervisedTask:
    return supervised_task("toy", INPUTS, targets, "regression", model="linear")


@pytest.mark.parametrize("settings", [EvoMALSettings, GPLFLSettings])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"population": 0}, "population must be 1 or more, got 0"),
        ({"population": -5}, "population must be 1 or more, got -5"),
        ({"generations": 0}, "generations must be 1 or more, got 0"),
        ({"population": 1}, "population: all 1 would be elite"),
        ({"variation": VariationSettings(elitism=1.0)}, "would be elite, and no generation"),
        ({"chunk": 0}, "chunk must be 1 or more, got 0"),
        ({"max_nodes": 32}, "can need 33 nodes, but max_nodes is 32"),
        ({"max_nodes": 2}, "a genome needs 3 tokens or more, got 2"),
        ({"equivalence_tolerance": -1.0}, "equivalence_tolerance must be 0 or more"),
        ({"way": "specialized"}, "unknown way 'specialized'; valid, nearest first: specialised"),
        ({"max_nodes": 251}, "and 251 nodes could not be read back when saved"),
        ({"variation": VariationSettings(max_height=70)}, "trees of height 70 .* not be read back"),
    ],
)
def test_impossible_settings_are_refused_when_they_are_made(
    settings: type[GPLFLSettings], given: dict, message: str
):
    with pytest.raises(InvalidInputError, match=message):
        settings(**given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VariationSettings(max_height=4), "max_height is 4, below the minimum of 5"),
        (lambda: ProposalSettings(max_nodes=30), "can need 31 nodes, but max_nodes is 30"),
        (
            lambda: ProposalSettings(mutation_height=(0, 5)),
            "can need 63 nodes, but max_nodes is 32",
        ),
        (lambda: ProposalSettings(max_nodes=251), "and 251 nodes could not be read back"),
        (lambda: ProposalSettings(max_height=70), "trees of height 70 .* not be read back"),
        (lambda: FitnessSettings(steps=-1), "fitness steps must be 1 or more, got -1"),
        (lambda: RejectionSettings(steps=-1), "rejection steps must be 1 or more, got -1"),
        (lambda: TrialSettings(steps=-1), "trial steps must be 1 or more, got -1"),
    ],
)
def test_impossible_parts_are_refused_when_they_are_made(make: Any, message: str):
    with pytest.raises(InvalidInputError, match=message):
        make()


def nested(text: str, levels: int) -> str:
    return "f" if levels == 0 else text.format(nested(text, levels - 1))


@pytest.mark.parametrize(
    "text",
    [nested("tanh({})", 69), nested("sub(f, {})", 69), nested("sub(tanh(tanh(f)), {})", 62)],
    ids=["a chain", "the deepest", "the largest"],
)
def test_the_largest_trees_that_a_search_may_have_can_be_saved(text: str):
    ProposalSettings(max_nodes=250, max_height=69)
    settings = GPLFLSettings(max_nodes=250, variation=VariationSettings(max_height=69))
    tree = parse(text)
    Alphabet(capacity=settings.max_nodes).encode(tree)
    loss = LearnedLoss(TreeForm(tree, ("f", "y")), (1.5,) * (tree.size - 1), "identity")
    assert LearnedLoss.from_json(loss.to_json()) == loss


def test_an_unknown_method_is_answered_with_the_nearest():
    assert method_named("evomal") is METHODS["evomal"]
    with pytest.raises(InvalidInputError, match=r"unknown method 'EvoMal2'; .* first: evomal"):
        method_named("EvoMal2")


def _balanced(text: str, levels: int) -> str:
    return text if levels == 0 else "({0} + {0})".format(_balanced(text, levels - 1))


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("abs(f - z)", "seed_from: .* at position 9 .* a known name"),
        ("f - 1", "'f - 1' lacks y; a loss needs all"),
        ("hubr", "no loss of the zoo that has one: 'hubr'; nearest first: huber"),
        ("cross_entropy", "cross_entropy cannot train a task of view identity"),
        ("rmse", "rmse cannot be written"),
        ("huber:delta=0", "delta of huber must be"),
        ("f*y, , f - y", "at position 1 found the end"),
        ("softplus(f - y)", "a known name"),
        ("abs(f - ", "at position 8 found the end"),
        (_balanced("f*y", 4), "has 63 nodes; a genome holds 33"),
    ],
)
def test_formulas_to_seed_from_are_checked(formula: str, message: str):
    with pytest.raises(InvalidInputError, match=message):
        gp_lfl(regression(), GPLFLSettings(**TINY, seed_from=(formula,)))


def test_formulas_to_seed_from_stand_in_the_first_population():
    formulas = ("abs(f - y)", "log(f)*y - 1")
    search = gp_lfl(regression(), GPLFLSettings(**TINY, seed_from=formulas))
    genomes = search.init(jax.random.key(0)).genomes
    alphabet = Alphabet(capacity=33)
    trees = [alphabet.decode(genome) for genome in np.asarray(genomes)]
    assert trees[:2] == [parse(formula) for formula in formulas]
    assert all(tree.variables == ("f", "y") for tree in trees)


def test_losses_of_the_zoo_stand_there_too_with_their_constants():
    search = gp_lfl(regression(), GPLFLSettings(**TINY, seed_from=("huber:delta=0.3,mae", "f*y")))
    genomes = search.init(jax.random.key(0)).genomes
    alphabet = Alphabet(PrimitiveSet(constants=(1.0, -1.0, 0.5, 0.3)), 33)
    trees = [alphabet.decode(genome) for genome in np.asarray(genomes)]
    huber = zoo.get("huber").expression(delta=0.3)
    assert trees[:3] == [huber, parse("abs(f - y)"), parse("f*y")]


def test_losses_with_equal_gradients_share_a_fitness():
    search = gp_lfl(regression(), GPLFLSettings(**TINY, equivalence_tolerance=1e-4))
    alphabet = Alphabet(capacity=33)

    def judge(state: Any, text: str) -> tuple[Any, Any]:
        genomes = np.stack([alphabet.encode(parse(text))] * 4)
        return search.step(state._replace(genomes=genomes, generation=np.array(0, np.int32)))

    first, info = judge(search.init(jax.random.key(0)), "abs(f - y)")
    assert (info.trained, info.dropped["equivalent"]) == (1, 0)
    # Another tree, the same slopes.
    second, info = judge(first, "abs(y - f) + 1")
    assert (info.trained, info.dropped["equivalent"]) == (0, 1)
    np.testing.assert_array_equal(second.fitness, first.fitness)
    assert np.isfinite(first.fitness[0])
    _, info = judge(second, "square(f - y)")
    assert (info.trained, info.dropped["equivalent"]) == (1, 0)


TASKS = {
    "softmax": lambda: supervised_task(
        "toy", INPUTS, np.digitize(SCORES, [-0.5, 0.5]), "classification", model="linear"
    ),
    "sigmoid": lambda: supervised_task(
        "toy", INPUTS, SCORES > 0, "classification", model="linear", view="sigmoid"
    ),
    "one output": regression,
    "two outputs": lambda: regression(np.stack([SCORES, -SCORES], axis=1)),
}


@pytest.mark.parametrize("kind", TASKS)
def test_a_search_that_found_nothing_hands_over_the_task_loss_itself(kind: str):
    task = TASKS[kind]()
    search = gp_lfl(task, GPLFLSettings(**TINY, optimizer=BaseOptimizerSettings(batch_size=8)))
    best = search.best(search.init(jax.random.key(0)))
    assert isinstance(best.form, ZooForm)
    variables = task.model.init(jax.random.key(1), task.valid.inputs)
    outputs = task.model.apply(variables, task.valid.inputs, False, None)[0]
    targets = task.valid.targets

    def gradient(loss: Any) -> Any:
        return jax.grad(lambda outputs: jnp.mean(loss(outputs, targets)))(outputs)

    np.testing.assert_allclose(best(outputs, targets), task.task_loss(outputs, targets), rtol=1e-5)
    np.testing.assert_allclose(gradient(best), gradient(task.task_loss), rtol=1e-4, atol=1e-7)
