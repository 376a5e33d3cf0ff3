"""The command ``jaxloss landscape``."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from jaxloss.commands.options import CONFIG, Unprefixed
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.landscape import LandscapeSettings
from jaxloss.runs.arguments import early_value, first_plain
from jaxloss.runs.devices import DeviceSettings, started_devices
from jaxloss.runs.landscape import LandscapeRunSettings, draw_landscapes, usual_for
from jaxloss.tasks.settings import TaskSettings


@dataclass(frozen=True)
class LandscapeArguments:
    """Train under two losses from one network, and draw what lies around both ends.

    Ends with a report: the loss of each training and the metric on slices through the trained
    networks along random directions that fit their filters, curvature and sharpness. For a
    loss.json the defaults shown are those of the run that it comes from, where they are known.
    """

    loss: Annotated[str, tyro.conf.Positional]
    """A loss.json, a name of the zoo (huber:delta=0.5) or a formula of f and y."""
    task: str
    """What to train on: the loss's own task, or any other of the same kind; required for losses
    that come from no run."""
    against: str | None = None
    """The loss beside it, named likewise; the task's usual loss by default."""
    steps: int = 2000
    """Training steps under each loss."""
    seed: int = 0
    """Seed of the network, the batches and the directions, the same for both losses."""
    out: str | None = None
    """Folder of the report; runs/TASK-landscape-LOSS-seedSEED if not given."""
    devices: int | None = None
    """Devices that a CPU is divided into; by default one for each core."""
    slices: Annotated[LandscapeSettings, Unprefixed] = field(default_factory=LandscapeSettings)
    problem: Annotated[TaskSettings, Unprefixed] = field(default_factory=TaskSettings)
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)


def landscape_command(words: list[str]) -> None:
    """Runs ``jaxloss landscape``.

    Args:
        words: those after the command.

    Raises:
        InvalidInputError: a name, value, file or folder cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    settings, devices = landscape_settings(words)
    with started_devices(devices):
        draw_landscapes(settings)


def landscape_settings(words: list[str]) -> tuple[LandscapeRunSettings, DeviceSettings]:
    """Reads the words after ``jaxloss landscape``.

    A saved loss is looked at first: it sets the defaults of other options.

    Raises:
        InvalidInputError: the loss or a value cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    loss, task = first_plain(words), early_value(words, "--task")
    missing = tyro.MISSING
    defaults = LandscapeArguments(loss=missing, task=missing)
    if loss is not None:
        known = usual_for(loss, task)
        defaults = LandscapeArguments(
            loss=loss,
            task=known.task or missing,
            steps=known.steps,
            problem=known.problem,
            optimizer=known.optimizer,
        )
    given = tyro.cli(
        LandscapeArguments, default=defaults, args=words, prog="jaxloss landscape", config=CONFIG
    )
    settings = LandscapeRunSettings(
        given.loss,
        given.against,
        given.task,
        given.problem,
        given.optimizer,
        given.slices,
        given.steps,
        given.seed,
        given.out,
    )
    return settings, DeviceSettings(given.devices)
