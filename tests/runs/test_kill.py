import json
import shlex
from pathlib import Path

from run_helpers import PATIENCE, Finished, kill_when, start

from jaxloss.runs.settings import command


def test_a_run_killed_three_times_ends_like_one_that_was_not(
    finished: Finished, compilation_cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = [*shlex.split(command(finished.settings)), "--out", str(out)]
    records = out / "generations.jsonl"

    def lines() -> int:
        return records.read_text().count("\n") if records.exists() else 0

    kill_when(start(words, compilation_cache), (out / "settings.json").exists)
    resume = [*words, "--resume"]
    # As a line is there, its checkpoint is just being written.
    kill_when(start(resume, compilation_cache), lambda: lines() >= 1)
    kill_when(start(resume, compilation_cache), lambda: lines() >= 2)
    last = start(resume, compilation_cache)
    printed = last.communicate(timeout=PATIENCE)[0]
    assert last.returncode == 0, printed

    whole = finished.result.folder
    for name in ("loss.json", "front.json", "settings.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    results = [json.loads((folder / "results.json").read_text()) for folder in (out, whole)]
    for name in ("winner", "finalists", "comparisons"):
        assert results[0][name] == results[1][name]
    numbers = [json.loads(line)["generation"] for line in records.read_text().splitlines()]
    assert numbers == [1, 2, 3]
