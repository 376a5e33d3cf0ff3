"""The benchmark runs, and says what failed; its tables read well."""

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jobs
import pytest
import run
import saliency_part
import tables
import timing
from detection_parts import filter_goals, loss_goals
from part import Part
from parts import PARTS
from tables import Column


def test_the_cheapest_part_runs_and_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "benchmarks.json"
    assert run.main(["--only", "unrolls", "--quick", "--out", str(path)]) == 0
    report = json.loads(path.read_text())
    assert list(report["parts"]) == ["unrolls"]
    part = report["parts"]["unrolls"]
    assert {row["inner_steps"] for row in part["rows"]} == {4}
    assert all(row["milliseconds"] > 0 and row["bytes"] > 0 for row in part["rows"])
    assert part["command"] == "python tests/benchmarks/run.py --only unrolls --quick"
    assert report["versions"].keys() >= {"python", "jax", "jaxlib", "numpy"}
    assert report["machine"]["cores"] >= 1
    printed = capsys.readouterr().out
    assert tables.part_text(part) in printed
    assert tables.report_text(report).endswith(tables.part_text(part))


def test_a_job_that_fails_is_named():
    outcome = jobs.run(jobs.Job("unrolls", {"nonsense": 1}, 1))
    assert outcome.rows == []
    assert outcome.failure is not None
    assert "unexpected keyword argument 'nonsense'" in outcome.failure


def test_every_part_is_there_and_can_be_sent_to_a_process():
    for part in PARTS.values():
        for job in (*part.jobs, *part.quick):
            assert importlib.util.find_spec(job.module) is not None
            assert json.loads(json.dumps(job.arguments)).keys() == job.arguments.keys()
        assert len({column.key for column in part.columns}) == len(part.columns)


def test_a_name_of_several_parts_measures_them_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def measure(name: str, part: Part, quick: bool) -> dict[str, Any]:
        texts = {"title": name, "notes": part.notes, "command": name, "seconds": 0.0 * quick}
        return {**texts, "columns": part.columns, "rows": [], "goals": [], "failures": []}

    monkeypatch.setattr(run, "measure", measure)
    path = tmp_path / "benchmarks.json"
    assert run.main(["--only", "detection", "detection_losses", "unrolls", "--out", str(path)]) == 0
    report = json.loads(path.read_text())
    assert list(report["parts"]) == ["detection_filters", "detection_losses", "unrolls"]


def test_filters_must_drop_more_than_99_of_100_in_each_branch():
    row = {"seed": "all", "branch": "box", "by_both": 0.99, "kept": 3, "known": 4}
    other = row | {"branch": "class", "by_both": 0.995}
    box, classes, passed = filter_goals([row | {"seed": "0"}, row, other])
    assert "box branch dropped before any training: missed, 99.00%" in box
    assert "class branch dropped before any training: met, 99.50%" in classes
    assert "missed, in 6 of 8" in passed


@pytest.mark.parametrize(("better", "verdict"), [(0.2, "met"), (0.0, "missed")])
def test_of_the_losses_found_validation_chooses(better: float, verdict: str):
    row = {"classes": "ce", "boxes": "giou", "found": False, "valid": 0.9, "test": 0.1, "p": 1.0}
    chosen = row | {"boxes": "found", "found": True, "valid": 0.3, "test": better}
    other = row | {"found": True, "valid": 0.2, "test": 0.5}
    weighted = row | {"boxes": "10 giou", "test": 0.7}
    (goal,) = loss_goals([row, weighted, other, chosen])
    assert f"ce + found) reaches GIoU + cross-entropy: {verdict}, mAP {better:.4f}" in goal
    assert "ce + 10 giou, found by no search, has 0.7000" in goal
    assert "missed, none" in loss_goals([row, weighted])[0]
    assert tables.part_text(
        {"title": "", "columns": (), "rows": [{}], "goals": [goal], "notes": "", "failures": []}
        | {"command": "", "seconds": 0.0}
    ).count(f"Goal: {goal}.")


def test_tables_are_padded_markdown():
    columns = (Column("way", "way"), Column("ms", "ms", ".1f"), Column("same", "same"))
    rows = [{"way": "interpreted", "ms": 12.34, "same": True}, {"way": "one", "ms": None}]
    assert tables.table(columns, rows).splitlines() == [
        "| way         |   ms | same |",
        "| ----------- | ---: | ---: |",
        "| interpreted | 12.3 |  yes |",
        "| one         |    – |    – |",
    ]


def test_the_least_cost_of_all_turns_counts(monkeypatch: pytest.MonkeyPatch):
    costs = {"one": [(3.0, 6.0), (1.0, 4.0), (2.0, 2.0)], "other": [(5.0, 5.0)] * 3}
    order: list[str] = []

    def timed(run: Callable[[], str]) -> tuple[None, timing.Cost]:
        order.append(run())
        return None, timing.Cost(*costs[order[-1]].pop(0))

    monkeypatch.setattr(timing, "timed", timed)
    calls = {"one": timing.Call(lambda: "one"), "other": timing.Call(lambda: "other", True)}
    found = timing.taking_turns(calls, 0.0)
    assert found == {"one": (1.0, 2.0), "other": (5.0, 5.0)}
    assert order == ["one", "other"] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds threads to cores")
def test_one_core_is_given_back():
    before = os.sched_getaffinity(0)
    with timing.one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_a_goal_is_met_on_the_bases_with_a_clear_gain():
    rows: list[dict[str, Any]] = [
        {"loss": "BCE"},
        {"base": "BCE", "gain": 0.0133, "p": 0.042, "ahead": "8/10"},
        {"base": "Dice", "gain": 0.0416, "p": 0.1, "ahead": "8/10"},
        {"base": "both", "gain": -0.0224, "p": 0.005, "ahead": "1/10"},
    ]
    assert saliency_part.goals(rows) == [
        "PSG improves the max F of BCE: met, +0.0133 (p 0.042, 8/10 seeds)",
        "PSG improves the max F of Dice: missed, +0.0416 (p 0.1, 8/10 seeds)",
        "PSG improves the max F of both: missed, -0.0224 (p 0.005, 1/10 seeds)",
    ]
