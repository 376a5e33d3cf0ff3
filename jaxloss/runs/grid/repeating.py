"""Writes a comparison's settings as a file that repeats it."""

import dataclasses
from typing import Any

import yaml

from jaxloss.runs.grid.paper import PAPER_PROBLEMS
from jaxloss.runs.grid.problems import ProblemSpec
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.tasks.settings import TaskSettings


def settings_text(settings: GridSettings) -> str:
    """Writes YAML that `grid_settings` reads back as equal settings."""
    return yaml.safe_dump(settings_data(settings), sort_keys=False, allow_unicode=True)


def settings_data(settings: GridSettings) -> dict[str, Any]:
    """Writes settings in the terms of the file."""
    data: dict[str, Any] = {
        "preset": settings.preset,
        "methods": list(settings.methods),
        "losses": list(settings.losses),
    }
    if settings.tasks != PAPER_PROBLEMS:
        data |= {"tasks": [*map(_task, settings.tasks)], "models": list(settings.models)}
    data |= {
        "seeds": settings.seeds,
        "seed": settings.seed,
        "budget": dataclasses.asdict(settings.budget),
        "optimizer": dataclasses.asdict(settings.optimizer),
        "transfer": settings.transfer,
        "out": settings.out,
    }
    plain = dataclasses.replace(settings, overridden=())
    changed = {
        name: _changes(dataclasses.asdict(own), dataclasses.asdict(plain.search(name)))
        for name, own in settings.overridden
    }
    return data | ({"settings": changed} if changed else {})


def _task(spec: ProblemSpec) -> dict[str, Any]:
    unusual = _changes(dataclasses.asdict(spec.settings), dataclasses.asdict(TaskSettings()))
    return {"task": spec.task, "name": spec.name, **unusual}


def _changes(own: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """Keeps what differs, at any depth."""
    changes: dict[str, Any] = {}
    for name, value in own.items():
        other = usual.get(name)
        if value == other:
            continue
        if isinstance(value, dict) and isinstance(other, dict):
            changes[name] = _changes(value, other)
        else:
            changes[name] = list(value) if isinstance(value, tuple) else value
    return changes
