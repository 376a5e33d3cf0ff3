import json
from pathlib import Path

import numpy as np
import pytest

from jaxloss import LearnedLoss, NetworkForm, TreeForm, parse
from jaxloss.runs.records import (
    CURVE_PLACES,
    GenerationRecord,
    append_record,
    generation_record,
    keep_records,
    read_records,
)
from jaxloss.search import Info


def _record(loss: LearnedLoss | None, number: int = 0, fitness: float = 0.5) -> GenerationRecord:
    return generation_record(Info(number, fitness, loss, 4, 3, {"archive": 1}, 30), 1.0)


def _sum_of_both(view: str, variables: tuple[str, ...] = ("f", "y")) -> LearnedLoss:
    """A network that computes relu(f + 2y); of a third variable it takes nothing."""
    form = NetworkForm((1,), output="identity", variables=variables)
    return LearnedLoss(form, (*(1.0, 2.0, 0.0)[: len(variables)], 1.0), view)


@pytest.mark.parametrize("view", CURVE_PLACES)
def test_a_loss_that_is_no_formula_is_written_down_as_curves(view: str):
    places, targets = CURVE_PLACES[view]
    curve = _record(_sum_of_both(view)).curve
    expected = [[max(f + 2 * y, 0.0) for f in places] for y in targets]
    np.testing.assert_allclose(np.array(curve, float), expected, rtol=1e-5, atol=1e-6)


def test_values_that_are_not_finite_are_none():
    form = NetworkForm((1,), output="identity")
    curve = _record(LearnedLoss(form, (3e38, 0.0, 3e38), "identity")).curve
    assert curve is not None
    assert curve[0][-1] is None
    assert curve[0][0] == 0.0


def test_formulas_and_boxes_have_no_curve():
    assert _record(LearnedLoss(TreeForm(parse("f - y")), (1.0, 1.0), "identity")).curve is None
    assert _record(_sum_of_both("boxes", ("i", "u", "e"))).curve is None
    nothing = _record(None, fitness=float("inf"))
    assert (nothing.curve, nothing.formula, nothing.best_fitness) == (None, None, None)


def test_records_are_read_back_and_cut_to_the_generations_done(tmp_path: Path):
    path = tmp_path / "generations.jsonl"
    records = [_record(_sum_of_both("identity"), number) for number in range(3)]
    for record in records:
        append_record(path, record)
    assert read_records(path) == records
    path.write_text(path.read_text() + '{"generation": 4, "bes')
    assert keep_records(path, 2) == records[:2]
    assert [json.loads(line)["generation"] for line in path.read_text().splitlines()] == [1, 2]
