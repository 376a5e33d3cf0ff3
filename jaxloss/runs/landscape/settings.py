"""What a drawing of loss landscapes is asked for, and where it goes."""

import dataclasses
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxloss.errors import InvalidInputError, require
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.landscape import LandscapeSettings
from jaxloss.runs.evaluation import LearnedOn, learned_on
from jaxloss.runs.settings import flatten, require_seed
from jaxloss.tasks.settings import TaskSettings

_NAME = 40
"""Characters of a loss in the name of a folder."""


@dataclass(frozen=True)
class LandscapeRunSettings:
    """Two trainings and the slices around their ends.

    Raises:
        InvalidInputError: a number is out of range.
    """

    loss: str
    """What `jaxloss.runs.given.given_loss` takes."""
    against: str | None = None
    """The other loss, likewise; the task's usual loss by default."""
    task: str = "digits"
    """What `jaxloss.load_task` takes."""
    problem: TaskSettings = field(default_factory=TaskSettings)
    """Network, metric and splits."""
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)
    """Optimiser of both trainings."""
    slices: LandscapeSettings = field(default_factory=LandscapeSettings)
    """Extent and number of points."""
    steps: int = 2000
    """Training steps under each loss."""
    seed: int = 0
    """Draws the network, the batches and the directions."""
    out: str | None = None
    """Folder for the report; a name under ``runs`` by default."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps must be 1 or more, got {self.steps}")
        require_seed(self.seed)


def usual_for(loss: str, task: str | None) -> LearnedOn:
    """Finds the defaults that go with a loss: a saved one brings those of the run it is from.

    Args:
        loss: as a person named it.
        task: what it is to train, if that is known already.

    Raises:
        InvalidInputError: a saved loss cannot be read.
    """
    if not (loss.endswith(".json") or os.path.isfile(loss)):
        plain = LandscapeRunSettings(loss)
        return LearnedOn(None, plain.problem, plain.optimizer, plain.steps)
    known = learned_on(loss)
    # Columns, splits and noise belong to the task that the loss comes from.
    return known if task in (None, known.task) else known._replace(problem=TaskSettings())


def free_folder(settings: LandscapeRunSettings) -> Path:
    """Finds the folder of a report.

    Raises:
        InvalidInputError: it is a file or has something in it.
    """
    folder = Path(settings.out) if settings.out else _default_folder(settings)
    require(folder.is_dir() or not folder.exists(), f"{folder} is a file; name a folder with --out")
    require(
        not folder.exists() or not any(folder.iterdir()),
        f"{folder} is not empty; name another folder with --out",
    )
    return folder


def make_folder(folder: Path) -> None:
    """Makes the folder before the work, so that its results will have a place.

    Raises:
        InvalidInputError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"{folder} cannot be written: {error.strerror}") from error


def _default_folder(settings: LandscapeRunSettings) -> Path:
    names = [settings.task, settings.loss, settings.against or ""]
    safe = [re.sub(r"[^A-Za-z0-9_.=]+", "-", name).strip("-.")[:_NAME] for name in names]
    words = [safe[0], "landscape", *filter(None, safe[1:]), f"seed{settings.seed}"]
    return Path("runs") / "-".join(words)


def repeat_command(settings: LandscapeRunSettings) -> str:
    """Writes the shortest command line that repeats the drawing."""
    known = usual_for(settings.loss, settings.task)
    plain = LandscapeRunSettings(
        settings.loss, None, settings.task, known.problem, known.optimizer, steps=known.steps
    )
    values, usual = _flags(settings), _flags(plain)
    words = ["jaxloss", "landscape", settings.loss, "--task", settings.task]
    for name, value in values.items():
        if value != usual[name]:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _flags(settings: LandscapeRunSettings) -> dict[str, Any]:
    data = dataclasses.asdict(settings)
    kept = {name: data[name] for name in ("against", "steps", "seed", "optimizer")}
    return flatten(kept | data["problem"] | data["slices"])
