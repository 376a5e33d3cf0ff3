"""The one error that a person's input can cause, worded with the nearest valid choice."""

import difflib
from collections.abc import Iterable


class InvalidInputError(ValueError):
    """What a person gave cannot be used: says what was wrong, what was expected, and a way on."""


def nearest_first(name: str, choices: Iterable[str]) -> list[str]:
    """Orders ``choices`` by how much they look like ``name``, the most alike first."""

    def likeness(choice: str) -> float:
        return difflib.SequenceMatcher(None, name.lower(), choice.lower()).ratio()

    return sorted(choices, key=likeness, reverse=True)


def unknown_name(kind: str, name: str, choices: Iterable[str]) -> InvalidInputError:
    """Makes the error for a ``name`` that is none of ``choices``; the caller raises it."""
    return InvalidInputError(
        f"unknown {kind} {name!r}; valid, nearest first: {', '.join(nearest_first(name, choices))}"
    )


def require(condition: bool, message: str) -> None:
    """Raises `InvalidInputError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise InvalidInputError(message)
