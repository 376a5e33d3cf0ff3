"""What a person meets at the command line, above all when their input cannot be used."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jaxloss import LearnedLoss, TreeForm, parse
from jaxloss.cli import main
from jaxloss.commands.search import search_settings
from jaxloss.runs.given import given_loss
from jaxloss.runs.landscape import LandscapeRunSettings
from jaxloss.search import EvoMALSettings

Failure = Callable[..., str]


@pytest.fixture
def failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Failure:
    """Runs a command that must end with code 2 and one message; returns the message."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> str:
        try:
            code = main([str(word) for word in words])
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        assert code == 2
        assert printed.out == ""
        assert "Traceback" not in printed.err
        # Without the frame and the line breaks that tyro draws.
        message = " ".join(re.sub(r"[╭╮╰╯│─]", " ", printed.err).split())
        assert message.count("jaxloss:") <= 1
        assert not (tmp_path / "runs").exists()
        return message

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["serch"], "unknown command 'serch'; valid, nearest first: search"),
        (["search", "diabtes"], "unknown task 'diabtes'; valid, nearest first: diabetes"),
        (["search", "--method", "evomol"], "nearest first: evomal"),
        (["search", "--method=gplfl"], "nearest first: gp_lfl"),
        (["search", "--preset", "papr"], "nearest first: paper"),
        (["search", "--model", "lenet"], "unknown model 'lenet'; valid, nearest first: lenet5"),
        (["search", "--metric", "ma"], "nearest first: mae"),
        (["search", "--population", "0"], "population must be 1 or more, got 0"),
        (["search", "--population", "many"], "--population"),
        (["search", "--fitness.steps", "-5"], "steps must be 1 or more, got -5"),
        (["search", "--local-search.meta-steps", "-1"], "meta_steps must be 0 or more"),
        (["search", "--variation.max-height", "2"], "max_height is 2, below the minimum of 5"),
        (["search", "--seed", "-1"], "seed must be within"),
        (["search", "--popluation", "3"], "--population"),
        (["search", "--rejection.when", "later"], "'before', 'after', 'both', 'never'"),
        (["search", "--seed-from", "add(f, y"], "position 9"),
        (["search", "--seed-from", "-y*log(f"], "position"),
        (["search", "--seed-from", "f ** y"], "position"),
        (["search", "--out", "x", "--resume"], "no run to resume"),
        (["search", "nothing.csv"], "nothing.csv"),
        (["evaluate", "nothing.json"], "nothing.json cannot be read"),
        (["evaluate"], "jaxloss evaluate"),
        (["evaluate", "hubr", "--task", "wine"], "nearest first: huber"),
        (["evaluate", "abs(f - z)", "--task", "wine"], "position 9"),
        (["evaluate", "mae", "giou", "--task", "wine"], "giou cannot train a task of view softmax"),
        (["search", "--task-loss", "giou"], "giou cannot train a task of view identity"),
    ],
)
def test_bad_words_are_one_message(failure: Failure, words: list[str], expected: str) -> None:
    assert expected in failure(*words)


TABLE = "width,height,label\n" + "\n".join(f"{i},{i % 7},{'ab'[i % 2]}" for i in range(40))


@pytest.mark.parametrize(
    ("change", "target", "expected"),
    [
        (lambda text: text, "lable", ["'lable'", "label"]),
        (lambda text: text.replace("\n5,5,", "\n5,tall,"), "label", ["height", "tall", "row"]),
        (lambda text: text.replace("\n5,5,", "\nnan,5,"), "label", ["width", "row"]),
        (lambda text: text.replace(",b", ",a"), "label", ["two classes"]),
        (lambda text: "\n".join(text.splitlines()[:4]), "label", ["row"]),
    ],
)
def test_bad_tables_are_one_message(
    failure: Failure,
    tmp_path: Path,
    change: Callable[[str], str],
    target: str,
    expected: list[str],
) -> None:
    (tmp_path / "table.csv").write_text(change(TABLE))
    message = failure("search", "table.csv", "--target", target, "--preset", "quick")
    for part in expected:
        assert part in message


def _write_loss(path: Path) -> None:
    loss = LearnedLoss(TreeForm(parse("square(sub(f, y))")), (1.0, 1.0, 1.0), "identity")
    path.write_text(loss.to_json())


def test_a_tampered_loss_is_refused(failure: Failure, tmp_path: Path) -> None:
    path = tmp_path / "loss.json"
    _write_loss(path)
    content = json.loads(path.read_text())
    content["definition"]["expression"] = "__import__('os').system('touch hacked')"
    path.write_text(json.dumps(content))
    assert "changed after it was saved" in failure("evaluate", path)
    path.write_text("{")
    assert "broken JSON" in failure("evaluate", path)
    assert not (tmp_path / "hacked").exists()


def test_a_loss_must_fit_the_task(failure: Failure, tmp_path: Path) -> None:
    _write_loss(tmp_path / "loss.json")
    message = failure("evaluate", "loss.json", "--task", "wine")
    assert "predicted values" in message
    assert "class probabilities" in message


def test_a_full_folder_is_left_alone(failure: Failure, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes").write_text("mine")
    message = failure("search", "wine", "--out", "mine")
    assert "--resume" in message
    assert "--out" in message
    assert [path.name for path in folder.iterdir()] == ["notes"]


def test_ones_own_failing_code_is_one_message(failure: Failure, tmp_path: Path) -> None:
    source = (
        "def metric(predictions, targets):\n    raise KeyError('no such column')\n"
        "def factory(outputs):\n    raise RuntimeError('no weights')\n"
    )
    (tmp_path / "cli_own_code.py").write_text(source)
    message = failure("search", "wine", "--metric", "cli_own_code:metric", "--out", "run")
    assert "metric 'cli_own_code:metric' failed: KeyError: 'no such column'" in message
    assert "line 2" in message
    message = failure("search", "wine", "--model", "cli_own_code:factory", "--out", "run")
    assert "no weights" in message
    assert not (tmp_path / "run").exists()


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "jaxloss search" in printed
    assert "jaxloss evaluate" in printed


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "search",
            ["--preset", "--model", "--population", "--local-search.meta-steps"],
        ),
        ("evaluate", ["--task", "--seeds", "--model", "--optimizer.learning-rate"]),
    ],
)
def test_help_of_a_command_lists_its_options(
    capsys: pytest.CaptureFixture[str], command: str, options: list[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    for option in options:
        assert option in printed


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(
        r"jaxloss \d+\.\d+\S*\n|jaxloss 0 \(not installed\)\n", capsys.readouterr().out
    )


def test_formulas_that_begin_with_a_minus_are_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[LandscapeRunSettings]()
    monkeypatch.setattr("jaxloss.commands.landscape.draw_landscapes", asked.append)
    words = ["-y*log(f)", "--task", "wine", "--against", "-dot(y, x)", "--steps", "7"]
    assert main(["landscape", *words]) == 0
    (settings,) = asked
    assert settings.against is not None
    named = [given_loss(text).name for text in (settings.loss, settings.against)]
    assert (named, settings.steps) == (["-y*log(f)", "-dot(y, x)"], 7)


def test_preset_and_method_set_the_defaults() -> None:
    quick, _ = search_settings(["--preset", "quick"])
    paper, _ = search_settings(["digits", "--preset=paper", "--fitness.steps", "7"])
    assert (quick.task, paper.task) == ("diabetes", "digits")
    assert isinstance(quick.search, EvoMALSettings)
    assert isinstance(paper.search, EvoMALSettings)
    assert quick.search.population == 16
    assert (paper.search.generations, paper.search.fitness.steps) == (50, 7)
    settings, _ = search_settings(["--method", "gp_lfl"])
    assert settings.method == "gp_lfl"
    assert not hasattr(settings.search, "local_search")


def test_an_interrupt_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxloss.commands.search.run_search", interrupted)
    assert main(["search"]) == 130
    assert "--resume" in capsys.readouterr().err


def test_an_equation_without_a_solution_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    spec = "pde:burgers:viscosity=1e-5"
    assert main(["search", spec, "--method", "meta_pinn", "--out", str(folder)]) == 2
    printed = capsys.readouterr()
    assert "viscosity must be within 0.002 and 2" in printed.err
    assert "got 1e-05" in printed.err
    assert "Traceback" not in printed.err
    assert not folder.exists()
