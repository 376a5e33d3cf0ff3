"""Reads what a person asks of a task: options in its short text, and settings beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.losses import zoo

SCENES = "scenes"
"""The generated problem of tasks on images."""

ROW_SETTINGS = ("target", "kind", "data_dir", "outliers", "imbalance", "label_noise")
"""Settings of tasks that are rows with a target, and that tasks on images refuse."""


def require_scenes_or_folder(family: str, name: str) -> None:
    """Refuses a name that is neither generated scenes nor a folder.

    Raises:
        InvalidInputError: says so.
    """
    if name != SCENES and "/" not in name and not Path(name).exists():
        raise InvalidInputError(
            f"{family}:{name}: there is no such folder; or did you mean {SCENES}?"
        )


def require_side(side: int, sides: tuple[int, int]) -> None:
    """Refuses images whose side in pixels is out of the range that a task takes.

    Raises:
        InvalidInputError: names the range.
    """
    low, high = sides
    require(low <= side <= high, f"side must be {low} to {high} pixels, got {side}")


def usual_loss(text: str, view: str) -> str:
    """Spells the usual loss of a task the one way for all texts that mean the same.

    Args:
        text: what `jaxloss.zoo.read` takes.
        view: name of what the task shows its losses.

    Raises:
        InvalidInputError: it cannot be read or cannot train tasks of the view.
    """
    loss = zoo.read_task_loss(text, view)
    return zoo.spelled(loss.entry, dict(loss.parameters))


def read_options(
    name: str, words: Sequence[str], known: Sequence[str], numbers: Sequence[str]
) -> dict[str, Any]:
    """Reads options that are written ``KEY=VALUE``.

    Args:
        name: of the task that they belong to, for the messages.
        words: the options, each as it was written.
        known: keys that there are.
        numbers: keys whose values are whole numbers; the others stay text.

    Returns:
        Values by key, those of the options that were given.

    Raises:
        InvalidInputError: an option is unknown or given twice, or is no whole number.
    """
    options = dict[str, Any]()
    whole = ":".join([name, *words])
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in known:
            raise unknown_name(f"option of {name}", key, known)
        require(key not in options, f"{whole} gives {key!r} twice")
        if key in numbers:
            counts = value.isascii() and value.isdigit()
            require(counts, f"{whole}: {key} must be a whole number, got {value!r}")
        options[key] = int(value) if key in numbers else value
    return options


def require_usual(settings: Any, names: Sequence[str], task: str, owners: str) -> None:
    """Refuses settings that have no meaning for a task.

    Args:
        settings: a dataclass whose fields all have defaults.
        names: of the fields that must have them.
        task: what the task does instead, with its name, for the message.
        owners: what the settings are for.

    Raises:
        InvalidInputError: a field has another value.
    """
    usual = type(settings)()
    for name in names:
        same = getattr(settings, name) == getattr(usual, name)
        require(same, f"{task}; {name} is for {owners}")
