"""What a person meets at ``jaxloss zoo``: the list, the pages, and what cannot be used."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from jaxloss import zoo
from jaxloss.cli import main
from jaxloss.runs.zoo.listing import show_list
from jaxloss.runs.zoo.page import show_page

Printed = Callable[..., str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """Runs ``jaxloss zoo`` and returns what it prints."""

    def run(*words: str) -> str:
        assert main(["zoo", *words]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


def test_help_names_every_view(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["zoo", "--help"])
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    assert words >= set(zoo.TASK_VIEWS)


def names_in(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()[1:]]


def test_the_list_has_a_line_for_each_loss(printed: Printed):
    lines = printed().splitlines()
    assert lines[0].split() == [
        *("name", "branch", "takes", "trains", "formula", "aliases", "properties")
    ]
    fields = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert list(fields) == list(zoo.ZOO)
    assert fields["hinge"] == [
        *("margin", "score", "sigmoid,softmax,cell_classes,masks", "yes", "svm"),
        "nonnegative,zero_at_target,minimum_at_target,convex,symmetric,bounded_gradient",
    ]
    assert fields["wgan_critic"][2:5] == ["-", "-", "wgan,wasserstein"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--branch", "segmentation"], ["dice", "tversky", "mask_iou", "psg"]),
        (["--kind", "log probabilities"], ["kl"]),
        (["--property", "noise_tolerant", "bounded"], ["minimum_empirical_error"]),
        (["--view", "boxes", "--search", "IoU"], ["iou", "giou", "diou", "ciou"]),
        (["--search", "Mean Squared"], ["mse", "rmse", "msle", "rmsle"]),
    ],
)
def test_the_list_is_filtered(printed: Printed, words: list[str], names: list[str]):
    assert names_in(printed(*words)) == names


def test_in_a_terminal_the_list_is_a_table():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    show_list(console, list(zoo.ZOO.values()))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    text = "".join(line[:28].strip() + " " for line in lines)
    for name in zoo.ZOO:
        assert f"{name} " in text
    joined = " ".join(stream.getvalue().split())
    assert "85 losses. Below a name stand its aliases" in joined
    assert "mean_squared_error" in joined


HUBER = r"""huber:delta=0.5
also huber_loss; branch: regression

formula     \begin{cases} \tfrac{1}{2} (f - y)^2 & |f - y| \le \delta \\ \delta \left(|f - y| -"""


def test_a_page_says_what_is_known_of_a_loss(printed: Printed):
    page = printed("Huber:delta=.50")
    assert page.startswith(HUBER)
    for line in (
        "over predictions f and targets y:",
        "0.5 * square(min(abs(f - y), 0.5)) + 0.5 * (abs(f - y) - min(abs(f - y), 0.5))",
        "predictions are real numbers, as the model gives them",
        "one value for each element; the caller takes the mean",
        "delta = 0.5: errors beyond it count linearly",
        "(default 1, 0.001 to 1000; default from: optax)",
        "0 at f = y",
        "convex: convex in the predictions",
        "https://doi.org/10.1214/aoms/1177703732",
        "jaxloss.zoo.huber(predictions, targets, delta=0.5)",
        'jaxloss.zoo.get("huber").bind(delta=0.5)(predictions, targets)',
        "in optax: optax.losses.huber_loss",
        "jaxloss search diabetes --task-loss huber:delta=0.5",
        "jaxloss compare --tasks diabetes --losses huber:delta=0.5",
        "jaxloss search diabetes --seed-from huber:delta=0.5",
        "value over the prediction error f - y, for y = 0",
        "gradient over the prediction error f - y, for y = 0",
        " 0.500 |                                   **************************",
    ):
        assert line in page


def test_code_to_paste_is_exact(printed: Printed):
    page = printed("huber:delta=0.1234567")
    assert "jaxloss.zoo.huber(predictions, targets, delta=0.1234567)" in page
    assert 'jaxloss.zoo.get("huber").bind(delta=0.1234567)(predictions, targets)' in page


def test_a_page_says_logits_or_probabilities_and_which_searches_take_it(printed: Printed):
    page = printed("focal:gamma=1.7")
    assert "predictions are raw logits: the loss applies the sigmoid itself" in page
    assert "not in primitives: squares and roots make powers" in page
    assert "exp(-1.7 * softplus(x))" in page
    assert "gradient, by its logit, over the probability of the label 1" in page
    assert "jaxloss search digits --method cse_autoloss --seed-from focal:gamma=1.7" in page
    assert "jaxloss search digits --seed-from" not in page
    assert "predictions are probabilities, after a sigmoid" in printed("xtreme margin")


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_loss_has_a_page(name: str):
    stream, entry = io.StringIO(), zoo.get(name)
    show_page(Console(file=stream), entry, {}, [])
    page = stream.getvalue()
    said = [name, entry.formula, entry.inputs.scale, entry.source, *entry.aliases]
    said += [one.name for one in entry.parameters]
    said += [f"{one}: " for one in entry.properties]
    said += [f"zoo.{getattr(entry.function, '__name__', '')}("]
    assert all(text in page for text in said)
    assert ("not to be written" in page) == (not entry.forms)
    if not zoo.views_of(entry):
        assert "trains no task: " in page
    assert "{" not in page.replace(entry.formula, "")


def test_a_picture_is_drawn_and_replaces_the_one_before(printed: Printed, tmp_path: Path):
    path = tmp_path / "pictures" / "mae.png"
    assert f"picture:  {path}" in printed("mae", "--picture", str(path))
    first = path.read_bytes()
    assert first.startswith(b"\x89PNG")
    printed("mse", "--picture", str(path))
    assert path.read_bytes() != first
    assert [one.name for one in path.parent.iterdir()] == ["mae.png"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hubr"], "unknown loss 'hubr'; valid, nearest first: huber"),
        (["huber:dleta=1"], "unknown parameter of huber 'dleta'; valid, nearest first: delta"),
        (["huber:delta=0"], "delta of huber must be a number from 0.001 to 1000"),
        (["huber:delta"], "parameters are written NAME=NUMBER, as in huber:delta=1"),
        (["--branch", "margins"], "unknown branch 'margins'; valid, nearest first: margin"),
        (["--kind", "logitz"], "nearest first: logit"),
        (["--property", "convex", "konvex"], "unknown property 'konvex'"),
        (["--view", "softmx"], "unknown view 'softmx'; valid, nearest first: softmax"),
        (["--search", "hubr"], "no name or alias of a loss holds 'hubr'; nearest first: huber"),
        (["--branch", "boxes", "--property", "proper"], "no loss has all of that"),
        (["huber", "--branch", "margin"], "filters are for the list"),
        (["--picture", "x.png"], "name the loss whose curve --picture is to show"),
        (["huber", "--picture", "x.jpg"], "must name a .png file, got 'x.jpg'"),
        (["nt_xent", "--picture", "x.png"], "nt_xent is not drawn"),
        (["huber", "--picture", "file/x.png"], "file/x.png cannot be written"),
        (["huber", "mae"], "mae"),
        (["--colour"], "--colour"),
    ],
)
def test_bad_words_are_one_message(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    expected: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    try:
        code = main(["zoo", *words])
    except SystemExit as stopped:
        code = stopped.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert expected in " ".join(re.sub(r"[╭╮╰╯│─]", " ", err).split())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["zoo", "--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    for option in ("--branch", "--kind", "--property", "--view", "--search", "--picture"):
        assert option in out
    main(["--help"])
    assert "jaxloss zoo [NAME]" in capsys.readouterr().out
