import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from rich.console import Console
from run_helpers import DrawSettings, Finished, quiet

from jaxloss import LearnedLoss, PrimitiveSet, TreeForm, parse
from jaxloss.losses import AdaptiveForm, NetworkForm, OnlineForm, TaylorForm, ZooForm
from jaxloss.losses.views import view_named
from jaxloss.runs.document import as_markdown
from jaxloss.runs.loop import run_search
from jaxloss.runs.paste import paste_code
from jaxloss.runs.plots import loss_picture
from jaxloss.runs.sections import paste_section
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
    assert finished.result.loss.latex() in text
    assert paste_code(finished.result.loss, "jax") in text
    assert paste_code(finished.result.loss, "torch") in text
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


def _learned(view: str) -> LearnedLoss:
    tree = parse("add(div(sub(f, y), add(y, 1)), sub(sqrt(square(sub(y, f))), log(max(f, -1))))")
    weights = tuple(np.random.default_rng(0).uniform(0.5, 1.5, tree.size - 1).tolist())
    return LearnedLoss(TreeForm(tree), weights, view)


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


@pytest.mark.parametrize(
    ("view", "outputs", "targets"),
    [
        ("softmax", np.linspace(-2, 2, 12).reshape(4, 3), np.array([0, 2, 1, 1])),
        ("softmax", np.linspace(-2, 2, 12).reshape(4, 3), np.eye(3)[[0, 2, 1, 1]]),
        ("sigmoid", np.linspace(-2, 2, 4)[:, None], np.array([0, 1, 1, 0])),
        ("identity", np.linspace(-2, 2, 4)[:, None], np.linspace(0, 3, 4)),
        ("identity", np.linspace(-2, 2, 8).reshape(4, 2), np.linspace(0, 3, 8).reshape(4, 2)),
        ("identity", np.linspace(-2, 2, 4), np.linspace(0, 3, 4)),
    ],
)
def test_the_pasted_function_is_the_loss(
    view: str, outputs: np.ndarray, targets: np.ndarray
) -> None:
    loss = _learned(view)
    names: dict = {}
    exec(paste_code(loss, "jax"), names)
    _assert_same_function(
        names["learned_loss"], loss, jnp.asarray(outputs, jnp.float32), jnp.asarray(targets)
    )


@pytest.mark.parametrize("view", ["softmax", "sigmoid", "identity", "logits"])
@pytest.mark.parametrize("form", OTHER_FORMS, ids=lambda form: form.kind)
def test_the_pasted_function_is_any_loss(view: str, form: OtherForm) -> None:
    loss = _drawn(form, view)
    of_classes = view in ("softmax", "logits")
    outputs = jnp.linspace(-2, 2, 12 if of_classes else 4).reshape(4, -1)
    targets = jnp.asarray([0, 2, 1, 1] if of_classes else [0, 1, 1, 0])
    names: dict = {}
    exec(paste_code(loss, "jax"), names)
    pasted = names["learned_loss"]
    np.testing.assert_allclose(pasted(outputs, targets), loss(outputs, targets), rtol=1e-6)
    _assert_same_function(pasted, loss, outputs, targets)


@pytest.mark.parametrize("view", ["softmax", "sigmoid", "identity", "logits"])
@pytest.mark.parametrize("form", OTHER_FORMS, ids=lambda form: form.kind)
def test_the_pasted_torch_function_is_any_loss(view: str, form: OtherForm) -> None:
    torch = pytest.importorskip("torch", reason="torch is no dependency; its source is checked")
    loss = _drawn(form, view)
    of_classes = view in ("softmax", "logits")
    outputs = np.linspace(-2, 2, 12 if of_classes else 4, dtype=np.float32).reshape(4, -1)
    targets = np.array([0, 2, 1, 1] if of_classes else [0, 1, 1, 0])
    names: dict = {}
    exec(paste_code(loss, "torch"), names)
    values = names["learned_loss"](torch.from_numpy(outputs), torch.from_numpy(targets))
    expected = loss(jnp.asarray(outputs), jnp.asarray(targets))
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-5)


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
    assert paste_code(loss, "torch") in text
    # One loss makes no front to be drawn; how it changed is drawn if the records have no formula.
    assert page.tags.count("img") == (3 if loss.is_symbolic else 4)
    assert ("How the loss changed" in text) is not loss.is_symbolic
    assert ("SymPy" in text) == ("simplified: " in _printed(console)) == loss.is_symbolic
    assert loss.formula() in _printed(console)


def _printed(console: Console) -> str:
    return getattr(console.file, "getvalue", str)()


def _box_loss() -> LearnedLoss:
    form = NetworkForm((2,), variables=("i", "u", "e"))
    # Areas are in the hundreds.
    return LearnedLoss(form, (-0.002, 0.001, 0.001, 0.002, -0.001, 0.003, 1.0, 0.5), "boxes")


BOX_OUTPUTS = np.array([[0, 0, 0, 0], [0.1, -0.2, 0.5, 0], [2, 2, -1, 1]], np.float32)
BOX_TARGETS = np.array([[24, 24, 40, 40], [20, 24, 42, 40], [1, 1, 9, 5]], np.float32)


def test_the_pasted_function_is_a_loss_of_boxes() -> None:
    names: dict = {}
    exec(paste_code(_box_loss(), "jax"), names)
    outputs, targets = jnp.asarray(BOX_OUTPUTS), jnp.asarray(BOX_TARGETS)
    _assert_same_function(names["learned_loss"], _box_loss(), outputs, targets)


def test_the_pasted_torch_function_is_a_loss_of_boxes() -> None:
    torch = pytest.importorskip("torch", reason="torch is no dependency; its source is checked")
    names: dict = {}
    exec(paste_code(_box_loss(), "torch"), names)
    values = names["learned_loss"](torch.from_numpy(BOX_OUTPUTS), torch.from_numpy(BOX_TARGETS))
    expected = _box_loss()(jnp.asarray(BOX_OUTPUTS), jnp.asarray(BOX_TARGETS))
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-5)


def _anchor_loss() -> LearnedLoss:
    tree = parse("mul(square(d), y) - mul(sqrt(d), 1 - y)", PrimitiveSet(variables=("d", "y")))
    return LearnedLoss(TreeForm(tree, ("d", "y")), (0.7,) * (tree.size - 1), "anchors")


# The first embedding lies on its own anchor.
ANCHORED_OUTPUTS = np.array(
    [[[0, 0], [0, 0], [3, 1]], [[1, -2], [0, 0], [3, 1]], [[3, 0.5], [0, 0], [3, 1]]], np.float32
)


def test_the_pasted_functions_are_losses_of_distances_to_anchors() -> None:
    targets, names = np.array([0, 0, 1]), dict[str, Any]()
    exec(paste_code(_anchor_loss(), "jax"), names)
    outputs = jnp.asarray(ANCHORED_OUTPUTS)
    _assert_same_function(names["learned_loss"], _anchor_loss(), outputs, jnp.asarray(targets))
    torch = pytest.importorskip("torch", reason="torch is no dependency; its source is checked")
    exec(paste_code(_anchor_loss(), "torch"), names)
    drawn = torch.from_numpy(ANCHORED_OUTPUTS).requires_grad_()
    values = names["learned_loss"](drawn, torch.from_numpy(targets))
    expected = _anchor_loss()(outputs, jnp.asarray(targets))
    np.testing.assert_allclose(values.detach().numpy(), expected, rtol=1e-5)
    values.sum().backward()
    assert bool(torch.isfinite(drawn.grad).all())


def test_a_usual_loss_without_a_formula_is_named_in_the_place_of_code() -> None:
    usual = LearnedLoss(ZooForm("cam", "anchors"), (), "anchors")
    text = as_markdown("", paste_section(usual), Path())
    assert 'zoo.as_task_loss(zoo.get("cam"), "anchors")(outputs, targets)' in text
    assert "def learned_loss" not in text


@pytest.mark.parametrize("view", ["softmax", "sigmoid", "identity", "logits", "boxes", "anchors"])
def test_curves_are_drawn_for_every_view(view: str, tmp_path: Path) -> None:
    own = {"boxes": _box_loss(), "anchors": _anchor_loss()}
    loss = own[view] if view in own else _drawn(OTHER_FORMS[1], view)
    loss_picture(tmp_path / "loss.png", loss, replace(loss, parameters=loss.parameters[::-1]))
    assert (tmp_path / "loss.png").read_bytes().startswith(PNG)


def _assert_same_function(
    pasted: Callable[[Array, Array], Array], loss: LearnedLoss, outputs: Array, targets: Array
) -> None:
    np.testing.assert_allclose(pasted(outputs, targets), loss(outputs, targets), rtol=1e-5)
    gradients = [
        jax.grad(lambda values, function=function: jnp.mean(function(values, targets)))(outputs)
        for function in (pasted, loss)
    ]
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("view", ["softmax", "sigmoid", "identity"])
def test_the_torch_source_is_python(view: str) -> None:
    source = paste_code(_learned(view), "torch")
    compile(source, "learned_loss.py", "exec")
    assert "jnp" not in source
    assert "import torch" in source
