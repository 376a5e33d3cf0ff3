import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from run_helpers import DrawSettings, Finished, quiet

from jaxloss import LearnedLoss, PrimitiveSet, TreeForm, parse
from jaxloss.losses import AdaptiveForm, NetworkForm, OnlineForm, TaylorForm, ZooForm
from jaxloss.losses.export import export_code, zoo_bodies
from jaxloss.losses.views import view_named
from jaxloss.runs.document import Paragraph, Picture, Table
from jaxloss.runs.loop import run_search
from jaxloss.runs.plots import loss_picture
from jaxloss.runs.records import GenerationRecord
from jaxloss.runs.sections import funnel_section, paste_section
from jaxloss.runs.settings import RunSettings

PNG = b"\x89PNG\r\n\x1a\n"


class _Page(HTMLParser):
    """Collects what a browser would load and what a person would read."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _page(finished: Finished) -> _Page:
    page = _Page()
    page.feed(finished.result.report.read_text())
    return page


def test_the_page_needs_nothing_else(finished: Finished) -> None:
    page = _page(finished)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert page.tags.count("img") == 4
    for source in page.sources:
        prefix, _, data = source.partition(",")
        assert prefix == "data:image/png;base64"
        assert base64.b64decode(data).startswith(PNG)


def test_the_page_holds_formula_table_and_code(finished: Finished) -> None:
    text = "\n".join(_page(finished).texts)
    (comparison,) = finished.result.comparisons
    assert finished.result.loss.formula() in text
    assert export_code(finished.result.loss, "optax") in text
    assert export_code(finished.result.loss, "torch") in text
    for value in (*comparison.task_trials.test, *comparison.learned_trials.test):
        assert f"{float(value):#.4g}" in text
    for finalist in finished.result.finalists:
        assert finalist.loss.formula() in text


def test_markdown_names_pictures_that_exist(finished: Finished) -> None:
    text = (finished.result.folder / "report.md").read_text()
    names = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(names) == 4
    for name in names:
        assert (finished.result.folder / name).read_bytes().startswith(PNG)
    assert finished.result.loss.formula() in text


def test_the_page_says_when_nothing_beat_the_task_loss(draw_settings: RunSettings) -> None:
    assert isinstance(draw_settings.search, DrawSettings)
    search = replace(draw_settings.search, task_loss_wins=True)
    console = quiet()
    result = run_search(replace(draw_settings, search=search), console)
    assert not result.learned
    assert result.loss.form == ZooForm("cross_entropy", "softmax")
    for text in (result.report.read_text(), getattr(console.file, "getvalue", str)()):
        assert "Nothing beat the task loss" in text
    # The best learned loss is compared all the same.
    (comparison,) = result.comparisons
    assert comparison.learned == result.finalists[1].loss


def test_every_task_has_its_own_evidence(draw_settings: RunSettings) -> None:
    problem = replace(draw_settings.problem, model="linear,mlp:2")
    console = quiet()
    result = run_search(replace(draw_settings, problem=problem), console)
    report, printed = result.report.read_text(), getattr(console.file, "getvalue", str)()
    for number, model in enumerate(("linear", "mlp:2"), 1):
        assert f"Comparison with the task loss: wine, {model}" in report
        assert (result.folder / f"pictures/training-{number}.png").read_bytes().startswith(PNG)
        assert printed.count(f"wine, {model}\n") == 1
    assert len(json.loads((result.folder / "results.json").read_text())["comparisons"]) == 2
    assert not (result.folder / "pictures/change.png").exists()


OtherForm = TaylorForm | NetworkForm | AdaptiveForm | OnlineForm
OTHER_FORMS: tuple[OtherForm, ...] = (
    TaylorForm(),
    NetworkForm((3, 2), biases=True),
    AdaptiveForm(),
    OnlineForm(NetworkForm((2,), activation="smooth_leaky_relu")),
)


def _drawn(form: OtherForm, view: str) -> LearnedLoss:
    names = view_named(view).variables
    if isinstance(form, OnlineForm):
        form = replace(form, base=replace(form.base, variables=names))
    else:
        form = replace(form, variables=names)
    numbers = np.random.default_rng(0).uniform(0.5, 1.5, form.parameter_count)
    return LearnedLoss(form, tuple(numbers.tolist()), view)


def test_a_report_says_when_a_loss_has_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = LearnedLoss(ZooForm("label_smoothing", "softmax"), (), "softmax")
    heading, words, source, *_ = paste_section(loss)
    assert "jnp.mean(label_smoothing_loss(outputs, targets))" in str(words)
    assert "def label_smoothing_loss(outputs, targets):" in str(source)
    # As if nobody had written it for other libraries: the primitives cannot say it.
    monkeypatch.delitem(zoo_bodies.BODIES, "label_smoothing")
    found = paste_section(loss)
    assert found[0] == heading
    assert [type(block) for block in found[1:]] == [Paragraph]
    assert "no export to optax: label_smoothing has no source" in str(found[1])
    assert "these targets work: latex, stablehlo, json" in str(found[1])


@pytest.mark.parametrize("form", OTHER_FORMS[:2], ids=lambda form: form.kind)
def test_the_page_shows_losses_of_other_families(
    draw_settings: RunSettings, form: OtherForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = _drawn(form, "softmax")
    monkeypatch.setattr("run_helpers.LearnedLoss", lambda *_: loss)
    console = quiet()
    result = run_search(draw_settings, console)
    assert result.learned
    assert result.loss == loss
    page = _Page()
    page.feed(result.report.read_text())
    text = "\n".join(page.texts)
    assert loss.formula() in text
    assert export_code(loss, "torch") in text
    # One loss makes no front to be drawn; how it changed is drawn if the records have no formula.
    assert page.tags.count("img") == (3 if loss.is_symbolic else 4)
    assert ("How the loss changed" in text) is not loss.is_symbolic
    assert ("SymPy" in text) == ("simplified: " in _printed(console)) == loss.is_symbolic
    assert loss.formula() in _printed(console)


@pytest.mark.parametrize(("averages", "how"), [(False, "summed"), (True, "averaged")])
def test_page_and_code_say_how_values_are_reduced(
    averages: bool, how: str, draw_settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = NetworkForm((2,), variables=("f", "y"), averages=averages)
    loss = _drawn(form, "softmax")
    monkeypatch.setattr("run_helpers.LearnedLoss", lambda *_: loss)
    page = run_search(draw_settings, quiet()).report.read_text()
    assert f"values are {how} over the classes. loss.json" in page
    code = " ".join(export_code(loss, "torch").replace("#", " ").split())
    assert f"values are {how} over the classes." in code


def _printed(console: Console) -> str:
    return getattr(console.file, "getvalue", str)()


def _box_loss() -> LearnedLoss:
    form = NetworkForm((2,), variables=("i", "u", "e"))
    # Areas are in the hundreds.
    return LearnedLoss(form, (-0.002, 0.001, 0.001, 0.002, -0.001, 0.003, 1.0, 0.5), "boxes")


def _anchor_loss() -> LearnedLoss:
    tree = parse("mul(square(d), y) - mul(sqrt(d), 1 - y)", PrimitiveSet(variables=("d", "y")))
    return LearnedLoss(TreeForm(tree, ("d", "y")), (0.7,) * (tree.size - 1), "anchors")


@pytest.mark.parametrize(
    "view", ["softmax", "sigmoid", "identity", "logits", "boxes", "anchors", "masks"]
)
def test_curves_are_drawn_for_every_view(view: str, tmp_path: Path) -> None:
    own = {"boxes": _box_loss(), "anchors": _anchor_loss()}
    loss = own[view] if view in own else _drawn(OTHER_FORMS[1], view)
    loss_picture(tmp_path / "loss.png", loss, replace(loss, parameters=loss.parameters[::-1]))
    assert (tmp_path / "loss.png").read_bytes().startswith(PNG)


CSE_FILTERS: tuple[str, ...] = ("archive", "not converging", "poor in simulation", "not finite")


def _funnel(*dropped: dict[str, int]) -> list[tuple[tuple[str, ...], ...]]:
    """Finds the tables about generations of 40 candidates."""
    records = [
        GenerationRecord(number, None, None, None, 40, 40 - sum(own.values()), own, 100, None, 1.0)
        for number, own in enumerate(dropped, 1)
    ]
    blocks = funnel_section(records, {"fitness": Picture(Path("fitness.png"), "")})
    return [block.rows for block in blocks if isinstance(block, Table)]


def test_the_filters_of_cse_autoloss_make_a_funnel() -> None:
    numbers = (4, 30, 1, 2), (10, 20, 7, 0)
    counts, stages = _funnel(*(dict(zip(CSE_FILTERS, own, strict=True)) for own in numbers))
    assert [row[1] for row in counts] == ["80", "14", "50", "8", "6", "2"]
    # By hand: 80, less 14, less 50, less 8, less 2.
    assert [row[1:] for row in stages] == [
        ("80", "100 %"),
        ("66", "82 %"),
        ("16", "20 %"),
        ("8", "10 %"),
        ("6", "7.5 %"),
    ]
    assert "promising in simulation" in stages[3][0]
    # Every digit of a whole.
    _, stages = _funnel(dict.fromkeys(CSE_FILTERS, 0))
    assert {row[1:] for row in stages} == {("40", "100 %")}
    # Filters of other methods do not come one after the other.
    assert len(_funnel({"archive": 4, "not finite": 1})) == 1
