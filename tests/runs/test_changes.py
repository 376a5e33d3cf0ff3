from pathlib import Path

from run_helpers import QUICK_TRIAL, quiet

from jaxloss import AdaLFLSettings, FitnessSettings, LocalSearchSettings, TaskSettings
from jaxloss.runs.evaluation import EvaluationSettings, evaluate, learned_on
from jaxloss.runs.loop import run_search
from jaxloss.runs.settings import RunSettings


def test_a_loss_that_is_no_formula_is_drawn_as_it_changed(tmp_path: Path) -> None:
    search = AdaLFLSettings(
        generations=2,
        online_generations=2,
        tuning=LocalSearchSettings(meta_steps=2),
        fitness=FitnessSettings(steps=5),
        trial=QUICK_TRIAL,
    )
    problem = TaskSettings(model="linear")
    settings = RunSettings("wine", problem, "adalfl", search, out=str(tmp_path / "run"))
    result = run_search(settings, quiet())
    report = (result.folder / "report.md").read_text()
    assert "## How the loss changed" in report
    assert "In the last 2 generations the loss goes on learning" in report
    assert "No candidate was dropped" in report
    assert (result.folder / "pictures/change.png").read_bytes().startswith(b"\x89PNG")
    # The report of a run can be followed by an evaluation of what it hands over.
    known = learned_on(result.folder / "loss.json")
    path = str(result.folder / "loss.json")
    settings = EvaluationSettings((path,), "wine", known.problem, steps=5, seeds=2)
    (again,) = evaluate(settings, quiet())
    assert again.learned == result.loss
