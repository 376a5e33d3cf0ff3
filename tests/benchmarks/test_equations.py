"""What the benchmark of equations concludes from its rows."""

from typing import Any

import pytest
from equations import OUTSIDE, verdict

from jaxloss.tasks.pde import PDES


def row(equation: str, loss: str, times: float, fitness: float | None) -> dict[str, Any]:
    return {"equation": equation, "loss": loss, "times": times, "fitness": fitness}


@pytest.mark.parametrize(("times", "word"), [(2.0, "Met: on 2 of 2"), (1.9, "Not met: on 1 of 2")])
def test_the_loss_that_was_fitter_inside_counts(times: float, word: str):
    rows = [
        row("burgers", "mae", 9.0, None),
        row("burgers", "lal", times, 0.1),
        row("burgers", "ffn", 5.0, 0.2),
        row("advection", "lal", 0.5, 0.3),
        row("advection", "ffn", 2.5, 0.2),
    ]
    assert word in verdict(rows)
    assert f"burgers {times:.2f} (lal), advection 2.50 (ffn)" in verdict(rows)


def test_every_family_is_tried_outside_its_range():
    assert set(OUTSIDE) == set(PDES)
    for name, words in OUTSIDE.items():
        parameter, _, value = words.partition("=")
        problem = PDES[name]
        assert parameter == problem.parameter
        assert problem.solvable.holds(float(value))
        assert not problem.training.holds(float(value))
