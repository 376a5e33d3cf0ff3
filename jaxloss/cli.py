"""The command line: ``jaxloss search``, ``jaxloss evaluate`` and ``jaxloss compare``."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Generic, TypeVar, cast, get_args

import jax
import tyro

from jaxloss.errors import InvalidInputError, unknown_name
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.runs.arguments import early_value, first_plain
from jaxloss.runs.devices import DeviceSettings, started_devices
from jaxloss.runs.evaluation import EvaluationSettings, evaluate, learned_on
from jaxloss.runs.grid.command import compare_command
from jaxloss.runs.group import FAILED, leave
from jaxloss.runs.loop import run_search
from jaxloss.runs.records import jaxloss_version
from jaxloss.runs.settings import RunSettings
from jaxloss.search.registry import Preset, method_named
from jaxloss.search.settings import MethodSettings
from jaxloss.tasks.registry import TaskSettings

BAD_INPUT = 2
INTERRUPTED = 130

_HELP = """\
usage: jaxloss COMMAND ...

Learns loss functions: a formula, evidence that it helps, and code to paste.

  jaxloss search [TASK]         search for a loss; without a task, on the bundled diabetes data
  jaxloss evaluate LOSS.json    compare a saved loss with the task loss again, or on another task
  jaxloss compare [FILE.yaml]   compare methods and hand-made losses on many problems
  jaxloss --version             print the version

TASK is a bundled data set (diabetes, breast_cancer, wine, digits), simulated boxes, a .csv,
.parquet or .npz file with --target COLUMN, or tfds:NAME; several joined by commas. A first look
takes a minute:

  jaxloss search --preset quick

`jaxloss COMMAND --help` lists every setting of a command.
"""

_Method = TypeVar("_Method", bound=MethodSettings)
_Unprefixed = tyro.conf.arg(name="")
_CONFIG = (tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff)


@dataclass(frozen=True)
class SearchArguments(Generic[_Method]):
    """Search for a loss that trains a network better than the usual one.

    Ends with a report in the run folder: the formula, a comparison with the usual loss on held-out
    data, and code to paste. The defaults shown are those of the given --method and --preset.
    """

    task: Annotated[str, tyro.conf.Positional] = "diabetes"
    """diabetes, breast_cancer, wine, digits or boxes; a .csv, .parquet or .npz file; or tfds:NAME;
    several joined by commas for one loss that serves them all."""
    preset: Preset = "default"
    """Where the other settings start: a minute's look, an earnest search, or the paper's."""
    method: str = "evomal"
    """How losses are searched for: evomal, gp_lfl, ml3, taylorglo, glo, arl, cse_autoloss or
    adalfl."""
    seed: int = 0
    """Seed of everything that is drawn in the run; equal seeds give equal losses."""
    out: str | None = None
    """The run folder; runs/TASK-METHOD-seedSEED if not given."""
    resume: bool = False
    """Go on with a run that was stopped; give its other settings again."""
    machine: Annotated[DeviceSettings, _Unprefixed] = field(default_factory=DeviceSettings)
    problem: Annotated[TaskSettings, _Unprefixed] = field(default_factory=TaskSettings)
    search: Annotated[_Method, _Unprefixed] = field(kw_only=True)


@dataclass(frozen=True)
class EvaluateArguments:
    """Train under a saved loss and under the task loss from fresh seeds, and compare.

    The defaults shown are those of the run that the loss comes from, where they are known.
    """

    loss: Annotated[str, tyro.conf.Positional]
    """A loss.json from a run folder."""
    task: str
    """What to train on: the loss's own task by default, or any other of the same kind."""
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
    problem: Annotated[TaskSettings, _Unprefixed] = field(default_factory=TaskSettings)
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: the words after ``jaxloss``; those of the process by default.

    Returns:
        The exit code: 0; 2 for input that cannot be used; 1 if the disk or another process of the
        run fails; 130 if interrupted. Where several processes share a run, a failure ends the
        process at once instead.

    Raises:
        SystemExit: tyro has printed help, or said which option it does not understand (code 2).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except InvalidInputError as error:
        return _failed(str(error), BAD_INPUT)
    except OSError as error:
        return _failed(f"cannot read or write: {error}", FAILED)
    except KeyboardInterrupt:
        return _failed(f"interrupted{_GO_ON.get(words[0] if words else '', '')}", INTERRUPTED)


def _failed(message: str, code: int) -> int:
    print(f"jaxloss: {message}", file=sys.stderr)
    if jax.distributed.is_initialized():
        leave(code)
    return code


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_HELP, end="")
        return 0
    if words[0] == "--version":
        print(f"jaxloss {jaxloss_version()}")
        return 0
    if words[0] not in _COMMANDS:
        raise unknown_name("command", words[0], _COMMANDS)
    _COMMANDS[words[0]](words[1:])
    return 0


def _search(words: list[str]) -> None:
    settings, devices = search_settings(words)
    with started_devices(devices):
        run_search(settings)


def search_settings(words: list[str]) -> tuple[RunSettings, DeviceSettings]:
    """Reads the words after ``jaxloss search``.

    Method and preset are looked for first: they set the defaults of all other options.

    Raises:
        InvalidInputError: a name or value cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    method = method_named(early_value(words, "--method") or "evomal")
    preset = early_value(words, "--preset") or "default"
    if preset not in get_args(Preset):
        raise unknown_name("preset", preset, get_args(Preset))
    defaults = SearchArguments(search=method.presets[cast("Preset", preset)])
    # The class depends on the method, which a static type cannot say.
    kind = cast("type[SearchArguments[MethodSettings]]", SearchArguments[method.settings])
    given = tyro.cli(kind, default=defaults, args=words, prog="jaxloss search", config=_CONFIG)
    settings = RunSettings(
        given.task,
        given.problem,
        given.method,
        given.search,
        given.seed,
        given.out,
        given.resume,
    )
    return settings, given.machine


def _evaluate(words: list[str]) -> None:
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
    defaults = EvaluateArguments(loss=missing, task=missing)
    if path is not None:
        known = learned_on(path)
        defaults = EvaluateArguments(
            loss=path,
            task=known.task or missing,
            steps=known.steps,
            # Columns, splits and noise belong to the task that the loss comes from.
            problem=known.problem if task in (None, known.task) else TaskSettings(),
            optimizer=known.optimizer,
        )
    given = tyro.cli(
        EvaluateArguments, default=defaults, args=words, prog="jaxloss evaluate", config=_CONFIG
    )
    settings = EvaluationSettings(
        given.loss,
        given.task,
        given.problem,
        given.optimizer,
        given.steps,
        given.seeds,
        given.seed,
        given.out,
    )
    return settings, DeviceSettings(given.devices)


_COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "search": _search,
    "evaluate": _evaluate,
    "compare": compare_command,
}
_GO_ON = {
    "search": "; the same command with --resume goes on from here",
    "compare": "; the same command goes on from here",
}
