"""Draws the loss landscapes around networks that were trained under two losses."""

from rich.console import Console

from jaxloss.errors import require
from jaxloss.learning.finalists import task_loss_of
from jaxloss.runs.evaluation import require_fit
from jaxloss.runs.given import fitting_loss
from jaxloss.runs.landscape.report import write_landscapes
from jaxloss.runs.landscape.settings import LandscapeRunSettings, free_folder, make_folder
from jaxloss.runs.landscape.sides import Landscapes, NamedLoss, compute_landscapes
from jaxloss.runs.landscape.table import print_landscapes
from jaxloss.runs.people import own_code_errors, require_working_metric
from jaxloss.runs.words import plural
from jaxloss.tasks.registry import load_task
from jaxloss.tasks.task import Task


def draw_landscapes(settings: LandscapeRunSettings, console: Console | None = None) -> Landscapes:
    """Trains under two losses, slices and measures around both networks, and writes a report.

    The folder then holds ``report.html``, ``report.md``, ``results.json``, ``landscape.npz`` and
    ``pictures``.

    Raises:
        InvalidInputError: a loss cannot be found or does not fit the task, the task cannot be made,
            its network has no filters, or the folder has something in it.
    """
    console = console or Console()
    folder = free_folder(settings)
    task = load_task(settings.task, settings.problem)
    usual = NamedLoss(task.task_loss_name, task_loss_of(task))
    first = _loss_on(settings.loss, task)
    second = usual if settings.against is None else _loss_on(settings.against, task)
    require(
        first.loss != second.loss,
        f"both losses are {second.name}; name another one with --against",
    )
    require_working_metric(task)
    _say(
        console,
        f"training {task.model.name} on {task.name} under {first.name} and under {second.name}: "
        f"{plural(settings.steps, 'step')} each, from the same network on the same batches",
    )
    make_folder(folder)
    with own_code_errors(task):
        found = compute_landscapes(settings, task, (first, second), usual.loss)
    print_landscapes(console, settings, found)
    report = write_landscapes(folder, settings, found)
    _say(console, f"report:   {report}")
    return found


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _loss_on(text: str, task: Task) -> NamedLoss:
    """Finds a loss, read in the way that fits the task.

    Raises:
        InvalidInputError: there is no such loss, or it does not fit, and why.
    """
    loss = fitting_loss(text, task.view.name)
    require_fit(loss, task)
    return NamedLoss(text.strip(), loss)
