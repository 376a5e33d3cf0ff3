import io
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from jaxloss import InvalidInputError, LearnedLoss, TaskSettings, TreeForm, parse
from jaxloss.cli import main
from jaxloss.commands.landscape import landscape_settings
from jaxloss.keys import named_key
from jaxloss.learning.inner import BaseOptimizerSettings, predict
from jaxloss.learning.landscape import LandscapeSettings
from jaxloss.learning.trained import train_model
from jaxloss.losses import ZooForm
from jaxloss.runs.landscape import LandscapeRunSettings, draw_landscapes
from jaxloss.runs.landscape.pictures import lines_picture, plane_picture
from jaxloss.runs.landscape.report import headline
from jaxloss.runs.landscape.settings import repeat_command
from jaxloss.runs.landscape.sides import Landscapes, Side
from jaxloss.tasks import load_task
from jaxloss.tasks.task import PlayedTask

PNG = b"\x89PNG\r\n\x1a\n"
LOSS = "abs(f - y)"


class Drawn(NamedTuple):
    settings: LandscapeRunSettings
    found: Landscapes
    folder: Path
    printed: str


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("landscape") / "deep" / "drawn"
    settings = LandscapeRunSettings(
        LOSS,
        task="wine",
        problem=TaskSettings(model="linear", metric="macro_f1"),
        optimizer=BaseOptimizerSettings(learning_rate=0.1),
        slices=LandscapeSettings(points=5, lines=3),
        steps=20,
        seed=2,
        out=str(folder),
    )
    stream = io.StringIO()
    found = draw_landscapes(settings, Console(file=stream, width=120))
    return Drawn(settings, found, folder, stream.getvalue())


def test_both_sides_are_trained_from_one_network_and_scored_as_they_are(drawn: Drawn) -> None:
    task = load_task("wine", drawn.settings.problem)
    key = named_key(jax.random.key(2), "training")
    tree = LearnedLoss(TreeForm(parse(LOSS)), (1.0,) * 3, "softmax")
    usual = LearnedLoss(ZooForm("cross_entropy", "softmax"), (), "softmax")
    for side, loss in zip(drawn.found.sides, (tree, usual), strict=True):
        model = train_model(key, task, loss, drawn.settings.optimizer, 20)
        for variables, value in ((model.start, side.untrained), (model.variables, side.trained)):
            outputs = predict(task.model, variables, task.train.inputs)
            assert value == pytest.approx(float(jnp.mean(loss(outputs, task.train.targets))), 1e-4)
        assert side.usual == pytest.approx(
            float(jnp.mean(usual(outputs, task.train.targets))), rel=1e-4
        )
        outputs = predict(task.model, model.variables, task.test.inputs)
        score = task.metric.function(task.predictions(outputs), task.test.targets)
        assert side.test == pytest.approx(float(score), rel=1e-5)
        # The middle of the slices is the network itself.
        assert side.plane.losses[0, 2, 2] == pytest.approx(side.trained, rel=1e-5)
        np.testing.assert_allclose(side.lines.losses[0, :, 2], side.trained, rtol=1e-5)
        np.testing.assert_allclose(side.plane.metric[2, 2], side.valid, rtol=1e-5)
        ends = side.lines.losses[0][:, [1, 3]].mean(axis=1) - side.trained
        np.testing.assert_allclose(side.rises, ends, rtol=1e-3, atol=1e-5)
        worse = side.valid - side.lines.metric[:, [1, 3]].mean(axis=1)
        np.testing.assert_allclose(side.worsening, worse, atol=1e-5)
    first, second = drawn.found.sides
    assert first.untrained_metric == second.untrained_metric
    assert second.curvature.values[0] == second.usual_curvature.values[0]
    assert first.curvature.values[0] != first.usual_curvature.values[0]


def test_a_played_task_is_scored_by_its_policy(tmp_path: Path) -> None:
    problem = TaskSettings(model="linear")
    settings = LandscapeRunSettings(
        "abs(f - y)",
        task="rl:tabular:horizon=2:episodes=20",
        problem=problem,
        slices=LandscapeSettings(points=3, lines=1),
        steps=5,
        out=str(tmp_path / "drawn"),
    )
    found = draw_landscapes(settings, Console(file=io.StringIO()))
    task = load_task(settings.task, problem)
    assert isinstance(task, PlayedTask)
    key = named_key(jax.random.key(0), "training")
    tree = LearnedLoss(TreeForm(parse("abs(f - y)")), (1.0,) * 3, "identity")
    model = train_model(key, task, tree, settings.optimizer, 5)
    side = found.sides[0]
    for split, score in ((task.valid, side.valid), (task.test, side.test)):
        assert score == pytest.approx(float(task.score(model.variables, split)), rel=1e-4)


def test_the_folder_holds_the_report_and_all_numbers(drawn: Drawn) -> None:
    files = {str(path.relative_to(drawn.folder)) for path in drawn.folder.rglob("*.*")}
    pictures = {"pictures/planes.png", "pictures/lines.png"}
    assert files == {"report.html", "report.md", "results.json", "landscape.npz", *pictures}
    assert all((drawn.folder / name).read_bytes().startswith(PNG) for name in pictures)
    data = json.loads((drawn.folder / "results.json").read_text())
    first, second = data["sides"]
    assert (first["loss"], second["loss"]) == (LOSS, "cross_entropy")
    assert first["test"] == drawn.found.sides[0].test
    own = first["top_eigenvalue"]
    assert own["value"] == float(drawn.found.sides[0].curvature.values[0])
    assert own["converged"]
    assert own["relative_residual"] < 1e-3
    assert len(second["undone"]) == 3
    with np.load(drawn.folder / "landscape.npz") as arrays:
        for name, side in zip(("loss", "against"), drawn.found.sides, strict=True):
            np.testing.assert_array_equal(arrays[f"{name}_plane"], side.plane.losses[0])
            np.testing.assert_array_equal(arrays[f"{name}_lines_metric"], side.lines.metric)
        np.testing.assert_array_equal(arrays["places"], [-1, -0.5, 0, 0.5, 1])


def test_the_report_says_what_was_measured(drawn: Drawn) -> None:
    page = (drawn.folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    text = (drawn.folder / "report.md").read_text()
    assert f"**{headline(drawn.found)}**" in text
    for part in ("own unit", "numbers of the two do not compare", "arxiv.org/abs/1712.09913"):
        assert part in text
    for side in drawn.found.sides:
        value = float(side.curvature.values[0])
        assert f"{value:#.4g}" in text
        assert f"{value:#.4g}" in drawn.printed
    assert "2 planes of 5 x 5 points and 2 x 3 lines of 5" in drawn.printed
    assert f"report:   {drawn.folder / 'report.html'}" in drawn.printed


def test_the_command_in_the_report_repeats_it(drawn: Drawn, tmp_path: Path) -> None:
    words = shlex.split(repeat_command(drawn.settings))
    assert words[:2] == ["jaxloss", "landscape"]
    again, _ = landscape_settings([*words[2:], "--out", str(drawn.folder)])
    assert again == drawn.settings
    assert f"\n{repeat_command(drawn.settings)}\n" in (drawn.folder / "report.md").read_text()
    path = tmp_path / "loss.json"
    path.write_text(LearnedLoss(TreeForm(parse(LOSS)), (1.0,) * 3, "softmax").to_json())
    (tmp_path / "settings.json").write_text(
        json.dumps(
            {
                "settings": {
                    "task": "wine",
                    "problem": {"model": "linear"},
                    "search": {"optimizer": {"momentum": 0.5}, "trial": {"steps": 77}},
                }
            }
        )
    )
    own, _ = landscape_settings([str(path)])
    assert (own.task, own.steps, own.problem.model) == ("wine", 77, "linear")
    assert own.optimizer.momentum == 0.5
    changed = replace(own, steps=LandscapeRunSettings(LOSS).steps)
    words = shlex.split(repeat_command(changed))
    assert landscape_settings(words[2:])[0] == changed


def side_like(side: Side, undone: list[float]) -> Side:
    return side._replace(rises=np.array(undone) * side.progress)


def test_the_headline_claims_no_more_than_the_directions_show(drawn: Drawn) -> None:
    first, second = drawn.found.sides

    def said(*undone: list[float]) -> str:
        sides = side_like(first, undone[0]), side_like(second, undone[1])
        return headline(drawn.found._replace(sides=sides))

    clear = said([0.30, 0.31, 0.32], [0.10, 0.11, 0.13])
    assert "31.0 ± 1.0 %" in clear
    assert "the end under cross_entropy lies flatter" in clear
    assert f"the end under {LOSS} lies flatter" in said([0.1, 0.1, 0.2], [0.5, 0.52, 0.6])
    assert "is not clear" in said([0.1, 0.3, 0.2], [0.2, 0.2, 0.2])
    assert "one direction alone says little" in said([0.1], [0.5])
    assert "Not all of the landscape is finite" in said([np.inf, 0.1], [0.5, 0.4])
    stuck = drawn.found._replace(sides=(first, second._replace(untrained=second.trained)))
    assert "Training under cross_entropy did not lower its loss" in headline(stuck)


def test_a_failed_training_is_drawn_as_one(drawn: Drawn, tmp_path: Path) -> None:
    first, second = drawn.found.sides
    failed = first._replace(
        plane=first.plane._replace(
            losses=np.full_like(first.plane.losses, np.nan),
            metric=np.full_like(first.plane.metric, np.nan),
        ),
        trained=np.nan,
        valid=np.nan,
    )
    found = drawn.found._replace(sides=(failed, second))
    for picture in (plane_picture, lines_picture):
        picture(tmp_path / "failed.png", found)
        picture(tmp_path / "sound.png", drawn.found)
        content = (tmp_path / "failed.png").read_bytes()
        assert content.startswith(PNG)
        assert content != (tmp_path / "sound.png").read_bytes()


def test_a_folder_in_use_is_left_alone(drawn: Drawn) -> None:
    before = (drawn.folder / "results.json").read_bytes()
    with pytest.raises(InvalidInputError, match="is not empty; name another folder with --out"):
        draw_landscapes(drawn.settings)
    assert (drawn.folder / "results.json").read_bytes() == before


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["landscape", "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    for option in ("--task", "--against", "--points", "--extent", "--lines", "--model", "--out"):
        assert option in printed
    assert main(["--help"]) == 0
    assert "jaxloss landscape LOSS" in capsys.readouterr().out


@pytest.fixture
def failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Runs a command that must end with code 2 and one message, and leave nothing behind."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        try:
            code = main(["landscape", *words])
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        assert code == 2
        assert "Traceback" not in printed.err
        assert not list(tmp_path.iterdir())
        message = " ".join(re.sub(r"[╭╮╰╯│─]", " ", printed.err).split())
        assert message.count("jaxloss:") <= 1
        return message

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "jaxloss landscape"),
        (["mae"], "--task"),
        (["mae", "--task", "digitz"], "unknown task 'digitz'; valid, nearest first: digits"),
        (["mea", "--task", "wine"], "unknown loss 'mea'; of the zoo, nearest first:"),
        (["mae", "--task", "wine", "--against", "huberr"], "nearest first: huber"),
        (["mae", "--task", "wine", "--points", "1"], "points must be 2 or more, got 1"),
        (["mae", "--task", "wine", "--extent", "0"], "extent must be above 0 and finite, got 0.0"),
        (["mae", "--task", "wine", "--extent=-1"], "extent must be above 0 and finite, got -1.0"),
        (["mae", "--task", "wine", "--steps", "0"], "steps must be 1 or more, got 0"),
        (["mae", "--task", "wine", "--seed", "-1"], "seed must be within"),
        (["giou", "--task", "wine"], "giou cannot train a task of view softmax"),
        (["1 - i / u", "--task", "wine"], "is for areas of boxes (boxes view), but wine"),
        (["ce", "--task", "wine"], "both losses are cross_entropy; name another one"),
        (["nothing.json", "--task", "wine"], "nothing.json cannot be read"),
    ],
)
def test_bad_words_are_one_message(
    failure: Callable[..., str], words: list[str], expected: str
) -> None:
    assert expected in failure(*words)
