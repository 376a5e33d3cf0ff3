"""What one run is: the task, the method with its settings, the seed and where results go."""

import dataclasses
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxloss.errors import InvalidInputError, require
from jaxloss.search.registry import METHODS, method_named
from jaxloss.search.settings import MethodSettings, PopulationSettings
from jaxloss.tasks.files import SUFFIXES
from jaxloss.tasks.settings import TaskSettings

Flat = dict[str, Any]
"""Settings by dotted name, ``{"fitness.steps": 300}``, in JSON's terms."""


def default_search() -> MethodSettings:
    """Gives the settings that ``jaxloss search`` has without any flag."""
    return METHODS["evomal"].presets["default"]


@dataclass(frozen=True)
class RunSettings:
    """One run of a search. Runs with equal settings, ``out`` and ``resume`` aside, end alike.

    Raises:
        InvalidInputError: the method is unknown, the settings are another method's, or the seed is
            negative.
    """

    task: str = "diabetes"
    """What `jaxloss.load_tasks` takes: a bundled name, a file, boxes or tfds:NAME; or several of
    these joined by commas, to be judged on together."""
    problem: TaskSettings = field(default_factory=TaskSettings)
    """Network (several joined by commas are judged on together), metric and splits."""
    method: str = "evomal"
    """How losses are searched for."""
    search: MethodSettings = field(default_factory=default_search)
    """Settings of the method."""
    seed: int = 0
    """Seed of everything that is drawn in the run, the division into splits aside."""
    out: str | None = None
    """The run folder; by default `default_folder`."""
    resume: bool = False
    """Whether to go on with the run in that folder."""

    def __post_init__(self) -> None:
        expected = method_named(self.method).settings
        require(
            type(self.search) is expected,
            f"method {self.method!r} takes {expected.__name__}, got {type(self.search).__name__}",
        )
        require_seed(self.seed)

    @property
    def folder(self) -> Path:
        """Where the run keeps its files."""
        return Path(self.out) if self.out else default_folder(self.task, self.method, self.seed)


def is_relative(search: MethodSettings) -> bool:
    """Says whether fitness is the metric divided by what the task loss reaches."""
    return isinstance(search, PopulationSettings) and search.fitness.normalize


def score_name(search: MethodSettings, metric: str) -> str:
    """Names what fitness is, given the name of the metric."""
    return f"relative {metric}" if is_relative(search) else metric


def require_seed(seed: int) -> None:
    """Raises `InvalidInputError` for a seed that JAX would fold onto another one."""
    require(0 <= seed < 2**32, f"seed must be within 0 and 2**32 - 1, got {seed}")


def default_folder(task: str, method: str, seed: int) -> Path:
    """Names the folder of a run, ``runs/diabetes-evomal-seed0``."""
    safe = re.sub(r"[^A-Za-z0-9_.]+", "-", task_stem(task)).strip("-.") or "task"
    return Path("runs") / f"{safe}-{method}-seed{seed}"


def task_stem(task: str) -> str:
    """Takes folder and suffix off where a task is a file.

    The values of other tasks, ``pde:burgers:viscosity=0.01``, have dots too.
    """
    return Path(task).stem if Path(task).suffix in SUFFIXES else task


def flatten(data: Mapping[str, Any], prefix: str = "") -> Flat:
    """Turns nested settings into dotted names."""
    flat: Flat = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple) else value
    return flat


def settings_data(settings: RunSettings) -> dict[str, Any]:
    """Writes all that decides how a run ends, in JSON's terms."""
    data = dataclasses.asdict(settings)
    return {name: value for name, value in data.items() if name not in ("out", "resume")}


def flag_values(settings: RunSettings) -> Flat:
    """Gives the settings under the names of their flags, ``{"fitness.steps": 300}``."""
    data = settings_data(settings)
    return flatten(
        {name: data[name] for name in ("task", "method", "seed")} | data["problem"] | data["search"]
    )


def require_same(saved: Mapping[str, Any], present: Mapping[str, Any], folder: Path) -> None:
    """Refuses to go on with a run that had other settings.

    Raises:
        InvalidInputError: names every setting that differs, with both values.
    """
    old, new = flatten(saved), flatten(present)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        lines = [
            f"  {name.removeprefix('problem.').removeprefix('search.')}: "
            f"{old.get(name)!r} there, {new.get(name)!r} now"
            for name in names
        ]
        raise InvalidInputError(
            f"{folder} belongs to a run with other settings:\n" + "\n".join(lines) + "\n"
            "repeat the run's own settings to resume it, or name another folder with --out"
        )


def command(settings: RunSettings) -> str:
    """Writes the shortest command line that repeats the run."""
    presets = method_named(settings.method).presets
    values = flag_values(settings)

    def flags(preset_settings: MethodSettings) -> list[str]:
        plain = RunSettings(task=settings.task, method=settings.method, search=preset_settings)
        usual = flag_values(plain)
        return [name for name in values if values[name] != usual[name]]

    preset, differing = min(
        ((preset, flags(search)) for preset, search in presets.items()),
        key=lambda pair: (len(pair[1]), pair[0] != "default"),
    )
    words = ["jaxloss", "search", settings.task]
    if settings.method != "evomal":
        words += ["--method", settings.method]
    if preset != "default":
        words += ["--preset", preset]
    for name in differing:
        words += _flag(name.replace("_", "-"), values[name])
    return shlex.join(words)


def _flag(name: str, value: Any) -> list[str]:
    """Writes a flag with its values; ``--fitness.normalize``, ``--fitness.no-normalize``."""
    if isinstance(value, bool):
        group, dot, own = name.rpartition(".")
        return [f"--{group}{dot}{'' if value else 'no-'}{own}"]
    items = value if isinstance(value, list) else [value]
    return [f"--{name}", *map(str, items)]
