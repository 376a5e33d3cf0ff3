"""The command ``jaxloss evaluate``."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from jaxloss.commands.options import CONFIG, Unprefixed
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.runs.arguments import early_value, first_plain
from jaxloss.runs.devices import DeviceSettings, started_devices
from jaxloss.runs.evaluation import EvaluationSettings, evaluate, learned_on
from jaxloss.tasks.settings import TaskSettings


@dataclass(frozen=True)
class EvaluateArguments:
    """Train under losses and under the task loss from fresh seeds, and compare.

    The defaults shown are those of the run that the first loss comes from, where they are known.
    """

    losses: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Each a loss.json from a run folder, a loss of the zoo (huber:delta=0.5), a formula in quotes
    ("abs(log(1.1*y*f))"), or a .txt file with one of these in each line."""
    task: str
    """What to train on: the loss's own task, or any other of the same kind; required for losses
    that come from no run."""
    seeds: int = 10
    """Trainings under each loss."""
    steps: int = 2000
    """Training steps of each."""
    seed: int = 0
    """Seed of the trainings."""
    out: str | None = None
    """If given, a file for the results as JSON."""
    devices: int | None = None
    """Devices that a CPU is divided into; by default one for each core."""
    problem: Annotated[TaskSettings, Unprefixed] = field(default_factory=TaskSettings)
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)


def evaluate_command(words: list[str]) -> None:
    """Runs ``jaxloss evaluate``.

    Args:
        words: those after the command.

    Raises:
        InvalidInputError: a name, value or file cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    settings, devices = evaluation_settings(words)
    with started_devices(devices):
        evaluate(settings)


def evaluation_settings(words: list[str]) -> tuple[EvaluationSettings, DeviceSettings]:
    """Reads the words after ``jaxloss evaluate``.

    The loss is looked at first: it sets the defaults of all other options.

    Raises:
        InvalidInputError: the loss or a value cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    path, task = first_plain(words), early_value(words, "--task")
    missing = tyro.MISSING
    defaults = EvaluateArguments(losses=missing, task=missing)
    if path is not None:
        known = learned_on(path)
        defaults = EvaluateArguments(
            losses=(path,),
            task=known.task or missing,
            steps=known.steps,
            # Columns, splits and noise belong to the task that the loss comes from.
            problem=known.problem if task in (None, known.task) else TaskSettings(),
            optimizer=known.optimizer,
        )
    given = tyro.cli(
        EvaluateArguments, default=defaults, args=words, prog="jaxloss evaluate", config=CONFIG
    )
    settings = EvaluationSettings(
        given.losses,
        given.task,
        given.problem,
        given.optimizer,
        given.steps,
        given.seeds,
        given.seed,
        given.out,
    )
    return settings, DeviceSettings(given.devices)
