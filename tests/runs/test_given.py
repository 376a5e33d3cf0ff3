"""Losses as a person names them: paths, names of the zoo, formulas, and lists of them."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss import InvalidInputError, LearnedLoss, TreeForm, parse
from jaxloss.losses import ZooForm
from jaxloss.runs.given import fitting_loss, given_loss, listed_losses


@pytest.mark.parametrize(
    ("text", "name", "views"),
    [
        ("mae", "mae", ["identity", "softmax", "sigmoid", "masks"]),
        ("huber:delta=1", "huber", ["identity", "softmax", "sigmoid", "masks"]),
        (
            "huber:delta=0.1234567",
            "huber:delta=0.1234567",
            ["identity", "softmax", "sigmoid", "masks"],
        ),
        ("Huber:delta=0.5", "huber:delta=0.5", ["identity", "softmax", "sigmoid", "masks"]),
        ("cross entropy", "cross_entropy", ["softmax", "anchors", "cell_classes"]),
        ("focal", "focal", ["sigmoid", "softmax", "cell_classes", "masks"]),
        ("giou", "giou", ["boxes", "cell_boxes"]),
        ("triplet", "triplet", ["anchors"]),
        ("wgan_critic", "wgan_critic", []),
        ("y - f", "y - f", ["identity", "softmax", "sigmoid", "masks"]),
        ("f", "f", ["identity", "softmax", "sigmoid", "masks"]),
        ("-dot(y, log(softmax(x)))", "-dot(y, log(softmax(x)))", ["logits", "cell_classes"]),
        ("1 - ratio(i, u)", "1 - ratio(i, u)", ["boxes", "cell_boxes"]),
    ],
)
def test_a_text_names_a_loss_for_the_views_that_it_fits(text: str, name: str, views: list[str]):
    given = given_loss(text)
    assert given.name == name
    assert list(given.losses) == views
    assert all(loss.view == view for view, loss in given.losses.items())


def test_parameters_of_the_zoo_are_those_given():
    # Huber's loss beyond its threshold, by hand: delta * (|r| - delta / 2).
    loss = given_loss("huber:delta=0.5").first
    np.testing.assert_allclose(loss(jnp.array([[3.0]]), jnp.array([[0.0]])), 0.5 * (3 - 0.25))
    assert loss.form == ZooForm("huber", "identity", (("delta", 0.5),))
    assert given_loss("huber:delta=1").first == given_loss("huber").first
    assert LearnedLoss.from_json(loss.to_json()) == loss


def test_a_formula_is_computed_as_it_is_written():
    loss = given_loss("abs(log(1.1*y*f))", "softmax").first
    outputs = jnp.log(jnp.array([[0.25, 0.75]]))
    # |ln(1.1 * 0.75)| for the right class, the guard's |ln 1e-7| for the other.
    expected = abs(np.log(1.1 * 0.75)) + abs(np.log(1e-7))
    np.testing.assert_allclose(loss(outputs, jnp.array([1])), [expected], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "view", "message"),
    [
        ("hubr", None, "unknown loss 'hubr'; of the zoo, nearest first: huber"),
        ("huber:dleta=1", None, "unknown parameter of huber 'dleta'; .* delta"),
        ("huber:delta", None, "parameters are written NAME=NUMBER, as in huber:delta=1"),
        ("huber:delta=-1", None, "delta of huber must be a number from"),
        ("abs(f - z)", None, "at position 9 .* a known name"),
        ("nothing.json", None, "nothing.json cannot be read"),
        ("mae", "boxes", "mae cannot train a task of view boxes"),
        ("y - f", "boxes", "a known name"),
        ("mae", "softmx", "unknown view 'softmx'"),
        ("giou", "logits", "giou trains tasks of boxes or cell_boxes; logits is no view of tasks"),
        ("  ", None, "name a loss"),
    ],
)
def test_what_names_no_loss_is_refused(text: str, view: str | None, message: str):
    with pytest.raises(InvalidInputError, match=message):
        given_loss(text, view)


def test_a_loss_that_trains_nothing_has_no_first():
    with pytest.raises(InvalidInputError, match="wgan_critic trains no task"):
        _ = given_loss("wgan_critic").first


def test_a_saved_loss_keeps_its_view(tmp_path: Path):
    path = tmp_path / "loss.json"
    saved = LearnedLoss(TreeForm(parse("f - y")), (1.0, 2.0), "identity")
    path.write_text(saved.to_json())
    assert given_loss(str(path)).losses == {"identity": saved}
    assert fitting_loss(str(path), "softmax") == saved
    with pytest.raises(InvalidInputError, match="for the view identity, not for softmax"):
        given_loss(str(path), "softmax")


def test_a_task_of_classes_shows_logits_too():
    assert fitting_loss("y*f", "softmax").view == "softmax"
    assert fitting_loss("y*x", "softmax").view == "logits"
    assert fitting_loss("cross_entropy", "softmax").view == "softmax"
    with pytest.raises(InvalidInputError, match="giou cannot train a task of view softmax"):
        fitting_loss("giou", "softmax")
    # Left to whoever knows the task, to be refused with its name.
    assert fitting_loss("y*x", "sigmoid").view == "logits"


def test_a_list_stands_for_its_lines(tmp_path: Path):
    path = tmp_path / "losses.txt"
    path.write_text("mae\n\n# a thought of mine\nabs(f - y)  # the same\n")
    assert listed_losses(["mse", str(path)]) == ["mse", "mae", "abs(f - y)"]
    path.write_text("# nothing\n")
    with pytest.raises(InvalidInputError, match=r"losses\.txt names no loss"):
        listed_losses([str(path)])
    with pytest.raises(InvalidInputError, match=r"none\.txt cannot be read"):
        listed_losses(["none.txt"])
