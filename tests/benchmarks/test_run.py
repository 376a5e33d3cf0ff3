"""The benchmark runs, and says what failed; its tables read well."""

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import jobs
import pytest
import run
import saliency_part
import tables
import timing
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
    rows = [
        {"loss": "BCE"},
        {"base": "BCE", "gain": 0.0133, "p": 0.042, "ahead": "8/10"},
        {"base": "Dice", "gain": 0.0416, "p": 0.1, "ahead": "8/10"},
        {"base": "both", "gain": -0.0224, "p": 0.005, "ahead": "1/10"},
    ]
    text = saliency_part.goal(rows)
    assert "**met on 1 of 3 bases**: over BCE +0.0133 (p 0.042, 8/10 seeds); over Dice" in text
    assert "**met**" in saliency_part.goal(rows[:2])
    assert "**missed**" in saliency_part.goal(rows[2:])
    part = {"title": "t", "columns": [("loss", "loss", "")], "rows": rows, "goal": text}
    shown = tables.part_text({**part, "notes": "n", "failures": [], "command": "c", "seconds": 1})
    assert text in shown
    without = {**part, "goal": None, "notes": "n", "failures": [], "command": "c", "seconds": 1}
    assert "Goal" not in tables.part_text(without)
