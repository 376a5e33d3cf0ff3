import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import pytest
from rich.console import Console
from run_helpers import QUICK_TRIAL, DrawSettings, draw

from jaxloss import InvalidInputError
from jaxloss.learning import compilation
from jaxloss.learning.finalists import task_loss_of
from jaxloss.runs.grid import runner, transferring
from jaxloss.runs.grid.cells import CellResult
from jaxloss.runs.grid.file import read_grid_file
from jaxloss.runs.grid.learning import NOTHING_LEARNED, Learned
from jaxloss.runs.grid.runner import GridResult, run_grid
from jaxloss.runs.grid.settings import GridSettings, grid_settings
from jaxloss.search.registry import METHODS, Method
from jaxloss.search.settings import MethodSettings

TINY: dict[str, Any] = {
    "methods": ["gp_lfl"],
    "losses": ["focal"],
    "tasks": ["diabetes", "wine"],
    "models": ["linear"],
    "seeds": 2,
    "budget": {"trainings": 2, "steps": 10, "search_steps": 40, "tuning_steps": 40},
    "settings": {
        "gp_lfl": {
            "population": 6,
            "generations": 3,
            "seed_from": ["square(sub(f, y))"],
            "fitness": {"steps": 5, "seeds": 1},
            "rejection.when": "never",
            "trial": {"steps": 10, "finalists": 1, "finalist_seeds": 2},
        },
    },
}
"""Everything that a comparison does."""

CHEAP: dict[str, Any] = {
    "methods": ["draw"],
    "losses": [],
    "models": ["linear"],
    "budget": {"trainings": 2, "steps": 10, "search_steps": 70, "tuning_steps": 0},
}
"""A method that costs nothing beside the usual loss, without tuning."""


class Compared(NamedTuple):
    settings: GridSettings
    result: GridResult
    printed: str
    compiled: dict[str, int]


def compare(settings: GridSettings, **given: Any) -> tuple[GridResult, str]:
    stream = io.StringIO()
    result = run_grid(settings, Console(file=stream, width=200), **given)
    return result, stream.getvalue()


def by_name(result: GridResult) -> dict[tuple[str, str, int], CellResult]:
    return {(cell.row.name, cell.problem.name, cell.seed): found for cell, found in result.cells}


def without_time(result: GridResult) -> list[Any]:
    return [(cell, found._replace(seconds=0.0)) for cell, found in result.cells]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """A whole comparison, as small as can be, and how many programs each cell compiled."""
    settings = grid_settings(TINY | {"out": str(tmp_path_factory.mktemp("compared") / "grid")})
    events: list[str] = []
    compiled: dict[str, int] = {}
    real = runner.write_cell

    def listen(event: str, *_: Any, **__: Any) -> None:
        if event.endswith("backend_compile_duration"):
            events.append(event)

    def write(folder: Path, identity: dict[str, Any], *rest: Any) -> Path:
        compiled[f"{identity['row']} {identity['task']} {identity['seed']}"] = len(events)
        events.clear()
        return real(folder, identity, *rest)

    jax.monitoring.register_event_duration_secs_listener(listen)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "write_cell", write)
        result, printed = compare(settings)
    return Compared(settings, result, printed, compiled)


def test_every_cell_has_its_values(compared: Compared) -> None:
    cells = by_name(compared.result)
    assert len(cells) == 2 * 4 * 2
    for (row, problem, _), found in cells.items():
        unfit = row in ("focal", "cross_entropy") and problem == "diabetes"
        assert len(found.test) == len(found.tuned_test) == (0 if unfit else 2)
        assert bool(found.note) == unfit
        # Four configurations of ten steps.
        assert found.tuning_steps == (0 if unfit else 40)


def test_a_row_that_cannot_serve_says_why(compared: Compared) -> None:
    notes = by_name(compared.result)["focal", "diabetes", 0].note
    assert notes is not None
    assert "focal cannot train a task of view identity" in notes
    assert notes in (compared.settings.folder / "report.md").read_text()


def test_the_usual_losses_are_always_compared(compared: Compared) -> None:
    assert "added    mse, cross_entropy: the usual loss" in compared.printed
    assert by_name(compared.result)["cross_entropy", "wine", 1].test


def test_hand_made_losses_are_tuned_in_both_tables_and_learned_ones_in_one(
    compared: Compared,
) -> None:
    def kinds(file: str) -> dict[str, str]:
        lines = (compared.settings.folder / file).read_text().splitlines()
        rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
        return {row[0]: row[1] for row in rows[2:]}

    usual = {"cross_entropy": "hand-made, tuned", "cross_entropy, untuned": "hand-made"}
    plain, tuned = kinds("table-classification.md"), kinds("tuned-classification.md")
    assert plain.items() >= usual.items()
    assert tuned.items() >= usual.items()
    assert (plain["gp_lfl"], tuned["gp_lfl"]) == ("learned", "learned, tuned")
    assert {"usual loss", "usual loss, untuned"} <= kinds("table-all.md").keys()


def test_no_search_takes_more_than_its_budget_and_a_generation(compared: Compared) -> None:
    # Two finalists, two seeds each, ten steps; six candidates of five steps are a generation.
    finalists, generation = 2 * 2 * 10, 6 * 5
    for (row, _, _), found in by_name(compared.result).items():
        if row == "gp_lfl":
            assert 40 <= found.training_steps - finalists < 40 + generation


def test_a_second_seed_compiles_no_search_and_no_training(compared: Compared) -> None:
    first = [count for name, count in compared.compiled.items() if name.endswith(" 0")]
    second = [count for name, count in compared.compiled.items() if name.endswith(" 1")]
    assert min(first) >= 3
    assert second == [0] * len(first)


def test_where_no_program_may_stay_the_comparison_is_the_same(
    compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation, "maps_are_scarce", lambda: True)
    again, _ = compare(
        replace(compared.settings, tasks=compared.settings.tasks[1:], out=str(tmp_path / "grid"))
    )
    expected = [cell for cell in without_time(compared.result) if cell[0].problem.name == "wine"]
    assert without_time(again) == [cell for cell in expected if cell[0].row.name != "mse"]


def test_nothing_is_run_twice(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> CellResult:
        raise AssertionError("run again")

    monkeypatch.setattr(runner, "run_cell", never)
    again, printed = compare(compared.settings)
    assert again.cells == compared.result.cells
    assert "12 of 12 cells done" in printed
    for change in (
        {"seeds": 3},
        {"budget": replace(compared.settings.budget, steps=20)},
        {"optimizer": replace(compared.settings.optimizer, learning_rate=0.5)},
        {"overridden": ()},
    ):
        with pytest.raises(AssertionError, match="run again"):
            compare(replace(compared.settings, **change))


def test_a_search_is_not_run_again_to_be_judged_otherwise(
    compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "grid"
    shutil.copytree(compared.settings.folder, folder)
    longer = replace(compared.settings.budget, tuning_steps=60)
    settings = replace(compared.settings, budget=longer)
    anew, _ = compare(replace(settings, out=str(tmp_path / "anew")))

    def never(*_: Any) -> Learned:
        raise AssertionError("searched again")

    monkeypatch.setattr(runner, "learn", never)
    known, printed = compare(replace(settings, out=str(folder)))
    assert "known    4 searches; their losses are only judged anew" in printed
    assert without_time(known) == without_time(anew)


def test_all_files_are_there_and_agree(compared: Compared) -> None:
    folder = compared.settings.folder
    tables = [
        f"{name}-{kind}.{suffix}"
        for name in ("table", "tuned")
        for kind in ("regression", "classification", "all")
        for suffix in ("csv", "md", "png", "tex")
    ]
    others = ["cells.csv", "comparison.yaml", "report.html", "report.md"]
    for name in [*tables, *others]:
        assert (folder / name).stat().st_size > 0, name
    assert grid_settings(read_grid_file(folder / "comparison.yaml")) == compared.settings
    # Twelve cells of four trainings, four notes, a header.
    assert len((folder / "cells.csv").read_text().splitlines()) == 12 * 4 + 4 + 1
    regression = (folder / "table-regression.md").read_text()
    assert "gp_lfl" in regression
    assert "focal" not in regression
    assert "usual loss" in (folder / "tuned-all.md").read_text()
    assert "cell 12/12: cross_entropy on wine, seed 1: error_rate" in compared.printed


def test_a_learned_loss_can_be_used_elsewhere(compared: Compared) -> None:
    found = by_name(compared.result)["gp_lfl", "wine", 1]
    assert found.loss is not None
    assert found.loss["family"] == "tree"
    assert found.loss["view"] == "softmax"
    assert found.formula


PARAMETERS: dict[str, Any] = {
    "methods": [],
    "losses": ["huber", "smooth_l1:beta=0.25", "oal"],
    "tasks": [{"task": "diabetes", "task_loss": "Huber:delta=0.50"}],
    "models": ["linear"],
    "seeds": 1,
    # One configuration alone: what tuning starts from.
    "budget": {"trainings": 2, "steps": 10, "tuning_steps": 10},
}


def test_rows_with_parameters_train_with_them_and_tuning_starts_there(tmp_path: Path) -> None:
    settings = grid_settings(PARAMETERS | {"out": str(tmp_path / "grid")})
    result, printed = compare(settings)
    assert "added    huber:delta=0.5: the usual loss" in printed
    cells = {cell.row.name: found for cell, found in result.cells}
    tuned = {name: found.tuned_training or {} for name, found in cells.items()}
    assert {name: one["parameters"] for name, one in tuned.items()} == {
        "huber": {"delta": 1.0},
        "smooth_l1:beta=0.25": {"beta": 0.25},
        "oal": {},
        "huber:delta=0.5": {"delta": 0.5},
    }
    assert cells["huber"].test != cells["huber:delta=0.5"].test
    # Its tuning could choose the training as it is alone.
    assert cells["huber:delta=0.5"].tuned_test == pytest.approx(cells["huber:delta=0.5"].test)
    files = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "grid/cells").iterdir())
    assert files == [
        "huber-delta-0-5-diabetes-linear-seed0",
        "huber-diabetes-linear-seed0",
        "oal-diabetes-linear-seed0",
        "smooth_l1-beta-0-25-diabetes-linear-seed0",
    ]
    table = (tmp_path / "grid" / "table.tex").read_text()
    assert r"smooth\_l1:beta=0.25" in table
    assert "huber:delta=0.5, untuned" in (tmp_path / "grid" / "table.md").read_text()


@pytest.fixture
def cheap(tmp_path: Path) -> Iterator[GridSettings]:
    """A comparison whose search takes thirty steps in each of its generations."""
    settings = DrawSettings(population=4, generations=3, trial=QUICK_TRIAL)
    presets: dict[Any, MethodSettings] = {"default": settings}
    METHODS["draw"] = Method(draw, DrawSettings, presets)
    yield grid_settings(CHEAP | {"tasks": ["wine"], "seeds": 2, "out": str(tmp_path / "grid")})
    del METHODS["draw"]


def test_what_was_stopped_goes_on(
    cheap: GridSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.run_cell
    started: list[str] = []

    def interrupted(cell: Any, *rest: Any) -> CellResult:
        started.append(cell.row.name)
        if len(started) == 3:
            raise KeyboardInterrupt
        return real(cell, *rest)

    whole, _ = compare(replace(cheap, out=str(tmp_path / "whole")))
    with monkeypatch.context() as patched:
        patched.setattr(runner, "run_cell", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare(cheap)
    assert len(list((cheap.folder / "cells").iterdir())) == 2
    report, _ = compare(cheap, report_only=True)
    assert len(report.cells) == 2
    resumed, printed = compare(cheap)
    assert "2 of 4 cells done" in printed
    assert "cell 3/4: draw on wine, seed 1: error_rate" in printed
    assert without_time(resumed) == without_time(whole)
    # Three generations of thirty steps pass the budget of seventy; two finalists train ten steps.
    assert {found.training_steps for found in by_name(whole).values()} == {0, 90 + 2 * 2 * 10}


def test_losses_are_moved_to_other_problems_once(
    cheap: GridSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = grid_settings(
        CHEAP | {"tasks": ["wine", "breast_cancer", "diabetes"], "out": cheap.out}
    ).tasks
    settings = replace(cheap, tasks=tasks, transfer=True, seeds=1)
    _, printed = compare(settings)
    moved = [line for line in printed.splitlines() if line.startswith("transfer ")]
    assert [line.partition(", seed")[0].partition(": ")[2] for line in moved] == [
        "draw from wine to breast_cancer",
        "draw from breast_cancer to wine",
    ]
    table = (settings.folder / "transfer.md").read_text()
    assert "draw from breast_cancer" in table
    assert "diabetes" not in table

    def never(*_: Any) -> CellResult:
        raise AssertionError("trained again")

    monkeypatch.setattr(transferring, "_trained", never)
    compare(settings)
    assert (settings.folder / "transfer.md").read_text() == table
    # How losses are judged at home is nothing to transfers, which are plain.
    tuned = replace(settings, budget=replace(settings.budget, tuning_steps=10))
    compare(tuned)
    assert (settings.folder / "transfer.md").read_text() == table
    for change in ({"steps": 20}, {"trainings": 3}, {"search_steps": 30}):
        with pytest.raises(AssertionError, match="trained again"):
            compare(replace(settings, budget=replace(settings.budget, **change)))


def test_seeds_at_which_nothing_was_learned_say_so_in_transfer(
    cheap: GridSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.learn

    def barren_at_home(search: Any, settings: Any, task: Any, seed: int, *rest: Any) -> Learned:
        if task.name == "wine" and seed == 1:
            return Learned(task_loss_of(task), 30, NOTHING_LEARNED)
        return real(search, settings, task, seed, *rest)

    monkeypatch.setattr(runner, "learn", barren_at_home)
    tasks = grid_settings(CHEAP | {"tasks": ["wine", "breast_cancer"], "out": cheap.out}).tasks
    settings = replace(cheap, tasks=tasks, transfer=True)
    compare(settings)
    table = (settings.folder / "transfer.md").read_text()
    rows = {line.split(" | ")[0]: line for line in table.splitlines() if line.startswith("| ")}
    assert rows["| draw from wine"].count("(1 of 2 seeds)") == 2
    assert "seeds)" not in rows["| draw from breast_cancer"]
    assert "are not finished, unless a note says otherwise; they rank" in table
    assert (
        "On wine, breast_cancer, draw from wine: nothing was learned there at some seeds." in table
    )


def test_a_search_without_a_survivor_is_said_to_have_none(
    cheap: GridSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def barren(tasks: Any, settings: DrawSettings) -> Any:
        search = draw(tasks, settings)
        return search._replace(finalists=lambda state: search.finalists(state)[1:])

    monkeypatch.setitem(METHODS, "draw", METHODS["draw"]._replace(make=barren))
    result, _ = compare(replace(cheap, seeds=1))
    cells = by_name(result)
    found = cells["draw", "wine", 0]
    assert found.note is not None
    assert "no candidate survived" in found.note
    assert found.test == pytest.approx(cells["cross_entropy", "wine", 0].test)
    # What stands in is not shown as learned.
    assert "Losses that were learned" not in result.report.with_suffix(".md").read_text()


def test_foreign_folders_and_bad_data_are_refused(cheap: GridSettings, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no comparison to report on"):
        compare(cheap, report_only=True)
    with pytest.raises(InvalidInputError, match=r"unknown task 'wime'.*first: wine"):
        compare(replace(cheap, tasks=(replace(cheap.tasks[0], task="wime"),)))
    assert not cheap.folder.exists()
    cheap.folder.mkdir()
    (cheap.folder / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="something else than a comparison"):
        compare(cheap)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInputError, match="is a file"):
        compare(replace(cheap, out=str(tmp_path / "file")))


def test_the_papers_data_are_asked_for() -> None:
    paper = grid_settings({"preset": "paper", "methods": ["gp_lfl"], "out": "nowhere"})
    with pytest.raises(InvalidInputError, match="the papers needs data that are not here"):
        compare(paper)
    assert not Path("nowhere").exists()
