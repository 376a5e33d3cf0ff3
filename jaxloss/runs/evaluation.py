"""Compares losses, saved, of the zoo or typed by hand, with the task loss on any task."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
from rich.console import Console

from jaxloss.errors import InvalidInputError, require
from jaxloss.keys import named_key
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.views import shows
from jaxloss.runs.comparison import Comparison, compare_all, comparison_data, verdict
from jaxloss.runs.folder import require_other_file, write_json
from jaxloss.runs.given import fitting_loss, listed_losses, load_loss
from jaxloss.runs.people import own_code_errors, require_working_metric
from jaxloss.runs.records import made_with
from jaxloss.runs.settings import require_seed
from jaxloss.runs.summary import print_comparison, print_ranking
from jaxloss.runs.words import plural
from jaxloss.tasks.families import of_family
from jaxloss.tasks.registry import load_task
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.task import Task


@dataclass(frozen=True)
class EvaluationSettings:
    """One evaluation of one loss or several.

    Raises:
        InvalidInputError: a number is out of range, or there is no loss.
    """

    losses: tuple[str, ...]
    """What `jaxloss.runs.given.given_loss` takes, or .txt files with one such in each line."""
    task: str = "diabetes"
    """What `jaxloss.load_task` takes."""
    problem: TaskSettings = field(default_factory=TaskSettings)
    """Network, metric and splits."""
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)
    """Optimiser of the trainings."""
    steps: int = 2000
    """Training steps under each loss."""
    seeds: int = 10
    """Trainings under each loss."""
    seed: int = 0
    """Seed of the trainings."""
    out: str | None = None
    """File for the results as JSON; none by default."""

    def __post_init__(self) -> None:
        require(bool(self.losses), "name at least one loss to evaluate")
        require(self.steps >= 1, f"steps must be 1 or more, got {self.steps}")
        require(self.seeds >= 2, f"a comparison needs 2 seeds or more, got {self.seeds}")
        require_seed(self.seed)


def evaluate(settings: EvaluationSettings, console: Console | None = None) -> list[Comparison]:
    """Compares losses with the task loss and prints what came of it.

    Returns:
        A comparison for each loss, in the order in which they were given.

    Raises:
        InvalidInputError: a loss cannot be read or does not fit the task, or the task cannot be
            made, or the file cannot be written.
    """
    console = console or Console()
    names = listed_losses(settings.losses)
    if settings.out is not None:
        _check_out(Path(settings.out), (*settings.losses, *names))
    task = load_task(settings.task, settings.problem)
    losses = [fitting_loss(name, task.view.name) for name in names]
    for loss in losses:
        require_fit(loss, task)
    require_working_metric(task)
    formulas = losses[0].formula() if len(losses) == 1 else f"each of {len(losses)} losses"
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    say(
        f"training on {task.name}, {task.model.name}: {plural(settings.seeds, 'seed')} under the "
        f"task loss and as many under {formulas}"
    )
    key = named_key(jax.random.key(settings.seed), "evaluation")
    with own_code_errors(task):
        comparisons = compare_all(
            task, settings.optimizer, settings.steps, key, settings.seeds, losses
        )
    if len(losses) == 1:
        print_comparison(console, comparisons[0])
        say(verdict(comparisons[0]))
    else:
        print_ranking(console, comparisons)
    if settings.out is not None:
        _write(Path(settings.out), comparisons, task)
        say(f"results:  {settings.out}")
    return comparisons


def require_fit(loss: LearnedLoss, task: Task) -> None:
    """Refuses a loss that was learned on other variables than the task can show.

    Raises:
        InvalidInputError: says what the loss and the task see.
    """
    kinds = {
        "softmax": "class probabilities (softmax view, classification)",
        "sigmoid": "one probability (sigmoid view, two classes)",
        "identity": "predicted values (identity view, regression)",
        "logits": "logits (logits view, classification with an output for each class)",
        "boxes": "areas of boxes (boxes view)",
        "anchors": "distances to class anchors (anchors view, retrieval)",
        "cell_classes": "logits of cells (cell_classes view, detection:NAME:branch=class)",
        "cell_boxes": "areas of boxes of cells (cell_boxes view, detection:NAME:branch=box)",
        "masks": "the probability of each pixel (masks view, saliency)",
    }
    own, shown = (kinds.get(name, name) for name in (loss.view, task.view.name))
    require(
        shows(task.view.name, loss.view),
        f"the loss {loss.formula()} is for {own}, but {task.name} shows its losses {shown}; "
        "choose a task of the same kind",
    )


def _check_out(path: Path, losses: Sequence[str]) -> None:
    """Refuses before any training what would be found out after all of them."""
    require_other_file(path, losses)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InvalidInputError:
    return InvalidInputError(f"{path} cannot be written: {error.strerror}")


def _write(path: Path, comparisons: Sequence[Comparison], task: Task) -> None:
    data = {
        "task": task.name,
        "model": task.model.name,
        "comparisons": [comparison_data(comparison) for comparison in comparisons],
        "made_with": made_with(),
    }
    try:
        write_json(path, data)
    except OSError as error:
        raise _unwritable(path, error) from error


class LearnedOn(NamedTuple):
    """The task that a loss was learned on, as far as is known; the first one of several.

    Attributes:
        task: what `load_task` takes, or None.
        problem: network, metric and splits.
        optimizer: optimiser of the trainings.
        steps: training steps.
    """

    task: str | None
    problem: TaskSettings
    optimizer: BaseOptimizerSettings
    steps: int


def learned_on(path: str | Path) -> LearnedOn:
    """Finds out from a run folder around ``path``, or else from the loss itself, what it is for.

    Of losses that are no saved ones nothing is known.

    Raises:
        InvalidInputError: the loss cannot be read.
    """
    from jaxloss.tasks.boxes import BOXES_NAME
    from jaxloss.tasks.bundled import BUNDLED_NAMES

    if not str(path).endswith(".json"):
        usual = EvaluationSettings((str(path),))
        return LearnedOn(None, usual.problem, usual.optimizer, usual.steps)
    loss = load_loss(path)
    beside = Path(path).parent / "settings.json"
    usual = EvaluationSettings((str(path),))
    try:
        run = json.loads(beside.read_text("utf-8"))["settings"]
        problem = TaskSettings(**run["problem"])
        return LearnedOn(
            _first(run["task"]),
            replace(problem, model=_first(problem.model)),
            BaseOptimizerSettings(**run["search"]["optimizer"]),
            run["search"]["trial"]["steps"],
        )
    # Settings beside the loss are a convenience; any that do not fit are as good as none.
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        task = _first(dict(loss.origin).get("task", ""))
        known = task in (*BUNDLED_NAMES, BOXES_NAME) or of_family(task)
        return LearnedOn(task if known else None, usual.problem, usual.optimizer, usual.steps)


def _first(names: str) -> str:
    """Takes the first of names that are joined by commas."""
    return names.partition(",")[0].strip()
