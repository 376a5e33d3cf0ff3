"""A measurement in a process of its own: ``rows(**arguments)`` of a module of this folder."""

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]


class Job(NamedTuple):
    """What one process measures.

    Attributes:
        module: a module of this folder.
        arguments: of its ``rows``; JSON must hold them.
        devices: how many devices a CPU is divided into; by default one for each core.
        flags: for XLA, beside those of the environment; they come before what jaxloss sets.
    """

    module: str
    arguments: dict[str, Any]
    devices: int | None = None
    flags: str = ""


class Outcome(NamedTuple):
    """What came of a job.

    Attributes:
        rows: of the table; empty if it failed.
        seconds: of the whole process.
        peak_bytes: the most memory that the process held, compilation included.
        device: what it computed on, in words.
        failure: the last words of a process that failed.
    """

    rows: list[Row]
    seconds: float
    peak_bytes: int
    device: str
    failure: str | None


def run(job: Job, hasty: bool = False) -> Outcome:
    """Runs a job in a fresh process; ``hasty``: compiled in less time, so that it runs slower."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "rows.json"
        command = [sys.executable, __file__, json.dumps(job._asdict()), str(answer)]
        flags = f"{os.environ.get('XLA_FLAGS', '')} {job.flags}"
        flags += hasty * " --xla_backend_optimization_level=0"
        # Else JAX ends an error with a word about its tracebacks, and not with what was wrong.
        environment = {**os.environ, "XLA_FLAGS": flags, "JAX_TRACEBACK_FILTERING": "off"}
        process = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )
        seconds = time.perf_counter() - start
        if process.returncode:
            words = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
            return Outcome([], seconds, 0, "", words[-1])
        found = json.loads(answer.read_text())
    return Outcome(found["rows"], seconds, found["peak_bytes"], found["device"], None)


def peak_bytes() -> int:
    """Reads the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _measure(description: str, answer: str) -> None:
    """Is the fresh process."""
    job = Job(**json.loads(description))
    # Only here: the process that starts others must not take hold of a device.
    jax = importlib.import_module("jax")
    importlib.import_module("jaxloss").use_all_cores(job.devices)
    rows = importlib.import_module(job.module).rows(**job.arguments)
    device = f"{jax.device_count()} x {jax.devices()[0].device_kind} ({jax.default_backend()})"
    found = {"rows": rows, "peak_bytes": peak_bytes(), "device": device}
    Path(answer).write_text(json.dumps(found, default=float))


if __name__ == "__main__":
    _measure(*sys.argv[1:])
