"""Pictures of what a network makes of an equation: the solution, and where it is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxloss.runs.document import Block, Heading, Paragraph, Picture
from jaxloss.runs.findings import Findings
from jaxloss.runs.plots import LEARNED_COLOUR, TASK_COLOUR, draw
from jaxloss.runs.solutions import Solutions, solved_tasks
from jaxloss.tasks.pde import PDETask
from jaxloss.tasks.task import Task


def solution_sections(findings: Findings, tasks: Sequence[Task], folder: Path) -> list[Block]:
    """Draws the solutions of the tasks that are equations; nothing where there are none."""
    blocks = list[Block]()
    for task, found, path, where in solved_tasks(findings, tasks, PDETask, folder, "solution"):
        solution_picture(path, task, found)
        meaning = f"Solution of {task.problem.title} and where each loss leaves it wrong"
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
