"""How much memory a program takes and how much there is, so that populations run in chunks."""

import logging
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

_LOG = logging.getLogger(__name__)

SPARED = 0.9
"""Share of the free memory that a program may plan with; the rest is for what else goes on."""

_GROUP = Path("/sys/fs/cgroup")


def free_bytes() -> int | None:
    """Estimates the bytes that each local device has to itself; None where nothing says so."""
    device = jax.local_devices()[0]
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return int(SPARED * (statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)))
    if device.platform != "cpu":
        return None
    host = [number for number in (_system_bytes(), _group_bytes()) if number is not None]
    return int(SPARED * min(host) / jax.local_device_count()) if host else None


def maps_are_scarce() -> bool:
    """Finds out whether half of the memory maps that Linux allows this process are taken.

    Every compiled program takes some and keeps them; without any left, compiling fails.
    """
    try:
        allowed = int(Path("/proc/sys/vm/max_map_count").read_text())
        with Path("/proc/self/maps").open() as maps:
            return 2 * sum(1 for _ in maps) > allowed
    except (OSError, ValueError):
        return False


def common_free_bytes() -> int | None:
    """Estimates `free_bytes` for the device that has least, the same answer in all processes."""
    own = free_bytes()
    if jax.process_count() == 1:
        return own
    everyone = multihost_utils.process_allgather(np.int32(-1 if own is None else own // 2**20))
    return None if np.min(everyone) < 0 else int(np.min(everyone)) * 2**20


def _system_bytes() -> int | None:
    """Reads what the operating system could give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(kilobytes)
    except (OSError, StopIteration):
        if "SC_AVPHYS_PAGES" in os.sysconf_names:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return None


def _group_bytes() -> int | None:
    """Reads what a container's limit (control groups, version 2) leaves.

    Files that were read and may be dropped again count as used there, but are there to be had.
    """
    try:
        limit = (_GROUP / "memory.max").read_text().strip()
        used = (_GROUP / "memory.current").read_text().strip()
        statistics = (_GROUP / "memory.stat").read_text().split()
        named = dict(zip(statistics[::2], statistics[1::2], strict=True))
        return int(limit) - max(int(used) - int(named.get("inactive_file", 0)), 0)
    except (OSError, ValueError):  # No limit reads "max".
        return None


def needed_bytes(compiled: Any) -> int | None:
    """Reads from a compiled program what it needs on each device; None where it does not say."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        return None
    return (
        analysis.temp_size_in_bytes
        + analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        - analysis.alias_size_in_bytes
    )


def is_out_of_memory(error: Exception) -> bool:
    """Says whether a program failed for want of memory."""
    return "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()


def in_words(needed: int | None) -> str:
    """Writes how much a program needs."""
    return "more memory than is free" if needed is None else f"{needed / 2**30:.1f} GiB of memory"


def report_smaller(size: int, smaller: int, needed: int | None) -> None:
    """Tells that fewer candidates run at once from here on."""
    _LOG.warning(
        "%d candidates at once on each device need %s; going on with %d at once",
        size,
        in_words(needed),
        smaller,
    )
