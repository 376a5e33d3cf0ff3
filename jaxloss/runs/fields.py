"""Pictures of what a network makes of an equation: the solution, and where it is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.learning.compilation import steady_options
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss, predict, train
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.comparison import comparison_key
from jaxloss.runs.document import Block, Heading, Paragraph, Picture
from jaxloss.runs.findings import Findings
from jaxloss.runs.plots import LEARNED_COLOUR, TASK_COLOUR, draw
from jaxloss.tasks.pde import PDETask
from jaxloss.tasks.task import Task


class Solutions(NamedTuple):
    """Values on the examples of the test split: points of an equation, or images.

    Attributes:
        reference: the targets: the reference solution, or masks.
        usual: what a network trained under the task loss gives.
        learned: what one trained under the learned loss gives, from the same start.
    """

    reference: Float[np.ndarray, "examples ..."]
    usual: Float[np.ndarray, "examples ..."]
    learned: Float[np.ndarray, "examples ..."]


def solutions(
    task: Task,
    optimizer: BaseOptimizerSettings,
    steps: int,
    key: PRNGKeyArray,
    learned: LearnedLoss,
) -> Solutions:
    """Trains a network under the task loss and one under a learned loss, and predicts with both."""

    def solved(loss: ExampleLoss) -> Float[np.ndarray, "examples ..."]:
        def of_key(key: PRNGKeyArray) -> Array:
            variables, _ = train(key, task.model, optimizer, loss, task.train, steps)
            return task.predictions(predict(task.model, variables, task.test.inputs))

        return np.asarray(jax.jit(of_key, compiler_options=steady_options())(key))

    return Solutions(np.asarray(task.test.targets), solved(task.task_loss), solved(learned))


def solution_sections(findings: Findings, tasks: Sequence[Task], folder: Path) -> list[Block]:
    """Draws the solutions of the tasks that are equations; nothing where there are none."""
    blocks, several = list[Block](), len(tasks) > 1
    settings = findings.settings
    for number, (task, comparison) in enumerate(zip(tasks, findings.comparisons, strict=False), 1):
        if not isinstance(task, PDETask):
            continue
        key = jax.random.split(comparison_key(settings.seed), comparison.seeds)[0]
        found = solutions(
            task, settings.search.optimizer, comparison.steps, key, comparison.learned
        )
        path = folder / (f"solution-{number}.png" if several else "solution.png")
        solution_picture(path, task, found)
        meaning = f"Solution of {task.problem.title} and where each loss leaves it wrong"
        where = f" ({task.name})" if several else ""
        blocks += [
            Heading(f"The solution{where}"),
            Paragraph(
                f"The reference solution at {task.problem.parameter} = {task.parameter:g}, and the "
                "networks of the first seed of the comparison on the points of the test split."
            ),
            Picture(path, meaning),
        ]
    return blocks


def solution_picture(path: Path, task: PDETask, found: Solutions) -> None:
    """Draws reference and solutions over the domain, and the errors of both."""
    if task.problem.dimensions == 1:
        draw(path, 9.0, 3.6, 2, lambda *axes: _lines(axes, task, found))
    else:
        draw(path, 14.0, 3.4, 4, lambda *axes: _maps(axes, task, found))


def _lines(panels: Sequence[Any], task: PDETask, found: Solutions) -> None:
    places = np.asarray(task.test.inputs[:, 0])
    solution, error = panels
    solution.plot(places, found.reference, color="black", label="reference", linewidth=1)
    for values, name, colour, style in (
        (found.usual, "task loss", TASK_COLOUR, "--"),
        (found.learned, "learned loss", LEARNED_COLOUR, "-"),
    ):
        solution.plot(places, values, style, color=colour, label=name)
        error.plot(places, np.abs(values - found.reference), style, color=colour, label=name)
    for axes, title in ((solution, "Solution"), (error, "Error")):
        axes.set_title(title)
        axes.set_xlabel(task.problem.coordinates[0])
    solution.legend(frameon=False)


def _maps(panels: Sequence[Any], task: PDETask, found: Solutions) -> None:
    errors = [np.abs(values - found.reference) for values in (found.usual, found.learned)]
    worst = max(float(np.nanmax(error)) for error in errors)
    shown = (
        (found.reference, "Reference", None),
        (found.learned, "Learned loss", None),
        (errors[0], "Error, task loss", worst),
        (errors[1], "Error, learned loss", worst),
    )
    first, second = task.problem.coordinates
    side = round(np.sqrt(len(found.reference)))
    (left, bottom), (right, top) = task.problem.low, task.problem.high
    for axes, (values, title, most) in zip(panels, shown, strict=True):
        axes.grid(visible=False)
        image = axes.imshow(
            values.reshape(side, side).T,
            origin="lower",
            extent=(left, right, bottom, top),
            aspect="auto",
            cmap="viridis" if most is None else "magma",
            vmin=None if most is None else 0.0,
            vmax=most,
        )
        axes.figure.colorbar(image, ax=axes)
        axes.set_title(title)
        axes.set_xlabel(first)
        axes.set_ylabel(second)
