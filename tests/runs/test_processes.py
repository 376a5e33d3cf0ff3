"""The same run on other numbers of devices and processes."""

import json
import shlex
import signal
import subprocess
from pathlib import Path

import jax
import numpy as np
import pytest
from run_helpers import PATIENCE, Finished, free_port, kill_when, start

from jaxloss.runs.processes import from_first, require_agreement
from jaxloss.runs.records import GenerationRecord, read_records
from jaxloss.runs.settings import command

pytestmark = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="processes would compete for one accelerator"
)


def words_of(finished: Finished, out: Path, *more: object) -> list[str]:
    return [*shlex.split(command(finished.settings)), "--out", str(out), *map(str, more)]


def ended(process: subprocess.Popen) -> tuple[int, str]:
    printed = process.communicate(timeout=PATIENCE)[0]
    return process.returncode, printed


def begun(out: Path) -> bool:
    return len(read_records(out / "generations.jsonl")) >= 1


def timeless(folder: Path) -> list[GenerationRecord]:
    records = read_records(folder / "generations.jsonl")
    return [record._replace(seconds=0.0) for record in records]


def assert_same_end(out: Path, finished: Finished) -> None:
    whole = finished.result.folder
    for name in ("loss.json", "front.json", "settings.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    results = [json.loads((folder / "results.json").read_text()) for folder in (out, whole)]
    for name in ("winner", "finalists", "comparisons"):
        assert results[0][name] == results[1][name]
    assert timeless(out) == timeless(whole)


def pair(finished: Finished, out: Path, cache: Path, *more: object) -> list[subprocess.Popen]:
    """Starts a run in two processes of one device each."""
    place = ("--devices", 1, "--coordinator", f"localhost:{free_port()}", "--processes", 2)
    return [
        start(words_of(finished, out, *more, *place, "--process-id", number), cache)
        for number in (0, 1)
    ]


def test_one_process_need_not_gather_what_it_would_agree_on() -> None:
    require_agreement("the data", lambda: pytest.fail("gathered"))


@pytest.mark.parametrize("devices", [1, 8])
def test_the_number_of_devices_does_not_matter(
    finished: Finished, compilation_cache: Path, tmp_path: Path, devices: int
) -> None:
    words = words_of(finished, tmp_path / "run", "--devices", devices)
    code, printed = ended(start(words, compilation_cache))
    assert code == 0, printed
    assert f"devices  {devices} (cpu)" in printed
    assert_same_end(tmp_path / "run", finished)


def test_a_run_killed_on_one_device_goes_on_on_eight(
    finished: Finished, compilation_cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    on_one = start(words_of(finished, out, "--devices", 1), compilation_cache)
    kill_when(on_one, lambda: begun(out))
    on_eight = words_of(finished, out, "--devices", 8, "--resume")
    code, printed = ended(start(on_eight, compilation_cache))
    assert code == 0, printed
    assert_same_end(out, finished)


def test_two_processes_end_like_one(
    finished: Finished, compilation_cache: Path, tmp_path: Path
) -> None:
    processes = pair(finished, tmp_path / "run", compilation_cache)
    (code, printed), (other_code, other_printed) = map(ended, processes)
    assert (code, other_code) == (0, 0), printed + other_printed
    assert "devices  2 (cpu) in 2 processes" in printed
    assert "generation" not in other_printed
    assert_same_end(tmp_path / "run", finished)


def test_when_one_process_dies_the_other_ends_and_the_run_goes_on(
    finished: Finished, compilation_cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first, second = pair(finished, out, compilation_cache)
    # Schedulers send SIGTERM, which JAX's service for preemptions would swallow.
    kill_when(second, lambda: begun(out), signal.SIGTERM)
    code, printed = ended(first)
    assert code == 1, printed
    assert printed.count("jaxloss: process 1 has failed, so process 0 ends") == 1
    assert "Traceback" not in printed
    for process in pair(finished, out, compilation_cache, "--resume"):
        assert ended(process)[0] == 0
    assert_same_end(out, finished)


def test_a_failure_of_one_ends_both_with_its_reason(
    finished: Finished, compilation_cache: Path
) -> None:
    # The folder of a run that is over; the first process alone looks at it.
    first, second = map(ended, pair(finished, finished.result.folder, compilation_cache))
    assert first[0] == 2
    assert "is not empty; go on with the run in it with --resume" in first[1]
    assert second[0] == 1
    assert "process 0 has failed, so process 1 ends" in second[1]
    assert "is not empty" in second[1]


def test_alone_a_process_keeps_its_own_arrays() -> None:
    arrays = {"a": np.zeros(3), "b": np.array(True)}
    assert from_first(arrays) is arrays
