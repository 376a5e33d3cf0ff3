import base64
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from run_helpers import DrawSettings, Finished, quiet

from jaxloss import LearnedLoss, TreeForm, parse
from jaxloss.losses import forms
from jaxloss.runs.loop import run_search
from jaxloss.runs.paste import paste_code
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
    comparison = finished.result.comparison
    assert comparison is not None
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
    assert result.loss.form == forms.TaskLossForm("cross_entropy")
    for text in (result.report.read_text(), getattr(console.file, "getvalue", str)()):
        assert "Nothing beat the task loss" in text
    # The best learned loss is compared all the same.
    assert result.comparison is not None
    assert result.comparison.learned == result.finalists[1].loss


def _learned(view: str) -> LearnedLoss:
    tree = parse("add(div(sub(f, y), add(y, 1)), sub(sqrt(square(sub(y, f))), log(max(f, -1))))")
    weights = tuple(np.random.default_rng(0).uniform(0.5, 1.5, tree.size - 1).tolist())
    return LearnedLoss(TreeForm(tree), weights, view)


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
