"""The registry of the zoo: names, parameters, expression forms, and use as training losses."""

import functools
import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from zoo_inputs import drawn

from jaxloss import InvalidInputError, LearnedLoss, TreeForm, zoo
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo import ZooTaskLoss
from jaxloss.symbols import parse

EVERY = pytest.mark.parametrize("name", zoo.ZOO)
WRITTEN = [name for name, loss in zoo.ZOO.items() if loss.form]
OUTPUTS = {
    "identity": (5, 2),
    "sigmoid": (5, 1),
    "softmax": (5, 3),
    "boxes": (5, 4),
    "anchors": (5, 4, 2),
}


def outputs_and_targets(view: str) -> tuple[jax.Array, jax.Array]:
    outputs = jax.random.normal(jax.random.key(3), OUTPUTS[view])
    targets = {
        "identity": jax.random.normal(jax.random.key(4), OUTPUTS[view]),
        "sigmoid": jnp.array([0, 1, 1, 0, 1]),
        "softmax": jnp.array([2, 0, 1, 1, 0]),
        "anchors": jnp.array([2, 0, 1, 1, 0]),
        "boxes": jnp.array([[24.0, 20.0, 40.0 + width, 44.0] for width in range(5)]),
    }
    return outputs, targets[view]


def test_names_and_aliases_are_unique():
    names = [name for loss in zoo.ZOO.values() for name in (loss.name, *loss.aliases)]
    assert len(names) == len(set(names))
    assert len(zoo.ZOO) == 84


@EVERY
def test_every_name_finds_its_loss(name: str):
    loss = zoo.ZOO[name]
    for other in (name, *loss.aliases, name.upper().replace("_", "-")):
        assert zoo.get(other) is loss
    assert getattr(zoo, loss.function.__name__) is loss.function
    assert inspect.getdoc(loss.function)
    assert loss.formula
    assert loss.source
    assert loss.minimum
    hash(loss)


def test_unknown_names_give_the_nearest():
    with pytest.raises(InvalidInputError, match="'hubr'; valid, nearest first: huber,"):
        zoo.get("hubr")
    with pytest.raises(InvalidInputError, match="'margins'; valid, nearest first: margin"):
        zoo.names("margins")
    with pytest.raises(InvalidInputError, match="nearest first: convex"):
        zoo.select(properties=frozenset({"konvex"}))
    with pytest.raises(InvalidInputError, match="nearest first: logit"):
        zoo.select(kind="logitz")
    with pytest.raises(InvalidInputError, match="nearest first: real"):
        zoo.example_inputs("reals", jax.random.key(0))
    with pytest.raises(InvalidInputError, match="one example or more"):
        zoo.example_inputs("real", jax.random.key(0), 0)


def test_losses_are_listed_and_filtered():
    assert zoo.names() == tuple(zoo.ZOO)
    assert sum(len(zoo.names(branch)) for branch in zoo.BRANCHES) == len(zoo.ZOO)
    assert zoo.names("segmentation") == ("dice", "tversky", "psg")
    tolerant = zoo.select("regression", "real", frozenset({"noise_tolerant", "nonnegative"}))
    assert [loss.name for loss in tolerant] == ["mae", "quantile"]


@EVERY
def test_parameters_are_those_of_the_function(name: str):
    loss = zoo.get(name)
    keywords = inspect.signature(loss.function).parameters
    for parameter in loss.parameters:
        assert keywords[parameter.name].default == parameter.default
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.meaning
        assert parameter.source
    others = set(keywords) - set(loss.defaults) - {"axis", "where", "balance"}
    assert len(others) == len(loss.inputs.arguments)


def test_parameters_are_bound_within_their_range():
    f, y = jnp.array([3.0]), jnp.array([0.0])
    assert float(zoo.get("huber").bind(delta=2.0)(f, y)[0]) == pytest.approx(4.0)
    wrongs: tuple[Any, ...] = (0.0, -1.0, float("nan"), float("inf"), True, "2")
    for wrong in wrongs:
        with pytest.raises(InvalidInputError, match="delta of huber must be a number from"):
            zoo.get("huber").bind(delta=wrong)
    with pytest.raises(InvalidInputError, match="unknown parameter of huber 'beta'"):
        zoo.get("huber").bind(beta=1.0)
    with pytest.raises(InvalidInputError, match="mae has no parameters"):
        zoo.get("mae").bind(delta=1.0)


def test_a_wrong_entry_is_refused():
    mae = zoo.get("mae")
    arguments = (mae.name, mae.branch, mae.function)
    with pytest.raises(InvalidInputError, match="unknown property"):
        zoo.ZooLoss(*arguments, "real", "", "", "", properties=frozenset({"nice"}))
    with pytest.raises(InvalidInputError, match="unknown kind"):
        zoo.ZooLoss(*arguments, "unreal", "", "", "")


@EVERY
def test_formulas_are_balanced_latex(name: str):
    formula = zoo.get(name).formula
    assert len(re.findall(r"(?<!\\)\{", formula)) == len(re.findall(r"(?<!\\)\}", formula))
    assert formula.count(r"\left") - formula.count(r"\left.") >= 0
    assert len(re.findall(r"\\left\b", formula)) == len(re.findall(r"\\right\b", formula))
    assert len(re.findall(r"\\begin", formula)) == len(re.findall(r"\\end", formula))


@pytest.mark.parametrize("name", WRITTEN)
def test_expression_forms_equal_the_loss(name: str):
    entry = zoo.get(name)
    views = zoo.views_of(entry)
    placed = {p.name: 0.5 * (p.default + p.high) for p in entry.parameters}
    placed = {
        key: min(value, 3.0) for key, value in placed.items() if "{" + key + "}" in str(entry.form)
    }
    for parameters in ({}, placed):
        tree = entry.expression(**parameters)
        variables = view_named(str(entry.view)).variables
        learned = LearnedLoss(TreeForm(tree, variables), (1.0,) * (tree.size - 1), str(entry.view))
        if not views:
            f, y = drawn(entry.kind, jnp.float32)
            expected = entry.bind(**parameters)(f, y)
            np.testing.assert_allclose(learned(f, y), expected, rtol=1e-4, atol=1e-5)
            continue
        # Margin losses are written for labels 0 and 1 beside raw outputs.
        view = "sigmoid" if entry.kind == "score" else str(entry.view)
        outputs, targets = outputs_and_targets(view)
        expected = zoo.as_task_loss(entry, view, **parameters)(outputs, targets)
        np.testing.assert_allclose(learned(outputs, targets), expected, rtol=2e-5, atol=2e-6)


def test_expressions_that_cannot_be_written_are_refused():
    with pytest.raises(InvalidInputError, match="baikal cannot be written"):
        zoo.get("baikal").expression()
    with pytest.raises(InvalidInputError, match="with gamma = 2 only, got 3"):
        zoo.get("focal").expression(gamma=3.0)
    assert zoo.get("mae").expression() == parse("abs(f - y)")


@EVERY
def test_losses_train_supervised_tasks_or_say_why_not(name: str):
    entry = zoo.get(name)
    for view in OUTPUTS:
        if view not in zoo.views_of(entry):
            with pytest.raises(InvalidInputError, match=f"{name} cannot train a task"):
                zoo.as_task_loss(entry, view)
            continue
        loss = zoo.as_task_loss(entry, view)
        outputs, targets = outputs_and_targets(view)
        values = loss(outputs, targets)
        assert values.shape == (5,)
        assert np.all(np.isfinite(values))


@pytest.mark.parametrize(
    "name", ["sparse_cross_entropy", "nll", "kl", "energy_nll", "cross_entropy"]
)
def test_cross_entropy_under_its_other_names(name: str):
    # By hand: -log softmax of the right class.
    outputs, targets = outputs_and_targets("softmax")
    rows = zip(np.exp(outputs), targets, strict=True)
    expected = [-np.log(row[k] / row.sum()) for row, k in rows]
    loss = zoo.as_task_loss(zoo.get(name), "softmax")
    np.testing.assert_allclose(loss(outputs, targets), expected, rtol=1e-5)
    one_hot = jax.nn.one_hot(targets, 3)
    np.testing.assert_allclose(loss(outputs, one_hot), expected, rtol=1e-5)


def test_margin_losses_take_labels_of_0_and_1():
    outputs, targets = outputs_and_targets("sigmoid")
    signs = jnp.where(targets > 0, 1.0, -1.0)
    found = zoo.as_task_loss(zoo.get("hinge"), "sigmoid")(outputs, targets)
    np.testing.assert_allclose(found, zoo.hinge(outputs[:, 0], signs))


def test_training_losses_say_why_they_do_not_fit():
    reasons = {
        "zero_one": "its gradient is 0",
        "mbe": "no minimum",
        "msle": "at least 0",
        "giou": "fits tasks of view boxes",
        "cse_a_class": "overlaps of boxes",
        "cam": "anchors",
        "triplet": "compares",
        "wgan_critic": "generative",
        "dice": "mask",
    }
    for name, reason in reasons.items():
        with pytest.raises(InvalidInputError, match=reason):
            zoo.as_task_loss(zoo.get(name), "identity")
    with pytest.raises(InvalidInputError, match="tasks of view softmax"):
        zoo.as_task_loss(zoo.get("cross_entropy"), "identity")
    with pytest.raises(InvalidInputError, match="unknown view 'softmx'"):
        zoo.as_task_loss(zoo.get("cross_entropy"), "softmx")


def test_equal_training_losses_share_a_program():
    traces = 0

    @functools.partial(jax.jit, static_argnums=0)
    def run(loss: ZooTaskLoss, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        nonlocal traces
        traces += 1
        return loss(outputs, targets)

    for delta in (2.0, 2.0, 3.0):
        run(
            zoo.as_task_loss(zoo.get("huber"), "identity", delta=delta),
            *outputs_and_targets("identity"),
        )
    assert traces == 2
