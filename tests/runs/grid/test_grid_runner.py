import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from rich.console import Console
from run_helpers import DrawSettings, draw

from jaxloss import InvalidInputError
from jaxloss.learning.trials import TrialSettings
from jaxloss.runs.grid import runner
from jaxloss.runs.grid.cells import CellResult, FinishedCell
from jaxloss.runs.grid.file import read_grid_file
from jaxloss.runs.grid.runner import GridResult, run_grid
from jaxloss.runs.grid.settings import GridSettings, grid_settings
from jaxloss.search.registry import METHODS, Method
from jaxloss.search.settings import MethodSettings

TINY: dict[str, Any] = {
    "methods": ["gp_lfl", "cse_autoloss"],
    "losses": ["focal", "mse"],
    "tasks": ["diabetes", "wine", {"task": "breast_cancer", "name": "cancer"}],
    "models": ["linear"],
    "seeds": 2,
    "transfer": True,
    "budget": {"trainings": 2, "steps": 10, "search_steps": 70, "tuning_steps": 40},
    "settings": {
        "gp_lfl": {
            "population": 6,
            "generations": 3,
            "start_from": ["square(sub(f, y))", "abs(sub(f, y))"],
            "fitness": {"steps": 5, "seeds": 1},
            "rejection.when": "never",
            "trial": {"steps": 10, "finalists": 1, "finalist_seeds": 2},
        },
        "cse_autoloss": {
            "population": 2,
            "generations": 2,
            "proposals": 4,
            "start_from": ["neg(mul(y, log(softmax(x))))"],
            "fitness": {"steps": 5, "seeds": 1},
            "trial": {"steps": 10, "finalists": 1, "finalist_seeds": 2},
        },
    },
}


class Compared(NamedTuple):
    settings: GridSettings
    result: GridResult
    printed: str
    compiled: dict[str, int]


def compare(settings: GridSettings, **given: Any) -> tuple[GridResult, str]:
    stream = io.StringIO()
    result = run_grid(settings, Console(file=stream, width=200), **given)
    return result, stream.getvalue()


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """A whole comparison, as small as can be, and how many programs each seed compiled."""
    out = tmp_path_factory.mktemp("compared") / "grid"
    settings = grid_settings(TINY | {"out": str(out)})
    counts: list[str] = []

    def listen(event: str, *_: Any, **__: Any) -> None:
        if event.endswith("backend_compile_duration"):
            counts.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    compiled: dict[str, int] = {}
    for seeds in (1, 2):
        before = len(counts)
        result, printed = compare(replace(settings, seeds=seeds, transfer=seeds == 2))
        compiled[f"{seeds} seeds"] = len(counts) - before
    return Compared(settings, result, printed, compiled)


def by_name(result: GridResult) -> dict[tuple[str, str, int], CellResult]:
    return {
        (cell.row.name, cell.problem.name, cell.seed): found for cell, found in result.cells
    }


def test_every_cell_has_its_values(compared: Compared) -> None:
    cells = by_name(compared.result)
    assert len(cells) == 3 * 6 * 2
    for (row, problem, _), found in cells.items():
        unfit = (row in ("cse_autoloss", "focal", "cross_entropy")) and problem == "diabetes"
        assert len(found.test) == len(found.tuned_test) == (0 if unfit else 2)
        assert bool(found.note) == unfit, (row, problem, found.note)


def test_a_row_that_cannot_serve_says_why(compared: Compared) -> None:
    notes = by_name(compared.result)["focal", "diabetes", 0].note
    assert notes is not None
    assert "focal cannot train a task of view identity" in notes
    assert "focal cannot train" in (compared.settings.folder / "report.md").read_text()


def test_the_usual_losses_are_always_compared(compared: Compared) -> None:
    assert "added    cross_entropy: the usual loss" in compared.printed
    assert by_name(compared.result)["cross_entropy", "wine", 1].test


def test_no_search_takes_more_than_its_budget_and_a_generation(compared: Compared) -> None:
    finalists = 2 * 2 * 10
    for (row, problem, seed), found in by_name(compared.result).items():
        if row == "gp_lfl":
            # Six candidates of five steps are a generation; filters may spare some.
            assert 70 <= found.training_steps - finalists < 70 + 30, (problem, seed)
        if row == "mse":
            assert found.training_steps == 0


def test_tuning_takes_what_it_may(compared: Compared) -> None:
    for found in by_name(compared.result).values():
        # Two trainings of ten steps for each of two configurations.
        assert found.tuning_steps in (0, 40)
        assert bool(found.tuned_training) == bool(found.test)


def test_rows_share_networks_and_batches(compared: Compared) -> None:
    """A learned loss that is the usual one but for its size reaches the very same values."""
    cells = by_name(compared.result)
    learned = [found for (row, _, _), found in cells.items() if row == "gp_lfl"]
    usual = [cells["mse", "diabetes", seed] for seed in (0, 1)]
    assert usual[0].test != usual[1].test
    assert all(found.loss is not None for found in learned)


def test_the_next_seed_compiles_next_to_nothing(compared: Compared) -> None:
    first, second = compared.compiled.values()
    assert first > 20
    assert second == 0


def test_nothing_is_run_twice(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> CellResult:
        raise AssertionError("a finished cell is run again")

    monkeypatch.setattr(runner, "run_cell", never)
    again, printed = compare(compared.settings)
    assert again.cells == compared.result.cells
    assert "28 of 28 cells done" in printed
    with pytest.raises(AssertionError, match="run again"):
        compare(replace(compared.settings, seeds=3))
    with pytest.raises(AssertionError, match="run again"):
        compare(replace(compared.settings, budget=replace(compared.settings.budget, steps=20)))
