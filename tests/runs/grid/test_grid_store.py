import fcntl
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jaxloss import InvalidInputError
from jaxloss.losses.tunable import ParameterRange
from jaxloss.runs.grid.budget import GridBudget
from jaxloss.runs.grid.cells import Cell, CellResult, Row, cell_identity, identity_digest
from jaxloss.runs.grid.names import loss_name
from jaxloss.runs.grid.problems import ProblemSpec
from jaxloss.runs.grid.store import (
    cell_path,
    find_cells,
    load_cells,
    locked,
    pack_cells,
    write_cell,
)
from jaxloss.search.evomal import EvoMALSettings
from jaxloss.tasks.settings import TaskSettings

QUICK = EvoMALSettings(population=16)
CELL = Cell(Row("evomal", True), ProblemSpec("digits", TaskSettings(label_noise=0.4)), 3)
RESULT = CellResult(
    test=(0.25, None),
    valid=(0.5, None),
    tuned_test=(0.125,),
    tuned_valid=(0.25,),
    tuned_training={"learning_rate": 0.1},
    loss={"formula": "square(f - y)"},
    formula="square(f - y)",
    training_steps=100,
    tuning_steps=20,
    seconds=1.5,
    note="short",
)


def identity(cell: Cell = CELL, search: Any = QUICK, budget: GridBudget | None = None) -> Any:
    return cell_identity(cell, search, budget or GridBudget(), "data")


def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    path = write_cell(tmp_path, identity(), RESULT, {"jax": "0"})
    other = identity(CELL._replace(seed=4))
    assert find_cells(tmp_path, [other, identity()]) == ((None, RESULT), (None, None), ())
    assert load_cells(tmp_path).identities == {identity_digest(identity()): identity()}
    assert path.name.startswith("evomal-digits-mlp-50-50-seed3-")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_search_is_known_where_only_its_judging_is_another(tmp_path: Path) -> None:
    write_cell(tmp_path, identity(), RESULT, {})
    judged = [
        identity(budget=GridBudget(tuning_steps=7)),
        identity(budget=GridBudget(trainings=3)),
        identity(budget=GridBudget(steps=1000)),
    ]
    found = find_cells(tmp_path, [*judged, identity(budget=GridBudget(search_steps=7))])
    assert found.results == (None,) * 4
    assert found.searches == (RESULT, RESULT, RESULT, None)
    # What was not kept, or is of a hand-made loss, is of no use.
    write_cell(tmp_path, identity(), RESULT._replace(loss=None), {})
    assert find_cells(tmp_path, judged).searches == (None,) * 3


@pytest.mark.parametrize(
    "other",
    [
        identity(CELL._replace(seed=4)),
        identity(CELL._replace(row=Row("gp_lfl", True))),
        identity(CELL._replace(row=Row("huber:delta=0.5", False)), None),
        identity(CELL._replace(problem=ProblemSpec("digits"))),
        identity(CELL._replace(problem=CELL.problem.with_model("linear", named=False))),
        identity(search=replace(QUICK, generations=7)),
        identity(search=replace(QUICK, fitness=replace(QUICK.fitness, steps=7))),
        identity(budget=GridBudget(steps=7)),
        cell_identity(CELL, QUICK, GridBudget(), "other data"),
    ],
)
def test_changed_settings_are_another_cell(tmp_path: Path, other: Any) -> None:
    write_cell(tmp_path, identity(), RESULT, {})
    assert find_cells(tmp_path, [other]).results == (None,)
    write_cell(tmp_path, other, RESULT._replace(seconds=9.0), {})
    assert find_cells(tmp_path, [identity(), other]).results == (
        RESULT,
        RESULT._replace(seconds=9.0),
    )


def test_a_plain_row_goes_by_the_name_of_its_loss() -> None:
    row = Row(loss_name("Huber", ["huber"]), False)
    found = identity(CELL._replace(row=row), None)
    assert (found["row"], found["learned"], found["search"]) == ("huber", False, None)


@pytest.mark.parametrize(
    ("one", "other", "learned"),
    [
        # Tuning takes as many steps as a search where nothing else is said.
        (GridBudget(), GridBudget(tuning_steps=300_000), True),
        # A hand-made loss has no search.
        (GridBudget(1, 10, 70, 40), GridBudget(1, 10, 90, 40), False),
    ],
)
def test_what_comes_out_alike_is_one_cell(one: GridBudget, other: GridBudget, learned: bool):
    cell = CELL if learned else CELL._replace(row=Row("huber", False))
    search = QUICK if learned else None
    assert identity(cell, search, one) == identity(cell, search, other)
    assert identity(CELL, QUICK, one) != identity(CELL, QUICK, replace(other, search_steps=7))


def test_where_own_parameters_are_looked_for_decides() -> None:
    cell = CELL._replace(row=Row("huber", False))
    here, there = (
        cell_identity(
            cell, None, GridBudget(), "data", ranges=[ParameterRange("delta", 1, 0.1, high)]
        )
        for high in (9.0, 10.0)
    )
    assert len({identity_digest(one) for one in (here, there, identity(cell, None))}) == 3


def test_a_name_decides_nothing() -> None:
    renamed = ProblemSpec(CELL.problem.task, CELL.problem.settings, "noisy")
    assert identity(CELL._replace(problem=renamed)) == identity()


def test_file_names_are_safe() -> None:
    problem = ProblemSpec("../a b/täble.x.csv", TaskSettings(model="my.module:make/it"))
    path = cell_path(Path("out"), identity(CELL._replace(problem=problem)))
    digest = identity_digest(identity(CELL._replace(problem=problem)))[:12]
    assert path.parent == Path("out/cells")
    assert path.name == f"evomal-t-ble-x-my-module-make-it-seed3-{digest}.json"


def test_numbers_that_are_not_finite_are_failures(tmp_path: Path) -> None:
    result = CellResult(test=(float("nan"), 1.0), valid=(float("inf"), 2.0))
    write_cell(tmp_path, identity(), result, {})
    (found,) = find_cells(tmp_path, [identity()]).results
    assert found == CellResult(test=(None, 1.0), valid=(None, 2.0))


def edited(path: Path, **changes: Any) -> str:
    data = json.loads(path.read_text())
    for name, value in changes.items():
        inner, _, key = name.partition("__")
        if key:
            data[inner][key] = value
        else:
            data[inner] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"digest": "0"},
        {"identity__seed": 8},
        {"identity": 3},
        {"result__test": ["0.25"]},
        {"result__test": [True]},
        {"result__valid": 3},
        {"result__formula": None},
        {"result__seconds": "long"},
        {"result__loss": "square"},
        {"result__other": 1},
        {"result": []},
    ],
)
def test_a_file_that_was_changed_is_told_of_and_not_used(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = write_cell(tmp_path, identity(), RESULT, {})
    path.write_text(edited(path, **changes))
    found = find_cells(tmp_path, [identity()])
    assert found.results == (None,)
    assert len(found.troubles) == 1
    assert str(path) in found.troubles[0]
    write_cell(tmp_path, identity(), RESULT, {})
    assert find_cells(tmp_path, [identity()]) == ((RESULT,), (None,), ())


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3", b'{"format": 1}'])
def test_a_foreign_file_is_told_of_and_left_alone(tmp_path: Path, content: bytes) -> None:
    write_cell(tmp_path, identity(), RESULT, {})
    foreign = tmp_path / "cells" / "aaa.json"
    foreign.write_bytes(content)
    found = find_cells(tmp_path, [identity()])
    assert found.results == (RESULT,)
    assert ["aaa.json" in trouble for trouble in found.troubles] == [True]
    assert foreign.read_bytes() == content


def test_a_half_written_file_counts_for_nothing(tmp_path: Path) -> None:
    path = write_cell(tmp_path, identity(), RESULT, {})
    path.rename(path.with_name(path.name + ".partial"))
    assert find_cells(tmp_path, [identity()]) == ((None,), (None,), ())


def test_packed_cells_serve_another_comparison(tmp_path: Path) -> None:
    others = [identity(CELL._replace(seed=seed)) for seed in (4, 5)]
    for one in others:
        write_cell(tmp_path / "first", one, RESULT, {})
    (tmp_path / "first" / "cells" / "foreign.json").write_text("{")
    packed = pack_cells(tmp_path / "first")
    write_cell(tmp_path / "second", others[1], RESULT._replace(seconds=9.0), {})
    (tmp_path / "second" / "cells" / "first.jsonl").write_bytes(packed.read_bytes() + b"{\n")
    found = find_cells(tmp_path / "second", [*others, identity()])
    assert found.results == (RESULT, RESULT._replace(seconds=9.0), None)
    assert [f"line 3 of {tmp_path}" in trouble for trouble in found.troubles] == [True]
    # Packed again, with what has come since.
    write_cell(tmp_path / "second", identity(), RESULT, {})
    assert len(pack_cells(tmp_path / "second").read_text().splitlines()) == 3


def test_an_empty_folder_has_no_cells(tmp_path: Path) -> None:
    assert load_cells(tmp_path / "none") == ({}, {}, ())


def test_two_processes_do_not_share_a_comparison(tmp_path: Path) -> None:
    with locked(tmp_path / "out") as folder, (folder / ".lock").open() as second:
        with pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(InvalidInputError, match="another process"), locked(folder):
            pass
    with locked(tmp_path / "out"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InvalidInputError, match="file cannot be written"),
        locked(tmp_path / "file"),
    ):
        pass
