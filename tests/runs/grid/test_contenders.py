"""Tests of what a row of a comparison is on one problem."""

import pytest

from jaxloss.runs.grid.cells import Row
from jaxloss.runs.grid.contenders import HandMade, Unfit, contender, example_of
from jaxloss.runs.grid.settings import grid_settings
from jaxloss.tasks.registry import load_task
from jaxloss.tasks.settings import TaskSettings


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ("mae", None),
        ("cosine", "one output has none"),
        ("focal", "view identity"),
    ],
)
def test_a_hand_made_loss_serves_a_problem_or_is_left_out_with_the_reason(
    loss: str, reason: str | None
):
    task = load_task("diabetes", TaskSettings(model="linear"))
    settings = grid_settings({"methods": [], "losses": [loss], "out": "nowhere"})
    found = contender(Row(loss, learned=False), settings, task, example_of(task))
    if reason is None:
        assert isinstance(found, HandMade)
    else:
        assert isinstance(found, Unfit)
        assert reason in found.reason
