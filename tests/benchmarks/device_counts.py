"""The same candidates on different numbers of devices that one machine's cores are divided into.

Every count has processes of its own, and the counts take turns; the least of each counts. Work is
core seconds: they grow by what the division costs, whatever else the machine does.
"""

from collections.abc import Sequence
from typing import Any

import jobs


def rows(devices: Sequence[int] = (1, 2, 8), turns: int = 2, **arguments: Any) -> list[dict]:
    """Measures every count.

    Args:
        devices: numbers of devices; the others are compared with the first.
        turns: processes for each count.
        arguments: those of `population_runs.rows`.

    Raises:
        RuntimeError: a process failed.
    """
    found: dict[int, list[jobs.Row]] = {count: [] for count in devices}
    for _ in range(turns):
        for count in devices:
            outcome = jobs.run(jobs.Job("population_runs", arguments, count))
            if outcome.failure is not None:
                raise RuntimeError(f"{count} devices: {outcome.failure}")
            found[count] += outcome.rows
    digests = found[devices[0]][0]["digests"]
    of_several = found[next((count for count in devices if count > 1), devices[0])][0]["digests"]
    work = {count: min(row["core_seconds"] for row in found[count]) for count in devices}
    return [
        {
            "devices": count,
            "candidates": found[count][0]["candidates"],
            "seconds": min(row["seconds"] for row in found[count]),
            "core_seconds": work[count],
            "extra_percent": 100 * (work[count] / work[devices[0]] - 1),
            "same": all(row["digests"] == digests for row in found[count]),
            "same_several": count == 1 or all(row["digests"] == of_several for row in found[count]),
            "differing": _differing(digests, found[count]) or None,
        }
        for count in devices
    ]


def _differing(digests: dict[str, str], rows: Sequence[jobs.Row]) -> str:
    """Names the programs whose results are not the same bit for bit."""
    names = (name for name in digests if any(row["digests"][name] != digests[name] for row in rows))
    return ", ".join(names)
