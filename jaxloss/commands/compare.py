"""The command ``jaxloss compare``: from words to settings, with flags over the file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import tyro
from rich.console import Console

from jaxloss.errors import require
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.runs.arguments import early_value
from jaxloss.runs.devices import DeviceSettings, started_devices
from jaxloss.runs.grid.budget import GridBudget
from jaxloss.runs.grid.file import read_grid_file
from jaxloss.runs.grid.overview import grid_lines
from jaxloss.runs.grid.progress import say_line
from jaxloss.runs.grid.runner import run_grid
from jaxloss.runs.grid.settings import GridSettings, grid_settings
from jaxloss.runs.grid.store import pack_cells
from jaxloss.search.registry import Preset

_Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff]
"""A switch without an opposite: no file can have turned it on."""


@dataclass(frozen=True)
class CompareArguments:
    """Compare methods that learn losses, and hand-made losses, on many problems.

    Every row is run on every problem from every seed with the same budget. Finished cells are
    kept: the same command goes on where it was stopped. The defaults shown are those of the given
    FILE and --preset; flags stand over the file. Settings of single methods go in the file:

        settings: {evomal: {population: 16, fitness.steps: 100}}
    """

    file: Annotated[str | None, tyro.conf.Positional] = None
    """A .yaml or .toml file with any of these settings; each comparison writes one that repeats
    it, comparison.yaml."""
    tasks: tuple[str, ...] = ()
    """Data, each perhaps with options: digits+label_noise=0.4, table.csv+target=price."""
    methods: tuple[str, ...] = ()
    """Methods that learn losses; all for every one, an empty list for none."""
    losses: tuple[str, ...] = ()
    """Hand-made losses by name, perhaps with parameters that tuning starts from (huber:delta=0.5);
    rivals for the usual ones of papers, all for every one of the zoo that can train a network; oal
    for Barron's loss with its shape trained along. Rows that cannot serve a problem are left out
    there."""
    models: tuple[str, ...] = ()
    """Networks; every task is trained with each."""
    seeds: int = 10
    """Times that each row is run on each problem."""
    seed: int = 0
    """The first seed; the others follow it."""
    preset: Preset = "default"
    """Where budget and methods start: a look, an earnest comparison, or the papers'. Without
    --tasks and --models, paper compares on the papers' problems, whose data must be prepared."""
    out: str = "runs/compare"
    """Folder of the comparison."""
    transfer: bool = False
    """Train learned losses on the other problems too."""
    dry_run: _Switch = False
    """List what would be compared, with its budget, and run nothing."""
    report_only: _Switch = False
    """Run nothing and report on the cells that are there."""
    pack: _Switch = False
    """Write all finished cells to one file as well, cells.jsonl; in the folder cells of another
    comparison, on another machine perhaps, it spares that one these cells."""
    devices: int | None = None
    """Devices that a CPU is divided into; by default one for each core."""
    budget: GridBudget = field(default_factory=GridBudget)
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)


def compare_command(words: list[str]) -> None:
    """Runs ``jaxloss compare``.

    Args:
        words: those after the command.

    Raises:
        InvalidInputError: a name, value, file or folder cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    settings, given = compare_settings(words)
    if given.dry_run:
        for line in grid_lines(settings):
            say_line(Console(), line)
        return
    with started_devices(DeviceSettings(given.devices)):
        result = run_grid(settings, report_only=given.report_only)
    if given.pack:
        say_line(Console(), f"cells:    {pack_cells(result.folder)}")


def compare_settings(words: list[str]) -> tuple[GridSettings, CompareArguments]:
    """Reads the words after ``jaxloss compare``.

    File and preset are looked for first: they set the defaults of all other options.

    Raises:
        InvalidInputError: a name, value or file cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    file, preset = _file(words), early_value(words, "--preset")
    data: dict[str, Any] = dict(read_grid_file(file)) if file is not None else {}
    if preset is not None:
        data["preset"] = preset
    usual = grid_settings(data)
    shown = CompareArguments(
        file=file,
        tasks=tuple(task.name for task in usual.tasks),
        methods=usual.methods,
        losses=usual.losses,
        models=usual.models,
        seeds=usual.seeds,
        seed=usual.seed,
        preset=usual.preset,
        out=usual.out,
        transfer=usual.transfer,
        budget=usual.budget,
        optimizer=usual.optimizer,
    )
    given = tyro.cli(CompareArguments, default=shown, args=words, prog="jaxloss compare")
    require(given.file == file, f"name the file before all options, got {given.file} after some")
    for name in ("tasks", "methods", "losses", "models", "seeds", "seed", "transfer", "out"):
        value = getattr(given, name)
        if value != getattr(shown, name):
            data[name] = list(value) if isinstance(value, Sequence) and name != "out" else value
    for name in ("budget", "optimizer"):
        data[name] = asdict(getattr(given, name))
    return grid_settings(_without_idle_settings(data, usual)), given


_LISTS = ("--tasks", "--methods", "--losses", "--models")
_SWITCHES = ("--transfer", "--no-transfer", "--dry-run", "--report-only", "--pack")


def _file(words: list[str]) -> str | None:
    """Finds the first word that is neither an option nor one of the values of an option."""
    expected = several = False
    for word in words:
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            # As tyro reads it.
            name = name.replace("_", "-")
            # Whatever follows a list is taken for one more of its values.
            several = name in _LISTS
            expected = name not in _SWITCHES and (several or not equals)
        elif not expected:
            if not word.startswith("-"):
                return word
        else:
            expected = several
    return None


def _without_idle_settings(data: dict[str, Any], usual: GridSettings) -> dict[str, Any]:
    """Leaves out a file's settings of methods that the flags took out of the comparison."""
    own = data.get("settings")
    if not isinstance(own, Mapping) or "methods" not in data:
        return data
    kept = {
        name: value
        for name, value in own.items()
        if name not in usual.methods or name in data["methods"] or "all" in data["methods"]
    }
    return data | {"settings": kept}
