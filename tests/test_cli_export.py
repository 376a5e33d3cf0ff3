"""``jaxloss export``: code on the terminal, remarks beside it, no file lost."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jaxloss import LearnedLoss, export_code
from jaxloss.cli import main
from jaxloss.losses import NetworkForm, OnlineForm, zoo_form
from jaxloss.losses.views import VIEWS
from jaxloss.runs.given import given_loss

Run = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``jaxloss export`` in an empty folder; returns the code and both outputs."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int | str | None, str, str]:
        try:
            code = main(["export", *words])
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_help_names_every_view(run: Run):
    code, out, _ = run("--help")
    assert code == 0
    assert set(re.findall(r"\w+", out)) >= set(VIEWS)


def test_only_the_code_goes_to_the_terminal(run: Run):
    code, out, err = run("huber:delta=0.5", "--to", "torch", "--view", "softmax")
    loss = LearnedLoss(zoo_form("huber:delta=0.5", "softmax"), (), "softmax")
    assert (code, out, err) == (0, export_code(loss, "torch"), "")


def test_remarks_go_beside_it(run: Run):
    code, out, err = run("sign(f)/y", "--to", "torch")
    assert code == 0
    assert "def learned_loss(outputs, targets):" in out
    assert err.splitlines() == [
        "differs: sign: of NaN it is 0, in jaxloss NaN",
        "for tasks of the view identity; --view softmax or sigmoid or masks is for others",
    ]


def test_a_file_is_written_and_not_overwritten(run: Run, tmp_path: Path):
    words = ("mse", "--to", "optax", "--view", "identity", "--out", "mse.py")
    path = tmp_path / "mse.py"
    assert run(*words) == (0, "", "wrote mse.py\n")
    names: dict = {}
    exec(path.read_text(), names)
    assert callable(names["mse_loss"])
    path.write_text("mine")
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "mse.py exists; name another file, or replace it with --force" in err
    assert path.read_text() == "mine"
    assert run(*words, "--force")[0] == 0
    assert path.read_text() != "mine"


def test_a_program_is_a_file(run: Run, tmp_path: Path):
    code, out, err = run("giou", "--to", "stablehlo", "--out", "giou.stablehlo")
    assert (code, out) == (0, "")
    assert 'export.deserialize(bytearray(open("giou.stablehlo", "rb").read()))' in err
    assert (tmp_path / "giou.stablehlo").stat().st_size > 1000
    code, out, _ = run("giou", "--to", "stablehlo", "--text")
    assert code == 0
    assert out.startswith("module @jit_giou_loss")
    online = LearnedLoss(OnlineForm(NetworkForm((2,))), (0.5,) * 6, "identity")
    (tmp_path / "online.json").write_text(online.to_json())
    code, _, err = run("online.json", "--to", "stablehlo", "--text")
    assert (code, err.count("differs: online: ")) == (0, 1)


def test_a_saved_loss_is_exported_and_never_replaced(run: Run, tmp_path: Path):
    run("y*log(f)", "--to", "json", "--view", "softmax", "--out", "loss.json")
    text = (tmp_path / "loss.json").read_text()
    assert json.loads(text)["view"] == "softmax"
    code, out, _ = run("loss.json", "--to", "json")
    assert (code, out) == (0, text)
    code, _, err = run("loss.json", "--to", "torch", "--out", "./loss.json", "--force")
    assert code == 2
    assert "loss.json is the loss itself" in err
    assert (tmp_path / "loss.json").read_text() == text


@pytest.mark.parametrize(
    "formula", ["-y*log(f)", "-0.5*y*log(f)", "+".join(["abs(f - y)"] * 40), "-(f)"]
)
def test_a_formula_may_begin_with_a_minus_or_be_long(run: Run, formula: str):
    code, out, _ = run(formula, "--to", "latex")
    assert (code, out) == (0, export_code(given_loss(formula).first, "latex"))
    assert run(formula, "--to", "json", "--out", "loss.json")[0] == 0


def test_losses_that_train_no_task_have_a_formula(run: Run):
    code, out, _ = run("triplet", "--to", "latex")
    assert code == 0
    assert out.startswith("% triplet, margin = 1\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mse", "--to", "tourch"], "unknown export target 'tourch'; valid, nearest first: torch"),
        (["mes", "--to", "torch"], "unknown loss 'mes'"),
        (["mse", "--to", "torch", "--view", "boxes"], "mse cannot train a task of view boxes"),
        (["mse", "--to", "torch", "--view", "logits"], "logits is no view of tasks"),
        (["mse", "--to", "torch", "-v"], "-v"),
        (["mse", "--to", "stablehlo"], "name a file for it with --out"),
        (["mse", "--to", "torch", "--text"], "--text is for stablehlo alone"),
        (["mse", "--to", "torch", "--out", "no/mse.py"], "there is no folder no"),
        (["mse", "--to", "torch", "--out", "."], ". is a folder"),
        (["triplet", "--to", "torch"], "these targets work: latex, stablehlo"),
        (["ciou", "--to", "sympy"], "these targets work: optax, torch, latex, stablehlo, json"),
        (["nothing.json", "--to", "torch"], "nothing.json cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_message(
    run: Run, tmp_path: Path, words: list[str], message: str
):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())
