import pytest
from run_helpers import quiet

from jaxloss import LearnedLoss, TreeForm, parse
from jaxloss.runs import formula_words
from jaxloss.runs.loop import run_search
from jaxloss.runs.settings import RunSettings


def test_report_and_terminal_show_what_sympy_makes_of_a_formula(
    draw_settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = parse("sign(f)*abs(f) - f + y*1.25 + log(1.0)")
    loss = LearnedLoss(TreeForm(tree), (1.0,) * (tree.size - 1), "softmax")
    monkeypatch.setattr("run_helpers.LearnedLoss", lambda *_: loss)
    monkeypatch.setattr(formula_words, "SECONDS_TO_SIMPLIFY", 60.0)
    console = quiet()
    result = run_search(draw_settings, console)
    text = (result.folder / "report.md").read_text()
    assert "Simplified by SymPy, /" in text
    assert "```\n1.25*y\n```" in text
    assert "```latex\n1.25 y\n```" in text
    assert "simplified: 1.25*y\n" in getattr(console.file, "getvalue", str)()
    # The formula as it is has its guards explained.
    assert "log(a) stands for ln max(|a|, 1e-7)" in text
    # A form that is not finished is shown too, and called so.
    monkeypatch.setattr(formula_words, "SECONDS_TO_SIMPLIFY", 0.0)
    found = formula_words.simplified(loss)
    assert found is not None
    assert found.remark == " (SymPy was not given the time to finish)"


def test_a_formula_that_sympy_cannot_take_is_shown_as_it_is(
    draw_settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(formula_words, "Simplification", stumble)
    result = run_search(draw_settings, quiet())
    text = (result.folder / "report.md").read_text()
    assert result.loss.formula() in text
    assert "SymPy" not in text
