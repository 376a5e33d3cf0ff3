import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from run_helpers import Finished, quiet

from jaxloss import InvalidInputError, LearnedLoss, TaskSettings, TreeForm, parse
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.losses import ZooForm
from jaxloss.runs.evaluation import EvaluationSettings, evaluate, learned_on


@pytest.fixture
def settings(finished: Finished, tmp_path: Path) -> EvaluationSettings:
    return EvaluationSettings(
        losses=(str(finished.result.folder / "loss.json"),),
        problem=TaskSettings(model="linear"),
        steps=10,
        seeds=3,
        out=str(tmp_path / "deep" / "results.json"),
    )


def test_a_saved_loss_is_compared_again(settings: EvaluationSettings, finished: Finished) -> None:
    (comparison,) = evaluate(settings, quiet())
    (before,) = finished.result.comparisons
    assert comparison.seeds == 3
    assert comparison.learned == finished.result.loss
    # Fresh seeds: nothing of the run is repeated.
    assert not set(comparison.task_trials.test) & set(before.task_trials.test)
    assert settings.out is not None
    data = json.loads(Path(settings.out).read_text())
    np.testing.assert_allclose(
        data["comparisons"][0]["learned_loss"]["test"]["seeds"], comparison.learned_trials.test
    )


def test_a_loss_equal_to_the_task_loss_makes_no_difference(
    settings: EvaluationSettings, tmp_path: Path
) -> None:
    path = tmp_path / "mse.json"
    path.write_text(LearnedLoss(ZooForm("mse", "identity"), (), "identity").to_json())
    (comparison,) = evaluate(replace(settings, losses=(str(path),), out=None), quiet())
    np.testing.assert_array_equal(comparison.learned_trials.test, comparison.task_trials.test)
    assert comparison.test.p == 1.0


def test_a_loss_moves_to_another_task_of_its_kind(
    settings: EvaluationSettings, tmp_path: Path
) -> None:
    path = tmp_path / "loss.json"
    loss = LearnedLoss(TreeForm(parse("square(sub(f, y))")), (1.0, 1.0, 1.0), "softmax")
    path.write_text(loss.to_json())
    other = replace(settings, losses=(str(path),), task="wine", out=None)
    assert evaluate(other, quiet())[0].metric == "error_rate"
    with pytest.raises(InvalidInputError, match=r"class probabilities.*predicted values"):
        evaluate(replace(other, task="diabetes"), quiet())


def test_the_run_around_a_loss_says_what_it_was_for(finished: Finished, tmp_path: Path) -> None:
    known = learned_on(finished.result.folder / "loss.json")
    assert known.task == "diabetes"
    assert known.problem == finished.settings.problem
    assert known.steps == finished.settings.search.trial.steps
    alone = tmp_path / "loss.json"
    alone.write_bytes((finished.result.folder / "loss.json").read_bytes())
    known = learned_on(alone)
    assert known.task == "diabetes"
    assert known.problem == TaskSettings()
    assert known.optimizer == BaseOptimizerSettings()


def test_several_losses_are_ranked_beside_the_task_loss(settings: EvaluationSettings) -> None:
    console = quiet()
    losses = ("mae", "square(f - y)", "y - f")
    found = evaluate(replace(settings, losses=losses, out=None), console)
    assert [comparison.learned.formula() for comparison in found] == [
        "abs(f - y)",
        "square(f - y)",
        "y - f",
    ]
    # The task loss is trained once, and a formula that says the same gives the same.
    assert all(one.task_trials is found[0].task_trials for one in found)
    np.testing.assert_allclose(found[1].learned_trials.test, found[1].task_trials.test, rtol=1e-4)
    printed = getattr(console.file, "getvalue", str)()
    assert printed.index("task loss: square(f - y)") < printed.index("y - f ")
    assert "corrected for 3 comparisons" in " ".join(printed.split())


def test_where_nothing_can_be_written_nothing_is_trained(
    settings: EvaluationSettings, tmp_path: Path
) -> None:
    console = quiet()
    (tmp_path / "file").write_text("")
    mine = tmp_path / "loss.json"
    mine.write_text(LearnedLoss(ZooForm("mse", "identity"), (), "identity").to_json())
    before = mine.read_bytes()
    for out, message in [
        (tmp_path, "is a folder; name a file with --out"),
        (tmp_path / "file/results.json", "cannot be written"),
        (mine, "is the loss itself; name another file"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            evaluate(replace(settings, losses=(str(mine),), out=str(out)), console)
    assert mine.read_bytes() == before
    assert not getattr(console.file, "getvalue", str)()


@pytest.mark.parametrize("change", [{"seeds": 1}, {"steps": 0}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(
    settings: EvaluationSettings, change: dict[str, int]
) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(change))):
        replace(settings, **change)
