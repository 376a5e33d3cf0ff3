"""Losses of the zoo as formulas in primitives: each form is the loss, with any parameters."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss import InvalidInputError, LearnedLoss, TreeForm, zoo
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses import ZooForm, zoo_form
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo import ZooLoss, ZooTaskLoss
from jaxloss.losses.zoo.writing import power
from jaxloss.symbols import parse

pytestmark = pytest.mark.usefixtures("float64")

VARIANTS: dict[str, list[dict[str, float]]] = {
    "huber": [{"delta": 0.5}],
    "smooth_l1": [{"beta": 2.0}],
    "quantile": [{"tau": 0.9}],
    "barron": [
        {"alpha": 2.0, "scale": 0.7},
        {"alpha": 0.0, "scale": 2.0},
        {"alpha": -2.0},
        {"alpha": -1.25, "scale": 0.5},
        {"alpha": 1.5},
    ],
    "quadratically_smoothed_hinge": [{"gamma": 0.7}],
    "focal": [{"gamma": 0.0}, {"gamma": 1.0}, {"gamma": 3.0}, {"gamma": 2.75}],
    "poly1": [{"epsilon": -0.5}],
    "label_smoothing": [{"xi": 0.3}],
    "generalized_cross_entropy": [{"q": 0.25}, {"q": 0.5}, {"q": 0.75}, {"q": 1.0}],
    "symmetric_cross_entropy": [{"alpha": 0.5, "beta": 2.0, "log_zero": -6.0}],
    "sparse_lsr": [{"xi": 0.3}],
    "absolute_cross_entropy": [{"phi_0": 0.5, "phi_1": 2.0}],
    "baikal": [{"w_0": 0.5, "w_1": 2.0, "w_2": 3.0}],
    "xtreme_margin": [{"lambda_0": 2.0, "lambda_1": 0.5}, {"lambda_0": 3.0, "lambda_1": 3.0}],
    "energy_nll": [{"beta": 2.0}],
    "minimum_empirical_error": [{"beta": 0.5}],
}
"""Parameters other than the defaults, each of them that the primitives can say."""
VIEWS = ("identity", "sigmoid", "softmax", "logits", "boxes")


def outputs_and_targets(view: str) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    shapes = {"identity": (8, 2), "sigmoid": (8, 1), "boxes": (8, 4), "anchors": (8, 4, 2)}
    shapes |= dict.fromkeys(("cell_classes", "cell_boxes"), (8, 2, 7))
    shapes["masks"] = (8, 3, 4)
    shape = shapes.get(view, (8, 3))
    targets: dict[str, Any] = {
        "identity": generator.normal(size=shape),
        "sigmoid": np.array([0, 1, 1, 0, 1, 0, 1, 1]),
        "boxes": np.array([[24.0, 20.0, 40.0 + width, 44.0] for width in range(8)]),
        # From an empty mask to one that is nothing but object.
        "masks": np.stack([np.tri(3, 4, last, dtype=float) for last in range(-3, 5)]),
    }
    classes = np.array([2, 0, 1, 1, 0, 2, 0, 1])
    # The first cell of each example has a box, the second shows the background.
    first = np.concatenate([classes[:, None] % 2, generator.uniform(4, 16, (8, 4))], 1)
    rows = np.stack([first, np.tile([2.0, 0.0, 0.0, 0.0, 0.0], (8, 1))], 1)
    targets |= dict.fromkeys(("cell_classes", "cell_boxes"), rows)
    return 1.5 * generator.normal(size=shape), targets.get(view, classes)


def as_written(entry: ZooLoss, view: str, parameters: dict[str, float]) -> LearnedLoss:
    tree, variables = entry.expression(view, **parameters), view_named(view).variables
    return LearnedLoss(TreeForm(tree, variables), (1.0,) * (tree.size - 1), view)


def can_say(entry: ZooLoss, view: str, parameters: dict[str, float]) -> bool:
    try:
        return entry.expression(view, **parameters).size > 0
    except InvalidInputError:
        return False


def cases(view: str) -> dict[tuple[str, int], dict[str, float]]:
    """What is compared on a view: by name and number, the parameters."""
    return {
        (name, number): parameters
        for name, entry in zoo.ZOO.items()
        if view in entry.written_views
        for number, parameters in enumerate([{}, *VARIANTS.get(name, [])])
        if can_say(entry, view, parameters)
    }


@functools.cache
def both_sides(view: str) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    """Each loss as it is written, and as the zoo has it, on raw outputs."""

    def compared(outputs: Array, targets: Array) -> dict[str, tuple[Array, Array]]:
        found = {}
        for (name, number), parameters in cases(view).items():
            entry = zoo.get(name)
            x, y = outputs, targets
            if entry.kind == "nonnegative":
                x, y = jnp.abs(x), jnp.abs(y)
                right = jnp.sum(entry.bind(**parameters)(x, y), -1)
            else:
                # Margin losses are written for labels 0 and 1 beside raw outputs.
                scored = entry.kind == "score" and view == "identity"
                x, y = (outputs[:, :1], jnp.where(y[:, :1] > 0, 1.0, 0.0)) if scored else (x, y)
                task_view = {"logits": "softmax"}.get(view, "sigmoid" if scored else view)
                values = tuple(entry.values(parameters).items())
                right = ZooTaskLoss(entry, task_view, values)(x, y)
            found[f"{name} {number}"] = as_written(entry, view, parameters)(x, y), right
        return found

    found = jit_brief(compared)(*outputs_and_targets(view))
    return {case: jax.tree.map(np.asarray, found["{} {}".format(*case)]) for case in cases(view)}


@pytest.mark.parametrize(
    ("view", "name"), [(view, name) for view in VIEWS for name, _ in cases(view)]
)
def test_expression_forms_equal_the_loss(view: str, name: str):
    for (one, number), (written, expected) in both_sides(view).items():
        if one == name:
            said = [{}, *VARIANTS.get(name, [])][number]
            np.testing.assert_allclose(written, expected, 1e-7, 1e-9, err_msg=str(said))


def test_every_loss_that_has_a_form_is_compared_with_it():
    compared = {(view, name) for view in VIEWS for name, _ in cases(view)}
    written = {(view, name) for name, entry in zoo.ZOO.items() for view in entry.written_views}
    assert compared == written
    assert len(written) == len(
        [view for entry in zoo.ZOO.values() for form in entry.forms for view in form.views]
    )


def test_every_parameter_is_said_with_another_value_or_refused():
    for name, entry in zoo.ZOO.items():
        for view in entry.written_views:
            said = [one for one in VARIANTS.get(name, []) if can_say(entry, view, one)]
            changed = {key for one in said for key in one}
            for key in set(entry.defaults) - changed:
                assert not can_say(entry, view, {key: 0.5 * entry.defaults[key]}), (name, view)


def test_what_cannot_be_written_is_refused():
    def refused(name: str, *view: str, **parameters: float) -> str:
        with pytest.raises(InvalidInputError) as error:
            zoo.get(name).expression(*view, **parameters)
        return str(error.value)

    assert refused("diou") == "diou cannot be written in primitives"
    assert "that are multiples of 0.25, not 1.7" in refused("focal", gamma=1.7)
    assert "over what the view sigmoid shows: it is a formula of what the view identity shows" in (
        refused("hinge", "sigmoid")
    )
    assert "with beta = 1 only, got 2" in refused("energy_nll", beta=2.0)
    assert "multiples of 0.25, not 0.7" in refused("gce")
    assert zoo.get("gce").form is None
    assert zoo.get("mae").expression() == parse("abs(f - y)")


def test_powers_are_squares_and_roots():
    # By hand.
    powers = {0: "1", 1: "(f)", 2: "square((f))", 3: "(f)*square((f))", 0.5: "sqrt(f)"}
    assert {exponent: power("f", exponent) for exponent in powers} == powers
    assert parse(power("f", 5.75)) == parse("f*square(square(f))*sqrt(f)*sqrt(sqrt(f))")
    for wrong in (-1.0, 0.3):
        with pytest.raises(InvalidInputError, match=r"multiples of 0\.25"):
            power("f", wrong)


def test_a_loss_of_a_classification_task_can_be_one_of_logits():
    outputs, targets = map(jnp.asarray, outputs_and_targets("logits"))
    form = zoo_form("focal:gamma=1.7", "logits")
    assert form.symbolic
    assert form.elementwise
    assert not ZooForm("mse", "logits").elementwise
    loss = LearnedLoss(form, (), "logits")
    assert LearnedLoss.from_json(loss.to_json()) == loss
    expected = zoo.as_task_loss(zoo.get("focal"), "softmax", gamma=1.7)(outputs, targets)
    np.testing.assert_allclose(loss(outputs, targets), expected)
    parts = loss.family.apply(jnp.zeros(0), outputs, jnp.eye(3)[targets])
    np.testing.assert_allclose(parts.sum(-1), expected, rtol=1e-9)
    with pytest.raises(InvalidInputError, match="huber cannot be written in primitives over log"):
        ZooForm("huber", "logits")
