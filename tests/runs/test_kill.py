import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from run_helpers import CACHE_SETTINGS, Finished

from jaxloss.runs.settings import command

PATIENCE = 120


def _start(words: list[str], cache: Path) -> subprocess.Popen:
    settings = {**CACHE_SETTINGS, "jax_compilation_cache_dir": cache}
    environment = {
        **os.environ,
        **{name.upper(): str(value) for name, value in settings.items()},
        "PYTHONPATH": os.getcwd(),
    }
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _kill_when(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Kills a process so that it can do nothing about it."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()


def test_a_run_killed_three_times_ends_like_one_that_was_not(
    finished: Finished, compilation_cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = [*shlex.split(command(finished.settings)), "--out", str(out)]
    records = out / "generations.jsonl"

    def lines() -> int:
        return records.read_text().count("\n") if records.exists() else 0

    _kill_when(_start(words, compilation_cache), (out / "settings.json").exists)
    resume = [*words, "--resume"]
    # As a line is there, its checkpoint is just being written.
    _kill_when(_start(resume, compilation_cache), lambda: lines() >= 1)
    _kill_when(_start(resume, compilation_cache), lambda: lines() >= 2)
    last = _start(resume, compilation_cache)
    printed = last.communicate(timeout=PATIENCE)[0]
    assert last.returncode == 0, printed

    whole = finished.result.folder
    for name in ("loss.json", "front.json", "settings.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    results = [json.loads((folder / "results.json").read_text()) for folder in (out, whole)]
    for name in ("winner", "finalists", "comparison"):
        assert results[0][name] == results[1][name]
    numbers = [json.loads(line)["generation"] for line in records.read_text().splitlines()]
    assert numbers == [1, 2, 3]
