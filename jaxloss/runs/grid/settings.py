"""What a comparison is: its rows, its problems, its seeds, and what each cell may spend."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from jaxloss.errors import require, unknown_name
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.models.registry import MODEL_NAMES, create_model
from jaxloss.runs.grid.budget import BUDGETS, GridBudget
from jaxloss.runs.grid.cells import Cell, Row
from jaxloss.runs.grid.names import LOSSES, RIVALS, expanded, loss_name, loss_shortcuts, method_name
from jaxloss.runs.grid.paper import PAPER_PROBLEMS
from jaxloss.runs.grid.problems import ProblemSpec, problem_spec
from jaxloss.runs.grid.reading import converted, with_values
from jaxloss.runs.settings import require_seed
from jaxloss.search.registry import METHODS, Method, Preset
from jaxloss.tasks.settings import TaskSettings

_Item = TypeVar("_Item")

TASKS = ("diabetes", "breast_cancer", "wine", "digits")
"""Data that a comparison is made on if none are named: those that come with jaxloss."""


@dataclass(frozen=True)
class GridSettings:
    """A comparison of methods and hand-made losses: rows × tasks × models × seeds.

    Raises:
        InvalidInputError: nothing is left to compare, something is named twice, a network is
            unknown, or a number is out of range.
    """

    methods: tuple[str, ...] = field(default_factory=lambda: tuple(METHODS))
    """Methods that learn losses."""
    losses: tuple[str, ...] = RIVALS
    """Hand-made losses, by their names in the zoo, perhaps with parameters that tuning starts from:
    ``huber:delta=0.5``."""
    tasks: tuple[ProblemSpec, ...] = tuple(map(ProblemSpec, TASKS))
    """Data, each with its noise, splits and metric."""
    models: tuple[str, ...] = (TaskSettings().model,)
    """Networks; every task is trained with each. Empty where each task names its own."""
    seeds: int = 10
    """Times that each row is run on each problem."""
    seed: int = 0
    """The first seed; the others follow it."""
    preset: Preset = "default"
    """Where the methods' settings and the budget start."""
    budget: GridBudget = field(default_factory=GridBudget)
    """What each cell may spend."""
    optimizer: BaseOptimizerSettings = field(default_factory=BaseOptimizerSettings)
    """How networks are trained, in searches too; tuning starts from it."""
    overridden: tuple[tuple[str, Any], ...] = ()
    """Settings of the methods that do not have those of their preset, ``(method, settings)``."""
    transfer: bool = False
    """Whether losses learned on one problem are trained on the others too."""
    out: str = "runs/compare"
    """Folder of the comparison."""

    def __post_init__(self) -> None:
        require(bool(self.methods + self.losses), "name at least one method or loss to compare")
        require(bool(self.tasks), "name at least one task to compare on")
        _refuse_twice("row", [row.name for row in self.rows])
        _refuse_twice("task", [task.name for task in self.tasks])
        _refuse_same_problem(self.tasks)
        _refuse_twice("model", self.models)
        for model in self.models:
            _check_model(model)
        require(self.seeds >= 1, f"seeds must be 1 or more, got {self.seeds}")
        require_seed(self.seed)
        require_seed(self.seed + self.seeds - 1)
        require(bool(self.out), "out must name a folder, got an empty text")

    @property
    def folder(self) -> Path:
        """Where the comparison keeps its files."""
        return Path(self.out)

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is compared, methods first."""
        return (
            *(Row(name, learned=True) for name in self.methods),
            *(Row(name, learned=False) for name in self.losses),
        )

    @property
    def problems(self) -> tuple[ProblemSpec, ...]:
        """Every task with every network."""
        if not self.models:
            return self.tasks
        several = len(self.models) > 1
        return tuple(
            task.with_model(model, several) for task in self.tasks for model in self.models
        )

    def cells(self, added: tuple[Row, ...] = ()) -> Iterator[Cell]:
        """Gives all cells, problem by problem, as the seeds of one share their compiled programs.

        On each problem they come seed by seed: what is stopped early compares all rows there.

        Args:
            added: rows beyond those of the settings.
        """
        for problem in self.problems:
            for seed in range(self.seed, self.seed + self.seeds):
                for row in self.rows + added:
                    yield Cell(row, problem, seed)

    def usual(self, method: str, methods: Mapping[str, Method] = METHODS) -> Any:
        """Finds the settings that a method has by the preset."""
        return _preset_of(method, self.preset, self.optimizer, methods)

    def search(self, method: str, methods: Mapping[str, Method] = METHODS) -> Any:
        """Finds the settings of a method: those of the preset unless they were overridden."""
        return dict(self.overridden).get(method, self.usual(method, methods))


def grid_settings(
    data: Mapping[str, Any],
    methods: Mapping[str, Method] = METHODS,
    losses: Collection[str] = LOSSES,
) -> GridSettings:
    """Makes settings of what a person wrote, in a file, in flags, or in both, merged.

    Args:
        data: by name of the field of `GridSettings`; ``tasks`` holds what `problem_spec` takes,
            ``budget`` changes single numbers of the preset's, and ``settings`` does so for
            methods: ``{"evomal": {"population": 16, "fitness.steps": 100}}``.
        methods: methods that exist.
        losses: hand-made losses that can be compared; aliases in the zoo serve too, and so do
            names with parameters.

    Raises:
        InvalidInputError: says which entry cannot be used, and the nearest one that can.
    """
    known = [one.name for one in fields(GridSettings) if one.name != "overridden"] + ["settings"]
    for name in data:
        if name not in known:
            raise unknown_name("key of a comparison", str(name), known)
    preset = _preset(data.get("preset", "default"))
    given: dict[str, Any] = {"preset": preset}
    shortcuts = {"methods": {"all": tuple(methods)}, "losses": loss_shortcuts(losses)}
    readers: dict[str, Callable[[Any], Any]] = {
        "methods": lambda value: method_name(value, methods),
        "losses": lambda value: loss_name(value, losses),
        "tasks": problem_spec,
        "models": lambda value: converted(value, str, "each of models"),
    }
    for name, read in readers.items():
        if name in data:
            values = expanded(data[name], shortcuts.get(name, {}))
            given[name] = _listed(values, name, read)
    for name, kind in (("seeds", int), ("seed", int), ("transfer", bool), ("out", str)):
        if name in data:
            given[name] = converted(data[name], kind, name)
    given["budget"] = with_values(BUDGETS[preset], _mapping(data, "budget"), "budget")
    given.setdefault("methods", tuple(methods))
    if preset == "paper" and not {"tasks", "models"} & set(given):
        given |= {"tasks": PAPER_PROBLEMS, "models": ()}
    given["optimizer"] = with_values(
        BaseOptimizerSettings(), _mapping(data, "optimizer"), "optimizer"
    )
    usual = {
        name: _preset_of(name, preset, given["optimizer"], methods) for name in given["methods"]
    }
    given["overridden"] = _overridden(_mapping(data, "settings"), usual, methods)
    return GridSettings(**given)


def _preset_of(
    name: str, preset: Preset, optimizer: BaseOptimizerSettings, methods: Mapping[str, Method]
) -> Any:
    return replace(methods[name].presets[preset], optimizer=optimizer)


def _preset(name: Any) -> Preset:
    for preset in get_args(Preset):
        if preset == name:
            return preset
    raise unknown_name("preset", str(name), get_args(Preset))


def _listed(values: Any, name: str, read: Callable[[Any], _Item]) -> tuple[_Item, ...]:
    require(
        isinstance(values, list | tuple),
        f"{name} must be a list, got {values!r}; write [{values}] for one alone",
    )
    return tuple(map(read, values))


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name, {})
    require(isinstance(value, Mapping), f"{name} must be a mapping of settings, got {value!r}")
    return value


def _overridden(
    given: Mapping[str, Any], usual: Mapping[str, Any], methods: Mapping[str, Method]
) -> tuple[tuple[str, Any], ...]:
    """Changes the usual settings of the methods that ``given`` names."""
    changed: list[tuple[str, Any]] = []
    for name in given:
        if name not in methods:
            raise unknown_name("method under settings", str(name), methods)
        require(
            name in usual,
            f"settings are given for {name!r}, which is not compared; add it to methods",
        )
        changed.append((name, with_values(usual[name], _mapping(given, name), name)))
    return tuple(changed)


def _refuse_twice(kind: str, names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        require(name not in names[:place], f"{kind} {name!r} is named twice")


def _refuse_same_problem(tasks: Sequence[ProblemSpec]) -> None:
    seen: dict[tuple[str, TaskSettings], str] = {}
    for task in tasks:
        other = seen.setdefault((task.task, task.settings), task.name)
        require(
            other == task.name, f"tasks {other!r} and {task.name!r} are the same but for their name"
        )


def _check_model(model: str) -> None:
    # A factory is the person's own code, which is run with its task and not before.
    if model.partition(":")[0] in MODEL_NAMES or ":" not in model:
        create_model(model, outputs=1)
