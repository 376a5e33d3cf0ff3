"""What a person meets at ``jaxloss compare``, above all when their input cannot be used."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jaxloss.cli import main
from jaxloss.commands.compare import compare_settings

FILE = """\
methods: [evomal, gp_lfl]
losses: [cross_entropy]
tasks: [wine]
seeds: 3
preset: quick
budget: {trainings: 4}
settings: {evomal: {population: 8}}
"""

Failure = Callable[..., str]


@pytest.fixture
def failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Failure:
    """Runs a comparison that must end with code 2, one message and no file."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        try:
            code = main(["compare", *words])
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        assert code == 2
        assert printed.out == ""
        assert "Traceback" not in printed.err
        assert not (tmp_path / "runs").exists()
        return " ".join(re.sub(r"[╭╮╰╯│─]", " ", printed.err).split())

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--tasks", "wime"], "unknown task 'wime'; valid, nearest first: wine"),
        (["--tasks", "wine+label_nois=0.1"], "'label_nois'; valid, nearest first: label_noise"),
        (["--methods", "evomel"], "unknown method 'evomel'; valid, nearest first: evomal"),
        (["--losses", "cros_entropy"], "nearest first: cross_entropy"),
        (["--methods", "--losses"], "name at least one method or loss"),
        (["--models", "mpl"], "unknown model 'mpl'"),
        (["--preset", "quik"], "unknown preset 'quik'"),
        (["--seeds", "0"], "seeds must be 1 or more"),
        (["--budget.search-steps", "0"], "search_steps must be 1 or more, got 0"),
        (["--budget.trials", "3"], "--budget.trials"),
        (["nothing.yaml"], "nothing.yaml cannot be read"),
        (["--seeds", "2", "grid.json"], "grid.json must end in one of"),
        (["--report-only", "--tasks", "wine"], "holds no comparison to report on"),
        (["--preset", "paper"], "the papers needs data that are not here"),
    ],
)
def test_bad_words_are_one_message(failure: Failure, words: list[str], expected: str) -> None:
    assert expected in failure(*words)


@pytest.mark.parametrize("words", [["-h"], ["--seeds", "3", "-h"], ["--help"]])
def test_help_is_no_file(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *words])
    assert stopped.value.code == 0
    assert "usage: jaxloss compare" in capsys.readouterr().out


def test_a_file_with_an_unknown_key_is_one_message(failure: Failure, tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(FILE + "sedes: 3\n")
    assert "unknown key of a comparison 'sedes'; valid, nearest first: seeds" in failure(
        "grid.yaml"
    )


def test_flags_stand_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(FILE)
    plain, _ = compare_settings([str(path)])
    assert (plain.seeds, plain.preset, plain.budget.trainings) == (3, "quick", 4)
    assert plain.search("evomal").population == 8
    words = ["--seeds", "5", "--tasks", "digits", "wine", "--budget.steps", "70", "--transfer"]
    changed, _ = compare_settings([str(path), *words, "--optimizer.momentum", "0"])
    assert [task.name for task in changed.tasks] == ["digits", "wine"]
    assert (changed.seeds, changed.transfer) == (5, True)
    assert (changed.budget.trainings, changed.budget.steps) == (4, 70)
    assert changed.optimizer.momentum == 0
    assert changed.search("evomal").population == 8
    fewer, _ = compare_settings(["--methods", "gp_lfl", "--seeds", "2", str(path)])
    assert (fewer.methods, fewer.overridden, fewer.seeds) == (("gp_lfl",), (), 2)


@pytest.mark.parametrize(
    "word",
    [
        *("--transfer", "--no-transfer", "--dry-run", "--report-only", "--pack"),
        *("--no_transfer", "--dry_run", "--report_only"),
        *("--preset=quick", "--budget.search_steps=9"),
    ],
)
def test_a_file_may_follow_a_switch(tmp_path: Path, word: str) -> None:
    for transfer in ("true", "false"):
        path = tmp_path / f"{transfer}.yaml"
        path.write_text(f"{FILE}transfer: {transfer}\n")
        assert compare_settings([word, str(path)])[0].seeds == 3


@pytest.mark.parametrize("tasks", [["--tasks", "digits"], ["--tasks=digits"]])
def test_a_file_after_a_list_is_one_of_its_values(failure: Failure, tasks: list[str]) -> None:
    assert "grid.yaml" in failure(*tasks, "grid.yaml")


def test_a_file_that_only_tyro_finds_is_refused(
    failure: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jaxloss.commands.compare._file", lambda _: None)
    assert "name the file before all options, got grid.yaml" in failure("--pack", "grid.yaml")


def test_flags_alone_make_a_comparison() -> None:
    words = ["--losses", "rivals", "poly1", "--methods", "all", "--preset=quick"]
    found, _ = compare_settings([*words, "--budget.search-steps", "None"])
    assert found.losses[-1] == "poly1"
    assert len(found.losses) == 12
    assert (found.preset, found.budget.search_steps) == ("quick", None)


def test_a_dry_run_lists_the_grid_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "--preset", "paper", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "cifar10, resnet:18" in printed
    assert re.search(r"18 problems x \d+ rows x 10 seeds = \d+", printed)
    assert "tuning: 625,000 training steps" in printed
    assert list(tmp_path.iterdir()) == []


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    for option in ("--tasks", "--methods", "--budget.search-steps", "--dry-run", "--devices"):
        assert option in printed
    assert main(["--help"]) == 0
    assert "jaxloss compare" in capsys.readouterr().out


def test_an_interrupt_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxloss.commands.compare.run_grid", interrupted)
    assert main(["compare"]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
