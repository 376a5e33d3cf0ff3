"""What a part of the benchmark is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jobs import Job
from tables import Column


class Part(NamedTuple):
    """A part of the benchmark.

    Attributes:
        title: of its table.
        notes: what the columns are.
        columns: of its table.
        jobs: what is measured, each in a process of its own.
        quick: the same in tiny, to show that it runs.
        goal: ``(rows) -> text``: whether its goal was met, where that is a matter of the rows.
    """

    title: str
    notes: str
    columns: tuple[Column, ...]
    jobs: tuple[Job, ...]
    quick: tuple[Job, ...]
    goal: Callable[[Sequence[Mapping[str, Any]]], str] | None = None


def job(module: str, flags: str = "", **arguments: Any) -> Job:
    """Describes a measurement on one device for each core; ``flags`` are for XLA."""
    return Job(module, arguments, flags=flags)
