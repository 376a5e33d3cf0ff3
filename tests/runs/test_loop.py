import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from run_helpers import DrawSettings, DrawState, Finished, contents, quiet

from jaxloss import LearnedLoss, load_task
from jaxloss.runs import checkpoint, loop
from jaxloss.runs.comparison import comparison_key
from jaxloss.runs.loop import run_search
from jaxloss.runs.settings import RunSettings
from jaxloss.search.registry import METHODS
from jaxloss.tasks import TaskSettings

SAME_FILES = ("loss.json", "front.json", "settings.json")


def _final_state(settings: RunSettings) -> DrawState:
    task = load_task(settings.task, settings.problem)
    like = METHODS["draw"].make(task, settings.search).init(jax.random.key(9))
    found = checkpoint.restore(settings.folder / "checkpoints", like, lambda _: None)
    assert found is not None
    assert isinstance(settings.search, DrawSettings)
    assert found[0] == settings.search.generations
    return found[1]


def _stop_after(settings: RunSettings, generations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs until a save is over, and leaves the folder as a killed process would."""
    real = checkpoint.save

    def save(folder: Path, generation: int, state: object) -> None:
        real(folder, generation, state)
        if generation == generations:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", save)
        with pytest.raises(KeyboardInterrupt):
            run_search(settings, quiet())


def _whole(settings: RunSettings, tmp_path: Path) -> RunSettings:
    whole = replace(settings, out=str(tmp_path / "whole"))
    run_search(whole, quiet())
    return whole


def _assert_same_end(first: RunSettings, second: RunSettings) -> None:
    for name in SAME_FILES:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    results = [
        json.loads((settings.folder / "results.json").read_text()) for settings in (first, second)
    ]
    assert results[0] == results[1]
    states = [_final_state(settings) for settings in (first, second)]
    assert jnp.array_equal(jax.random.key_data(states[0].key), jax.random.key_data(states[1].key))
    for one, other in zip(states[0][1:], states[1][1:], strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def _numbers(settings: RunSettings) -> list[int]:
    lines = (settings.folder / "generations.jsonl").read_text().splitlines()
    return [json.loads(line)["generation"] for line in lines]


def test_a_resumed_run_ends_like_one_that_was_never_stopped(
    draw_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _whole(draw_settings, tmp_path)
    _stop_after(draw_settings, 1, monkeypatch)
    resumed = replace(draw_settings, resume=True)
    _stop_after(resumed, 3, monkeypatch)
    run_search(resumed, quiet())
    _assert_same_end(whole, draw_settings)
    assert _numbers(draw_settings) == [1, 2, 3, 4, 5]


def test_other_seeds_end_elsewhere(draw_settings: RunSettings, tmp_path: Path) -> None:
    whole = _whole(draw_settings, tmp_path)
    run_search(replace(draw_settings, seed=1), quiet())
    assert (whole.folder / "loss.json").read_bytes() != (
        draw_settings.folder / "loss.json"
    ).read_bytes()


def test_a_run_that_was_complete_can_be_resumed(draw_settings: RunSettings) -> None:
    run_search(draw_settings, quiet())
    before = contents(draw_settings.folder)
    run_search(replace(draw_settings, resume=True), quiet())
    after = contents(draw_settings.folder)
    for name in (*SAME_FILES, "results.json", "generations.jsonl"):
        assert after[name] == before[name]


def test_resume_before_the_first_checkpoint_starts_anew(
    draw_settings: RunSettings, tmp_path: Path
) -> None:
    whole = _whole(draw_settings, tmp_path)
    draw_settings.folder.mkdir()
    shutil.copy(whole.folder / "settings.json", draw_settings.folder)
    run_search(replace(draw_settings, resume=True), quiet())
    _assert_same_end(whole, draw_settings)


def test_records_after_the_checkpoint_are_cut(
    draw_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _whole(draw_settings, tmp_path)
    _stop_after(draw_settings, 2, monkeypatch)
    records = draw_settings.folder / "generations.jsonl"
    # A process that was killed after its record and before its checkpoint, while writing.
    line = records.read_text().splitlines()[-1].replace('"generation": 2', '"generation": 3')
    records.write_text(records.read_text() + line + "\n" + line[:20])
    run_search(replace(draw_settings, resume=True), quiet())
    assert _numbers(draw_settings) == [1, 2, 3, 4, 5]
    _assert_same_end(whole, draw_settings)


def test_a_damaged_checkpoint_is_passed_over_and_said(
    draw_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _whole(draw_settings, tmp_path)
    _stop_after(draw_settings, 3, monkeypatch)
    newest = draw_settings.folder / "checkpoints" / "000003"
    (newest / "manifest.ocdbt").write_bytes(b"")
    console = quiet()
    run_search(replace(draw_settings, resume=True), console)
    printed = getattr(console.file, "getvalue", str)()
    assert "000003 is damaged" in printed
    assert "resumed after 2 generations of 5" in printed
    assert _numbers(draw_settings) == [1, 2, 3, 4, 5]
    _assert_same_end(whole, draw_settings)


def test_a_real_search_leaves_all_its_files(finished: Finished) -> None:
    folder = finished.result.folder
    assert {path.name for path in folder.iterdir()} == {
        ".lock",
        "checkpoints",
        "front.json",
        "generations.jsonl",
        "loss.json",
        "pictures",
        "report.html",
        "report.md",
        "results.json",
        "settings.json",
    }
    loss = LearnedLoss.from_json((folder / "loss.json").read_text())
    assert loss == finished.result.loss
    front = json.loads((folder / "front.json").read_text())
    assert [entry["size"] for entry in front] == sorted(entry["size"] for entry in front)
    for entry in front:
        again = LearnedLoss.from_json(json.dumps(entry["loss"]))
        assert again.formula() == entry["formula"]


def test_a_report_that_cannot_be_written_costs_no_result(
    draw_settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no picture today")

    whole = _whole(draw_settings, tmp_path)
    monkeypatch.setattr(loop, "write_report", fail)
    console = quiet()
    run_search(draw_settings, console)
    _assert_same_end(whole, draw_settings)
    printed = getattr(console.file, "getvalue", str)()
    message = "the report could not be written (ValueError: no picture today)"
    assert printed.count(message) == 1
    # Nothing says where a report is.
    assert "report:   " not in printed
    assert "saved as: " in printed


def test_results_hold_every_seed_and_its_statistics(finished: Finished) -> None:
    results = json.loads((finished.result.folder / "results.json").read_text())
    (comparison,) = results["comparisons"]
    assert comparison["where"] == "diabetes, linear"
    seeds = finished.settings.search.trial.seeds
    for side in ("task_loss", "learned_loss"):
        for split in ("valid", "test"):
            values = comparison[side][split]["seeds"]
            assert len(values) == seeds
            np.testing.assert_allclose(comparison[side][split]["mean"], np.mean(values), rtol=1e-6)
    difference = np.mean(
        np.subtract(
            comparison["learned_loss"]["test"]["seeds"], comparison["task_loss"]["test"]["seeds"]
        )
    )
    np.testing.assert_allclose(
        comparison["learned_minus_task"]["test"]["difference"], difference, rtol=1e-5
    )
    assert set(results["made_with"]) >= {"jaxloss", "jax", "python", "device"}


def test_a_run_on_two_networks_compares_on_both(draw_settings: RunSettings) -> None:
    two = replace(draw_settings, problem=TaskSettings(model="linear,mlp:3"))
    console = quiet()
    result = run_search(two, console)
    places = ["wine, linear", "wine, mlp:3"]
    assert [comparison.where for comparison in result.comparisons] == places
    results = json.loads((two.folder / "results.json").read_text())
    assert [comparison["where"] for comparison in results["comparisons"]] == places
    printed = getattr(console.file, "getvalue", str)()
    assert printed.count("task     wine: ") == 1
    assert "model    linear, mlp:3; metric error_rate" in printed


def test_plain_lines_where_there_is_no_terminal(finished: Finished) -> None:
    lines = finished.printed.splitlines()
    assert any("diabetes: 266 examples to train" in line for line in lines)
    generations = [line for line in lines if line.startswith("generation ")]
    assert len(generations) == 3
    assert "generation 1/3 | best mse" in generations[0]
    assert "6 candidates in" in generations[0]
    assert "dropped: " in generations[0]
    assert "\x1b" not in finished.printed
    assert str(finished.result.report) in finished.printed


def test_the_last_comparison_shares_no_key_with_the_search() -> None:
    seed = 4
    own = comparison_key(seed)
    seen = {
        tuple(np.asarray(jax.random.key_data(key)).tolist())
        for root in (jax.random.key(seed), *jax.random.split(jax.random.key(seed)))
        for key in [root, *jax.vmap(lambda n, r=root: jax.random.fold_in(r, n))(np.arange(2000))]
    }
    keys = [own, *jax.random.split(own, 10)]
    assert not seen & {tuple(np.asarray(jax.random.key_data(key)).tolist()) for key in keys}
