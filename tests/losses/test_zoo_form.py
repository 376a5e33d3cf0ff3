"""Losses of the zoo as forms: on raw outputs, over what a view shows, and as data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss import InvalidInputError, LearnedLoss, zoo
from jaxloss.losses import ZooForm, zoo_form
from jaxloss.losses.views import view_named
from jaxloss.symbols import parse

LOGITS = jnp.array([[0.3, -1.0, 2.0], [1.0, 0.5, 0.0]])
LABELS = jnp.array([2, 1])


@pytest.mark.parametrize("name", list(zoo.ZOO))
def test_every_loss_that_trains_a_task_is_a_form_of_each_of_its_views(name: str):
    entry = zoo.get(name)
    for view in zoo.views_of(entry):
        form = ZooForm(name, view)
        assert ZooForm.from_data(form.as_data()) == form
        assert form.describe(())
        if form.symbolic:
            assert set(form.expression(()).variables) <= set(view_named(view).variables)
        if form.symbolic and not form.elementwise:
            # What the primitives say of all classes of a cell together is a family of rows.
            assert view_named(view).written == "logits"
        elif not form.elementwise:
            with pytest.raises(InvalidInputError):
                form.family()


def test_an_elementwise_loss_adds_up_to_its_value_on_outputs():
    for name in ("mae", "mse", "cross_entropy", "absolute_cross_entropy", "poly1"):
        loss = LearnedLoss(ZooForm(name, "softmax"), (), "softmax")
        f, y = jax.nn.softmax(LOGITS), jax.nn.one_hot(LABELS, 3)
        parts = loss.family.apply(jnp.zeros(0), f, y)
        np.testing.assert_allclose(parts.sum(axis=1), loss(LOGITS, LABELS), rtol=1e-5)


def test_a_loss_of_raw_outputs_is_no_formula_of_probabilities():
    # Hinge looks at scores, the sigmoid view shows probabilities.
    form = ZooForm("hinge", "sigmoid")
    assert not form.symbolic
    assert not form.elementwise
    with pytest.raises(InvalidInputError, match="formula of what the view identity shows"):
        form.expression(())
    assert ZooForm("label_smoothing", "softmax", (("xi", 0.2),)).describe(()) == (
        "label_smoothing, xi = 0.2"
    )


@pytest.mark.parametrize(
    ("alias", "name", "view"),
    [
        (alias, entry.name, zoo.views_of(entry)[0])
        for entry in zoo.ZOO.values()
        if zoo.views_of(entry)
        for alias in (*entry.aliases, entry.name.upper())
    ],
)
def test_a_loss_under_another_name_is_the_same_and_can_be_saved(alias: str, name: str, view: str):
    given = [(one.name, one.default) for one in zoo.get(name).parameters]
    form = ZooForm(alias, view, tuple(reversed(given)))
    assert form == ZooForm(name, view)
    loss = LearnedLoss(form, (), view)
    assert LearnedLoss.from_json(loss.to_json()) == loss


def test_parameters_are_sorted_floats_and_those_that_are_the_defaults_are_left_out():
    form = ZooForm("sce", "softmax", (("log_zero", -4), ("beta", 2), ("alpha", 1.0)))
    assert form == ZooForm("symmetric_cross_entropy", "softmax", (("alpha", 1.0), ("beta", 2.0)))
    assert zoo_form("huber:delta=1", "identity") == ZooForm("huber", "identity")
    changed = zoo_form("huber:delta=0.5", "identity")
    assert changed.expression(()) == parse(
        "0.5*square(min(abs(f - y), 0.5)) + 0.5*(abs(f - y) - min(abs(f - y), 0.5))"
    )
