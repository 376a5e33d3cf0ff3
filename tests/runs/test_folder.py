import fcntl
import json
from dataclasses import replace
from pathlib import Path

import pytest
from run_helpers import contents, quiet

from jaxloss import InvalidInputError, load_task
from jaxloss.runs.folder import check_folder, open_folder
from jaxloss.runs.loop import run_search
from jaxloss.runs.settings import RunSettings, default_folder
from jaxloss.tasks import TaskSettings


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("diabetes", "runs/diabetes-evomal-seed3"),
        ("../my data/Big Table.csv", "runs/Big-Table-evomal-seed3"),
        ("tfds:mnist", "runs/tfds-mnist-evomal-seed3"),
        ("/..", "runs/task-evomal-seed3"),
    ],
)
def test_folders_are_named_after_the_run(task: str, expected: str) -> None:
    assert default_folder(task, "evomal", 3) == Path(expected)


def test_a_folder_with_anything_in_it_is_left_alone(draw_settings: RunSettings) -> None:
    folder = draw_settings.folder
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for resume in (False, True):
        with pytest.raises(InvalidInputError, match="--out"):
            run_search(replace(draw_settings, resume=resume), quiet())
        assert contents(folder) == {"thesis.txt": b"years of work"}


def test_a_finished_run_is_not_written_over(draw_settings: RunSettings) -> None:
    run_search(draw_settings, quiet())
    before = contents(draw_settings.folder)
    with pytest.raises(InvalidInputError, match="--resume"):
        run_search(draw_settings, quiet())
    assert contents(draw_settings.folder) == before


def test_other_settings_are_named_with_both_values(draw_settings: RunSettings) -> None:
    run_search(draw_settings, quiet())
    before = contents(draw_settings.folder)
    other = replace(
        draw_settings,
        resume=True,
        seed=7,
        problem=TaskSettings(model="mlp:5"),
        search=replace(draw_settings.search, generations=9),
    )
    with pytest.raises(InvalidInputError) as caught:
        run_search(other, quiet())
    message = str(caught.value)
    for line in ("seed: 0 there, 7 now", "generations: 5 there, 9 now", "'linear' there, 'mlp:5'"):
        assert line in message
    assert "population" not in message
    assert contents(draw_settings.folder) == before


@pytest.mark.parametrize("exists", [False, True])
def test_there_must_be_something_to_resume(draw_settings: RunSettings, exists: bool) -> None:
    if exists:
        draw_settings.folder.mkdir()
    with pytest.raises(InvalidInputError, match="no run to resume"):
        check_folder(replace(draw_settings, resume=True))
    assert draw_settings.folder.exists() == exists


def test_a_run_that_died_before_its_settings_can_start(draw_settings: RunSettings) -> None:
    draw_settings.folder.mkdir()
    (draw_settings.folder / ".lock").touch()
    check_folder(draw_settings)
    (draw_settings.folder / "settings.json.partial").write_text('{"sett')
    check_folder(replace(draw_settings, resume=True))


def test_two_processes_do_not_share_a_folder(draw_settings: RunSettings) -> None:
    draw_settings.folder.mkdir()
    with (draw_settings.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InvalidInputError, match="another process"):
            run_search(draw_settings, quiet())
    assert set(contents(draw_settings.folder)) == {".lock"}


def test_other_data_under_the_same_name_are_noticed(
    draw_settings: RunSettings, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"

    def write(shift: float) -> None:
        rows = [f"{i % 7},{i % 5 + shift},{i % 3}" for i in range(60)]
        table.write_text("\n".join(["a,b,y", *rows]))

    write(0.0)
    problem = TaskSettings(model="linear", target="y")
    settings = replace(draw_settings, task=str(table), problem=problem)
    with open_folder(settings, [load_task(settings.task, problem)]):
        pass
    write(0.5)
    for row in (1.0, 4.0):  # A shift alone disappears when inputs are standardised.
        table.write_text(table.read_text() + f"\n{row},100,1")
    with (
        pytest.raises(InvalidInputError, match="not those"),
        open_folder(replace(settings, resume=True), [load_task(settings.task, problem)]),
    ):
        pass


def test_unreadable_settings_are_refused(draw_settings: RunSettings) -> None:
    draw_settings.folder.mkdir()
    for text in ("{", "[]", json.dumps({"settings": 3, "data": ""})):
        (draw_settings.folder / "settings.json").write_text(text)
        with pytest.raises(InvalidInputError, match=r"settings\.json cannot be read"):
            check_folder(replace(draw_settings, resume=True))
