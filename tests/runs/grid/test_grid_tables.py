import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from grid_examples import PROBLEMS, ROWS, example_observations, example_standing
from matplotlib.image import imread
from rich.console import Console

from jaxloss.runs.document import Picture, Table, as_html, as_markdown
from jaxloss.runs.grid.arena import Arena, LoadedProblem
from jaxloss.runs.grid.cells import Cell, CellResult, FinishedCell, Row
from jaxloss.runs.grid.contenders import contender, example_of
from jaxloss.runs.grid.csv_files import long_csv, summary_csv
from jaxloss.runs.grid.formats import console_table, latex, latex_text, markdown
from jaxloss.runs.grid.output import write_cells, write_standing
from jaxloss.runs.grid.pictures import box_picture, standing_picture
from jaxloss.runs.grid.problems import ProblemSpec
from jaxloss.runs.grid.ranking import JudgedProblem, JudgedRow, Observation, Standing, stand
from jaxloss.runs.grid.settings import grid_settings
from jaxloss.runs.grid.standings import standings, transfer_standings
from jaxloss.runs.grid.tables import grid_table
from jaxloss.runs.grid.transfer import Transferred, transfer_standing
from jaxloss.tasks import TaskSettings, load_task


@pytest.fixture(scope="module")
def standing() -> Standing:
    return example_standing()


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_markdown(standing: Standing) -> None:
    lines = lines_of(markdown(grid_table(standing, "Tuned")))
    assert lines[:6] == [
        "## Tuned",
        "",
        "| loss | kind | digits (error_rate ↓) | wine & co_1 (macro_f1 ↑) | average rank |",
        "| --- | --- | ---: | ---: | ---: |",
        "| evomal | learned | **0.1100 ± 0.0082 +** | 0.8075 ± 0.0096 − | 2.00 |",
        "| cross_entropy | hand-made, tuned | 0.2075 ± 0.0096 ° | 0.912 ± 0.015 ° | 2.00 |",
    ]
    assert lines[6].startswith("| focal | hand-made, tuned | 0.0533 ± 0.0058 (1 failed) | **0.915 ")
    assert lines[7] == "| huber | hand-made, tuned | – | – | 4.00 |"
    text = "\n".join(lines)
    assert "over 4 seeds" in text
    assert "Holm's correction for 4 comparisons" in text
    assert "On digits, wine & co_1, huber: predicts values, not classes." in text


def test_every_line_of_markdown_has_as_many_cells() -> None:
    problem = PROBLEMS[0]._replace(name="a|b")
    found = stand([problem], ROWS[:2], [Observation("evomal", "a|b", 0, (1.0,))])
    lines = markdown(grid_table(found, "t")).splitlines()[2:6]
    assert {line.replace("\\|", "").count("|") for line in lines} == {5}


def test_latex(standing: Standing) -> None:
    text = latex(grid_table(standing, "50 % of it"))
    assert r"\caption{50 \% of it}" in text
    assert r"loss & kind & digits & wine \& co\_1 & average rank \\" in text
    assert r"& error\_rate $\downarrow$ & macro\_f1 $\uparrow$ &" in text
    assert r"evomal & learned & $\mathbf{0.1100 \pm 0.0082}$$^{+}$ & " in text
    assert r"huber & hand-made, tuned & -- & -- & 4.00 \\" in text
    rows = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert {row.replace(r"\&", "").count("&") for row in rows} == {4}
    assert text.count("{") == text.count("}")
    assert text.isascii()


def test_latex_shows_every_character() -> None:
    assert latex_text(r"a_b\c{}~^") == (
        r"a\_b\textbackslash{}c\{\}\textasciitilde{}\textasciicircum{}"
    )


@pytest.mark.parametrize("width", [60, 100, 200])
def test_console(standing: Standing, width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    console.print(console_table(grid_table(standing, "Tuned [x]")))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert text.startswith("Tuned [x]")
    for word in ("evomal", "cross_entropy", "0.1100 ±", "digits", "4.00"):
        assert word in text


def test_best_is_bold_in_the_console(standing: Standing) -> None:
    stream = io.StringIO()
    Console(file=stream, width=200, force_terminal=True, color_system="standard").print(
        console_table(grid_table(standing, "t"))
    )
    # Bold and green; red.
    assert re.search(r"\x1b\[1;32m *0\.1100 ± 0\.0082 \+", stream.getvalue())
    assert re.search(r"\x1b\[31m *0\.8075 ± 0\.0096 −", stream.getvalue())


def test_transfer_shows_where_a_loss_comes_from() -> None:
    problems = [JudgedProblem(name, "mse", False, "squared_error") for name in "ab"]
    transferred = [
        Transferred("evomal", "a", target, seed, (seed + 0.5,))
        for target in "ab"
        for seed in (0, 1)
    ]
    usual = [Observation("squared_error", name, seed, (9.0,)) for name in "ab" for seed in (0, 1)]
    table = grid_table(transfer_standing(problems, transferred, usual), "Transfer")
    assert [cell.text() for cell in table.lines[0].cells] == ["[1.00 ± 0.71]", "1.00 ± 0.71"]
    assert any("In brackets" in caption for caption in table.captions)
    # A bracket at the start of a cell could be read as an option of what stands before it.
    assert "& {}[$" in latex(table)


def test_unfinished_entries_say_so() -> None:
    observed = [one for one in example_observations() if one.row != "evomal" or one.seed < 2]
    table = grid_table(stand(PROBLEMS, ROWS, observed), "t")
    evomal = next(line for line in table.lines if line.name == "evomal")
    assert evomal.cells[0].text() == "0.1150 ± 0.0071 (2 of 4 seeds)"
    assert any("not finished" in caption for caption in table.captions)
    # Its two seeds may be the easier ones.
    assert [line.name for line in table.lines if line.cells[0].best] != ["evomal"]


def test_what_failed_at_every_seed_is_called_failed() -> None:
    observed = [Observation("evomal", "digits", seed, (None,)) for seed in (0, 1)]
    table = grid_table(stand(PROBLEMS[:1], ROWS[:1], observed), "t")
    assert table.lines[0].cells[0] == ("failed", "", "", False, False)
    assert "failed" in latex(table)


def test_names_of_files_have_no_spaces() -> None:
    scenes = "saliency:scenes:count=12:side=16"
    specs = [
        ProblemSpec(task, TaskSettings(model=model), f"{task}, {model}")
        for task, models in (("diabetes", ("linear", "mlp:4")), (scenes, ("fcn:2", "fcn:3")))
        for model in models
    ]
    problems = {
        spec.name: LoadedProblem(spec, load_task(spec.task, spec.settings), "") for spec in specs
    }
    usual = dict.fromkeys(problem.task.task_loss_name for problem in problems.values())
    rows = tuple(Row(name, learned=False) for name in usual)
    settings = grid_settings({"methods": [], "losses": ["mae"], "out": "nowhere"})
    contenders = {
        (row.name, name): contender(row, settings, problem.task, example_of(problem.task))
        for row in rows
        for name, problem in problems.items()
    }
    arena = Arena(problems, rows, (), contenders)
    cells = [
        FinishedCell(Cell(row, problem.spec, seed), CellResult((0.1,), (0.1,), (0.1,), (0.1,)))
        for row in arena.rows
        for problem in arena.problems.values()
        for seed in (0, 1)
    ]
    names = list(problems)
    moved = [
        Transferred("evomal", source, target, seed, (0.1,))
        for of_a_kind in (names[:2], names[2:])
        for source in of_a_kind
        for target in of_a_kind
        for seed in (0, 1)
    ]
    found = [*standings(settings, arena, cells), *transfer_standings(arena, cells, moved)]
    assert [one.name for one in found] == [
        *("table-regression", "table-salient-objects"),
        *("tuned-regression", "tuned-salient-objects"),
        *("transfer-regression", "transfer-salient-objects"),
    ]
    assert found[1].title.startswith("Salient objects: ")


def test_summary_csv(standing: Standing) -> None:
    found = list(csv.DictReader(io.StringIO(summary_csv(standing))))
    assert [line["row"] for line in found] == [row.name for row in ROWS]
    evomal, usual, _, huber = found
    entry = standing.entries["evomal", "digits"]
    assert entry.against is not None
    names = ("mean", "rank", "difference", "p", "p_holm")
    np.testing.assert_allclose(
        [float(evomal[f"digits: {name}"]) for name in names],
        [entry.mean, entry.rank, entry.against.difference, entry.against.p, entry.p],
    )
    assert (evomal["digits: significant"], usual["digits: p"]) == ("true", "")
    assert (huber["digits: mean"], huber["digits: seeds"]) == ("", "0")


def finished_cells() -> list[FinishedCell]:
    problem = ProblemSpec("digits")
    whole = CellResult((0.1, None), (0.2, 0.3), (0.4,), (0.5,), formula='f, "y"', seconds=2.0)
    return [
        FinishedCell(Cell(Row("evomal", True), problem, 3), whole),
        FinishedCell(Cell(Row("huber", False), problem, 3), CellResult(note="no classes")),
    ]


def test_long_csv_has_a_line_for_each_training(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells.csv", finished_cells(), PROBLEMS)
    text = (tmp_path / "cells.csv").read_text()
    assert text == long_csv(finished_cells(), PROBLEMS)
    found = list(csv.DictReader(io.StringIO(text)))
    columns = ("row", "tuned", "training", "valid", "test", "formula", "metric", "note")
    assert [tuple(line[name] for name in columns) for line in found] == [
        ("evomal", "false", "0", "0.2", "0.1", 'f, "y"', "error_rate", ""),
        ("evomal", "false", "1", "0.3", "", 'f, "y"', "error_rate", ""),
        ("evomal", "true", "0", "0.5", "0.4", 'f, "y"', "error_rate", ""),
        ("huber", "", "", "", "", "", "error_rate", "no classes"),
    ]


def ink(path: Path) -> float:
    """Gives the share of a picture that is not white."""
    return float(np.mean(np.any(imread(path)[..., :3] < 0.99, axis=-1)))


def test_output_is_a_table_in_every_form_and_a_picture(standing: Standing, tmp_path: Path) -> None:
    blocks = write_standing(tmp_path / "out", "tuned", "Every row tuned", standing)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["tuned.csv", "tuned.md", "tuned.png", "tuned.tex"]
    (table,) = (block for block in blocks if isinstance(block, Table))
    assert table.rows[0][2] == "0.1100 ± 0.0082 + ★"
    (picture,) = (block for block in blocks if isinstance(block, Picture))
    assert "Average ranks" in picture.alt
    assert ink(picture.path) > 0.01
    assert "★" in as_html("t", blocks)
    assert "![Average ranks" in as_markdown("t", blocks, tmp_path / "out")


@pytest.mark.parametrize(("problems", "rows"), [(1, 4), (2, 2), (1, 1)])
def test_few_problems_or_rows_are_drawn_as_boxes(tmp_path: Path, problems: int, rows: int) -> None:
    found = stand(PROBLEMS[:problems], ROWS[:rows], example_observations())
    assert "seed by seed" in standing_picture(tmp_path / "a.png", found)
    assert ink(tmp_path / "a.png") > 0.01


def test_a_difference_longer_than_the_scale_can_be_drawn(tmp_path: Path) -> None:
    found = stand(PROBLEMS, ROWS[:3], example_observations())
    assert found.critical_difference is not None
    assert found.critical_difference > 2
    standing_picture(tmp_path / "a.png", found)
    assert ink(tmp_path / "a.png") > 0.01


@pytest.mark.parametrize("values", [(), (None,), (0.0,), (1.0,), (1.0, 1e30)])
def test_any_values_can_be_drawn(tmp_path: Path, values: tuple[float | None, ...]) -> None:
    observed = [Observation("evomal", "digits", seed, (one,)) for seed, one in enumerate(values)]
    box_picture(tmp_path / "a.png", stand(PROBLEMS[:1], ROWS[:1], observed))
    assert ink(tmp_path / "a.png") > 0.005


def test_pictures_are_the_same_each_time(standing: Standing, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        standing_picture(tmp_path / name, standing)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_learned_rows_have_their_own_colour(tmp_path: Path) -> None:
    rows = [JudgedRow("evomal", learned=True), JudgedRow("focal", learned=False)]
    pictures = []
    for learned in (True, False):
        judged = [rows[0]._replace(learned=learned), rows[1]]
        path = tmp_path / f"{learned}.png"
        box_picture(path, stand(PROBLEMS[:1], judged, example_observations()))
        pictures.append(imread(path)[..., :3])
    # Vermilion, #D55E00, is the darkest red with hardly any blue.
    share = [np.mean((one[..., 0] > 0.8) & (one[..., 2] < 0.1)) for one in pictures]
    assert share[0] > 1e-4
    assert share[1] == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("diabetes", "regression"),
        ("wine", "classification"),
        ("breast_cancer", "classification"),
        ("retrieval:wine", "retrieval"),
        ("pde:advection", "equations"),
        ("rl:tabular", "offline RL"),
        ("saliency:scenes:count=12:side=16", "salient objects"),
    ],
)
def test_problems_of_one_kind_share_their_tables(name: str, kind: str) -> None:
    model = "fcn:2" if name.startswith("saliency") else "mlp:4"
    task = load_task(name, TaskSettings(model=model))
    assert LoadedProblem(ProblemSpec(name), task, "").kind == kind
