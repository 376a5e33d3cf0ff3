"""Measures jaxloss: run with ``python tests/benchmarks/run.py``.

Each part measures in processes of its own, so that devices and peaks of memory are its own too, and
prints its table when it is done. A machine with nothing else to do measures best.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jobs
from part import Part
from parts import GROUPS, PARTS, USUAL
from tables import part_text, report_text

VERSIONS_OF = ("jaxloss", "jax", "jaxlib", "numpy", "torch", "deap")


def machine() -> dict[str, Any]:
    """Describes this machine."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "load_before": os.getloadavg()[0],
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def versions() -> dict[str, str]:
    """Lists versions of what computes, as far as it is installed."""
    installed = (name for name in VERSIONS_OF if importlib.util.find_spec(name))
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in installed},
    }


def measure(name: str, part: Part, quick: bool) -> dict[str, Any]:
    """Runs a part's jobs one after the other; a job that fails is named in the report."""
    rows, failures, seconds = [], [], 0.0
    devices, peak = set[str](), 0
    for job in part.quick if quick else part.jobs:
        words = ", ".join(f"{key} {value}" for key, value in job.arguments.items())
        print(f"{name}: {words}", end="", file=sys.stderr, flush=True)
        outcome = jobs.run(job, hasty=quick)
        print(f" ({outcome.seconds:.0f} s)", file=sys.stderr)
        seconds += outcome.seconds
        rows += outcome.rows
        if outcome.failure is None:
            devices.add(outcome.device)
            peak = max(peak, outcome.peak_bytes)
        else:
            failures.append(f"{words}: {outcome.failure}")
    return {
        "title": part.title,
        "notes": part.notes,
        "columns": part.columns,
        "rows": rows,
        "goals": part.goals(rows) if part.goals and not failures else [],
        "failures": failures,
        "seconds": seconds,
        "peak_bytes": peak,
        "devices": sorted(devices),
        "command": f"python tests/benchmarks/run.py --only {name}" + quick * " --quick",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and writes; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*PARTS, *GROUPS]
    parser.add_argument("--only", nargs="+", choices=names, default=USUAL, help="parts")
    parser.add_argument("--quick", action="store_true", help="tiny: shows that it runs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks.json"), help="JSON file")
    chosen = parser.parse_args(arguments)
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "quick": chosen.quick,
        "parts": {},
    }
    print(report_text(report), flush=True)
    only = (part for name in chosen.only for part in GROUPS.get(name, (name,)))
    for name in dict.fromkeys(only):
        found = measure(name, PARTS[name], chosen.quick)
        report["parts"][name] = found
        print("\n" + part_text(found), flush=True)
        # After every part, so that a run that is broken off leaves what it has.
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")
    return int(any(part["failures"] for part in report["parts"].values()))


def _cpu() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
