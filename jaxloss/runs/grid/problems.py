"""The problems of a comparison: data with their noise and splits, and a network."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.runs.grid.reading import with_values
from jaxloss.runs.settings import task_stem
from jaxloss.tasks.settings import TaskSettings

_OPTION = re.compile(r"\+(?=[A-Za-z_]\w*=)")
"""Where an option of the short form begins; a plus within a path stays what it is."""


@dataclass(frozen=True)
class ProblemSpec:
    """What losses are compared on.

    Attributes:
        task: what `jaxloss.load_task` takes.
        settings: splits, metric, noise and network.
        name: how tables call it.
    """

    task: str
    settings: TaskSettings = field(default_factory=TaskSettings)
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", _usual_name(self.task, self.settings))

    def with_model(self, model: str, named: bool) -> "ProblemSpec":
        """Gives the problem another network, and says so in its name if ``named``."""
        settings = dataclasses.replace(self.settings, model=model)
        return ProblemSpec(self.task, settings, f"{self.name}, {model}" if named else self.name)


def problem_spec(given: Any) -> ProblemSpec:
    """Reads one entry of a comparison's tasks.

    Args:
        given: ``"digits"``; with options, ``"digits+label_noise=0.4"``; or a mapping with ``task``,
            perhaps ``name``, and any field of `TaskSettings` but the model, which the comparison
            lists apart.

    Raises:
        InvalidInputError: it is neither, or has an unknown or unusable option.
    """
    if isinstance(given, str):
        task, options = _split_text(given)
        return ProblemSpec(task, _task_settings(options, task))
    require(
        isinstance(given, Mapping),
        f"a task must be text such as 'digits' or a mapping with the key 'task', got {given!r}",
    )
    options = dict(given)
    require(
        "task" in options or not options,
        f"the task {options!r} lacks the key 'task', which says what data to use",
    )
    task, name = options.pop("task", None), options.pop("name", "")
    for key, value in (("task", task), ("name", name)):
        require(isinstance(value, str), f"the {key} of a task must be text, got {value!r}")
    require(bool(task), "the key 'task' of a task must name data, got an empty text")
    return ProblemSpec(task, _task_settings(options, task), name)


def _split_text(text: str) -> tuple[str, dict[str, str]]:
    task, *parts = _OPTION.split(text)
    require(bool(task), f"the task {text!r} names no data; write for instance 'digits'")
    options: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        require(name not in options, f"task {text!r} gives {name!r} twice")
        options[name] = value
    return task, options


def _task_settings(options: Mapping[str, Any], task: str) -> TaskSettings:
    if "model" in options:
        raise InvalidInputError(
            f"task {task!r} names a model; a comparison lists its networks under 'models'"
        )
    names = [one.name for one in dataclasses.fields(TaskSettings) if one.name != "model"]
    for name in options:
        # `with_values` would not tell of the two keys that are no settings.
        if str(name).partition(".")[0] not in names:
            raise unknown_name(f"key of the task {task!r}", str(name), ["task", "name", *names])
    return with_values(TaskSettings(), options, f"task {task!r}", left_out=("model",))


def _usual_name(task: str, settings: TaskSettings) -> str:
    """Names a problem by its data and by what is unusual about it, ``digits+label_noise=0.4``."""
    usual = TaskSettings()
    unusual = [
        f"+{one.name}={getattr(settings, one.name)}"
        for one in dataclasses.fields(TaskSettings)
        if one.name not in ("model", "data_dir", "target")
        and getattr(settings, one.name) != getattr(usual, one.name)
    ]
    return task_stem(task) + "".join(unusual)
