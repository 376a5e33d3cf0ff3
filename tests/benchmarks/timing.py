"""Clocks of the benchmarks: wall-clock and core seconds, ways that take turns, one core."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import jax

Result = TypeVar("Result")


class Cost(NamedTuple):
    """What a call took.

    Attributes:
        seconds: by the clock on the wall.
        core_seconds: of all threads of this process together; steadier where others compute too.
    """

    seconds: float
    core_seconds: float


class Call(NamedTuple):
    """A call that is to be timed, on all cores or on one."""

    run: Callable[[], Any]
    one_core: bool = False


def timed(run: Callable[[], Result]) -> tuple[Result, Cost]:
    """Runs a call to its end, device work included."""
    core, start = time.process_time(), time.perf_counter()
    result = jax.block_until_ready(run())
    return result, Cost(time.perf_counter() - start, time.process_time() - core)


def taking_turns(calls: Mapping[str, Call], seconds: float, least: int = 3) -> dict[str, Cost]:
    """Times calls in turn, so that all see the same machine, and keeps the least cost of each.

    Args:
        calls: by name; each has run before, so that nothing is compiled.
        seconds: how long the calls take turns.
        least: how often each runs at least.
    """
    found: dict[str, list[Cost]] = {name: [] for name in calls}
    end, turns = time.perf_counter() + seconds, 0
    while turns < least or time.perf_counter() < end:
        for name, call in calls.items():
            with one_core() if call.one_core else contextlib.nullcontext():
                found[name].append(timed(call.run)[1])
        turns += 1
    return {
        name: Cost(min(cost.seconds for cost in costs), min(cost.core_seconds for cost in costs))
        for name, costs in found.items()
    }


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Binds all threads of this process to one core; only Linux can, elsewhere nothing happens."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        _bind({max(before)})
        yield
    finally:
        _bind(before)


def _bind(cores: set[int]) -> None:
    if sys.platform == "linux":
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(ProcessLookupError):  # Threads come and go.
                os.sched_setaffinity(int(thread), cores)
