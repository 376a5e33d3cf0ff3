"""What a report shows of an equation."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.losses import LearnedLoss, OnlineForm, zoo_form
from jaxloss.losses.network import adalfl_network
from jaxloss.runs.comparison import compare
from jaxloss.runs.document import Block, Paragraph
from jaxloss.runs.evaluation import learned_on
from jaxloss.runs.fields import solution_picture
from jaxloss.runs.sections import paste_section
from jaxloss.runs.solutions import Solutions, solutions
from jaxloss.tasks import TaskSettings, load_task
from jaxloss.tasks.pde import PDETask

MSE = LearnedLoss(zoo_form("mse", "identity"), (), "identity", (("task", "pde:burgers"),))
MAE = LearnedLoss(zoo_form("mae", "identity"), (), "identity")


def equation(name: str) -> PDETask:
    task = load_task(f"pde:{name}", TaskSettings(model="mlp:4"))
    assert isinstance(task, PDETask)
    return task


def test_solutions_are_of_networks_from_one_start():
    task = equation("regression")
    optimizer = BaseOptimizerSettings(1e-2, 0.9, 0.0, 32, "adam")
    same = solutions(task, optimizer, 3, jax.random.key(0), MSE)
    np.testing.assert_array_equal(same.usual, same.learned)
    np.testing.assert_array_equal(same.reference, task.test.targets)
    other = solutions(task, optimizer, 3, jax.random.key(0), MAE)
    np.testing.assert_array_equal(other.usual, same.usual)
    assert np.any(other.learned != other.usual)


def test_solutions_under_a_loss_that_goes_on_learning_are_those_of_the_comparison():
    task = equation("regression")
    optimizer = BaseOptimizerSettings(1e-2, 0.9, 0.0, 32, "adam")
    base = adalfl_network(task.view.variables)
    start = np.asarray(base.family().init(jax.random.key(0))).ravel()
    # It learns fast, so that what it has become shows in the network.
    loss = LearnedLoss(OnlineForm(base, 1e-2), tuple(start.tolist()), "identity")
    key = jax.random.key(5)
    compared = compare(task, optimizer, 30, key, 2, loss)
    found = solutions(task, optimizer, 30, jax.random.split(key, 2)[0], loss)
    for values, trials in (
        (found.usual, compared.task_trials),
        (found.learned, compared.learned_trials),
    ):
        score = task.metric.function(jnp.asarray(values), task.test.targets)
        assert float(score) == pytest.approx(float(trials.test[0]), rel=1e-4)


@pytest.mark.parametrize("name", ["regression", "reaction_diffusion"])
def test_solutions_are_drawn_over_the_domain(name: str, tmp_path: Path):
    from PIL import Image

    task = equation(name)
    reference = np.asarray(task.test.targets)
    path = tmp_path / "solution.png"
    solution_picture(path, task, Solutions(reference, reference + 0.1, reference - 0.2))
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), float)
    assert pixels.shape[1] > 2 * pixels.shape[0]
    # Curves or maps, not an empty frame.
    assert np.mean(pixels.std(axis=2) > 5) > 0.005


def text_of(blocks: list[Block]) -> str:
    return " ".join(block.text for block in blocks if isinstance(block, Paragraph))


def test_a_loss_of_equations_is_told_from_one_of_standardised_targets():
    assert "residuals of equations, with target 0" in text_of(paste_section(MSE))
    assert "mean 0 and standard deviation 1" in text_of(paste_section(MAE))


def test_a_loss_of_an_equation_knows_its_task(tmp_path: Path):
    path = tmp_path / "loss.json"
    path.write_text(MSE.to_json())
    assert learned_on(path).task == "pde:burgers"
