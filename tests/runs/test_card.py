"""The page of a loss card, and what the command does when something cannot be used."""

import base64
import re
import time
from pathlib import Path

import pytest

from jaxloss import LearnedLoss, NetworkForm, TreeForm, parse, zoo
from jaxloss.cli import main
from jaxloss.losses import ZooForm, zoo_form
from jaxloss.losses.card import CLASS_VIEWS, Explanation
from jaxloss.runs.card import card_folder, card_views, explained, write_card
from jaxloss.runs.card_pictures import beliefs_picture, compared_picture, formula_picture
from jaxloss.runs.card_words import VIEW_TITLES, grouped, verdict
from jaxloss.runs.given import given_loss
from jaxloss.runs.simplify import Simplification
from jaxloss.symbols.detection_primitives import BOX_PRIMITIVES

ABSOLUTE = "abs(log(1.1*y*f))"
PNG = b"\x89PNG\r\n\x1a\n"


def test_a_page_holds_what_was_found_and_needs_no_other_file(tmp_path: Path):
    card = write_card(given_loss(ABSOLUTE), tmp_path / "card", classes=3)
    page, text = card.page.read_text(), card.text.read_text()
    assert list(card.explanations) == ["identity", "softmax"]
    for explanation in card.explanations.values():
        assert verdict(explanation) in text
        for findings in grouped(explanation).values():
            for finding in findings:
                assert finding.question in page
                assert finding.statement.replace("|", "\\|") in text
    assert "it asks for p = 0.9091 and no more (xi = 0.136)" in page
    assert r"\log{\left(1.1" in text
    assert "def learned_loss(outputs, targets):" in text
    images = re.findall(r'<img src="([^"]*)"', page)
    assert len(images) == 7
    for image in images:
        assert image.startswith("data:image/png;base64,")
        assert base64.b64decode(image.partition(",")[2]).startswith(PNG)
    for name in re.findall(r"!\[.*\]\((.*)\)", text):
        assert (card.text.parent / name).read_bytes().startswith(PNG)


def test_the_command_explains_what_is_undefined_in_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["card", "msle", "--out", str(tmp_path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "msle" / "card.html").read_text()
    assert "Not defined everywhere: no finite value for f up to -1" in printed
    assert str(tmp_path / "msle" / "card.md") in printed
    assert "no finite value for f up to -1" in page
    assert "unlike the registry" not in page
    # An earlier card of the same loss is replaced.
    (tmp_path / "msle" / "pictures" / "old.png").write_bytes(PNG)
    assert main(["card", "msle", "--out", str(tmp_path)]) == 0
    assert not (tmp_path / "msle" / "pictures" / "old.png").exists()


def test_a_loss_that_compares_no_targets_gets_a_shorter_page(tmp_path: Path):
    card = write_card(given_loss("wgan_generator"), tmp_path / "card", classes=3)
    text = card.text.read_text()
    assert list(card.explanations) == [None]
    assert "It is unbounded below" in text
    assert "| unbounded_below | yes | yes |" in text
    assert "lsgan_generator" in text
    assert 'zoo.get("wgan_generator").bind()' in text


def test_a_saved_network_gets_a_page(tmp_path: Path):
    form = NetworkForm(widths=(4,))
    numbers = tuple(0.1 * (place - 5) for place in range(form.parameter_count))
    path = tmp_path / "loss.json"
    path.write_text(LearnedLoss(form, numbers, "softmax").to_json())
    given = given_loss(str(path))
    card = write_card(given, card_folder(given, tmp_path), classes=3)
    text = card.text.read_text()
    assert list(card.explanations) == ["softmax"]
    assert "It is no formula." in text
    assert "def learned_loss(outputs, targets):" in text
    assert "Simplified" not in text
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "loss.json").write_text(path.read_text())
    assert card_folder(given_loss(str(folder / "loss.json")), tmp_path) != card.page.parent


@pytest.mark.parametrize(
    ("text", "views"),
    [
        ("mae", ("identity", "softmax")),
        ("hinge", ("sigmoid",)),
        ("binary_cross_entropy", ("sigmoid",)),
        ("cross_entropy", ("softmax",)),
        ("giou", ("boxes",)),
        ("abs(f - y)", ("identity", "softmax")),
        ("softplus(x) - x*y", ("logits",)),
        ("1 - ratio(i, u)", ("boxes",)),
        ("triplet", ()),
    ],
)
def test_a_card_shows_each_kind_of_task_once(text: str, views: tuple[str, ...]):
    assert card_views(given_loss(text)) == views
    assert set(views) <= set(VIEW_TITLES)


def test_a_view_narrows_a_card():
    assert card_views(given_loss("mae", "sigmoid")) == ("sigmoid",)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["card"], "name a loss"),
        (["card", "hubber"], "nearest first: huber"),
        (["card", "huber", "--view", "boxes"], "cannot train a task of view boxes"),
        (["card", "huber", "--view", "sofmax"], "nearest first: softmax"),
        (["card", "huber:delta=-1"], "delta of huber must be"),
        (["card", "mse", "--classes", "1"], "classes must be from 2 to 1000, got 1"),
        (["card", "triplet", "--classes", "1"], "classes must be from 2 to 1000, got 1"),
        (["card", "mae", "--view", "logits"], "logits is no view of tasks"),
        (["card", "abs(f - "], "position"),
        (["card", "no.json"], "no.json cannot be read"),
        (["card", "mse", "--clases", "4"], "--clases"),
    ],
)
def test_bad_words_are_one_message_and_leave_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected: str,
):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words)
    except SystemExit as stopped:
        code = stopped.code
    printed = capsys.readouterr()
    assert code == 2
    assert expected in " ".join(printed.err.split())
    assert "Traceback" not in printed.err
    assert list(tmp_path.iterdir()) == []


def test_every_loss_has_a_folder_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    texts = (
        *("barron:alpha=2", "barron:alpha=-2", "barron:alpha=2.0000001", "barron:alpha=2:scale=2"),
        *("f - y", "f-y", "y - f", "huber", "huber:delta=0.5"),
    )
    folders = [card_folder(given_loss(text), tmp_path) for text in texts]
    assert len(set(folders)) == len(texts)
    assert folders[0] == tmp_path / "barron-alpha-2"
    monkeypatch.chdir(tmp_path)
    Path("loss.json").write_text(given_loss("f - y").first.to_json())
    assert main(["card", "loss.json", "./loss.json"]) == 2
    assert "loss.json and ./loss.json would share the folder" in capsys.readouterr().err


def test_a_folder_with_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "mse").mkdir()
    (tmp_path / "mse" / "thesis.md").write_text("mine")
    # Nothing is written of the first loss either.
    assert main(["card", "mae", "mse", "--out", str(tmp_path)]) == 2
    assert "holds something else than a loss card" in capsys.readouterr().err
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["mse", "thesis.md"]
    (tmp_path / "mae").write_text("a file")
    assert main(["card", "mae", "--out", str(tmp_path)]) == 2
    assert "is a file" in capsys.readouterr().err


def test_sympy_is_stopped_in_time_and_otherwise_heard():
    with Simplification(parse("sign(f)*abs(f) - f + y*1.25").sympy()) as simplification:
        found = simplification.result(60.0)
    # sign(f)·|f| = f.
    assert (found.text, found.finished) == ("1.25*y", True)
    hard = parse("square(tanh(f + y) - tanh(f)) / log(min(f, y) + tanh(f * y))").sympy()
    start = time.monotonic()
    with Simplification(hard) as simplification:
        unfinished = simplification.result(0.0)
    assert time.monotonic() - start < 5.0
    assert (unfinished.text, unfinished.finished) == (str(hard), False)


def test_formulas_that_cannot_be_set_are_not_drawn(tmp_path: Path):
    # Matplotlib sets fractions, but no cases.
    assert formula_picture(tmp_path / "iou.png", zoo.get("iou").formula)
    assert not formula_picture(tmp_path / "huber.png", zoo.get("huber").formula)
    assert [path.name for path in tmp_path.iterdir()] == ["iou.png"]


def test_losses_can_be_drawn_over_each_other(tmp_path: Path):
    # Of one width the zoo's gradients are computed once.
    losses = {text: explained(given_loss(text), 3)["softmax"] for text in ("mae", ABSOLUTE)}
    for name, draw in (("curves.png", compared_picture), ("beliefs.png", beliefs_picture)):
        draw(tmp_path / name, losses)
        assert (tmp_path / name).read_bytes().startswith(PNG)
    assert set(CLASS_VIEWS) < set(VIEW_TITLES)


@pytest.mark.parametrize(
    ("view", "form", "like"),
    [
        (
            "cell_boxes",
            TreeForm(parse("sub(1, ratio(i, u))", BOX_PRIMITIVES), ("i", "u", "e")),
            "boxes",
        ),
        ("cell_boxes", zoo_form("iou", "cell_boxes"), "boxes"),
        ("cell_classes", zoo_form("cross_entropy", "cell_classes"), "softmax"),
    ],
)
def test_a_loss_of_the_cells_of_a_detector_is_explained_as_one_of_a_cell(
    tmp_path: Path, view: str, form: TreeForm | ZooForm, like: str
):
    saved = tmp_path / "loss.json"
    saved.write_text(LearnedLoss(form, (1.0,) * form.parameter_count, view).to_json())
    (name, explanation), *others = explained(given_loss(str(saved)), 3).items()
    assert not others
    assert name == explanation.view == like
    assert explanation.finding("minimum_at_target").answer == "yes"


@pytest.mark.parametrize(("name", "of"), [("cse_a_class", "cell_classes"), ("cam", "anchors")])
def test_a_saved_loss_that_takes_more_than_one_element_shows_has_the_card_of_its_name(
    tmp_path: Path, name: str, of: str
):
    saved = tmp_path / "loss.json"
    saved.write_text(LearnedLoss(zoo_form(name, of), (), of).to_json())
    ((view, found),) = explained(given_loss(str(saved)), 3).items()
    ((expected_view, expected),) = explained(given_loss(name), 3).items()
    assert view == expected_view
    assert [one.statement for one in found.findings] == [one.statement for one in expected.findings]


def test_a_saved_loss_of_masks_is_explained_by_one_pixel(tmp_path: Path):
    def saved(loss: LearnedLoss) -> str:
        path = tmp_path / "loss.json"
        path.write_text(loss.to_json())
        return str(path)

    def statements(explanation: Explanation) -> list[str]:
        return [finding.statement for finding in explanation.findings]

    formula = given_loss("square(f - y)", "masks").first
    ((view, found),) = explained(given_loss(saved(formula)), 3).items()
    assert view == "sigmoid"
    of_one = explained(given_loss("square(f - y)", "sigmoid"), 3)["sigmoid"]
    assert statements(found) == statements(of_one)
    # One pixel under the sigmoid; mse on values would be convex.
    squared = given_loss("mse", "masks")
    ((view, named),) = explained(squared, 3).items()
    ((_, found),) = explained(given_loss(saved(squared.first)), 3).items()
    assert (view, named.finding("convex").holds) == ("sigmoid", False)
    assert statements(named) == statements(found)
    entropy = given_loss("binary_cross_entropy", "masks").first
    proper = explained(given_loss(saved(entropy)), 3)["sigmoid"].finding("proper")
    assert proper.holds
    # The root of a mean over pixels is none of a single one.
    ((view, found),) = explained(given_loss("rmse", "masks"), 3).items()
    assert view is None
    assert not any(finding.topic == "proper" for finding in found.findings)
    # Dice takes a mask as a whole.
    dice = given_loss("dice", "masks").first
    ((view, found),) = explained(given_loss(saved(dice)), 3).items()
    assert view is None
    assert statements(found) == statements(explained(given_loss("dice"), 3)[None])
