import jax
import pytest

from jaxloss.losses.ways import COMPILATION, SAVED_BY_MIXED, SAVED_BY_SLOPE, Way, chosen_way

ENOUGH_SLOPES = COMPILATION / SAVED_BY_SLOPE
ENOUGH_MIXED = COMPILATION / SAVED_BY_MIXED


@pytest.mark.parametrize("way", ["interpreted", "specialised"])
@pytest.mark.parametrize("elements", [0.0, 1e15])
def test_a_way_that_was_asked_for_is_taken(way: Way, elements: float):
    assert chosen_way(way, elements, elements) == way


def test_trees_are_compiled_once_that_saves_more_time_than_it_takes(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert chosen_way("auto", 0.9 * ENOUGH_SLOPES) == "interpreted"
    assert chosen_way("auto", 1.1 * ENOUGH_SLOPES) == "specialised"
    assert chosen_way("auto", 0, 0.9 * ENOUGH_MIXED) == "interpreted"
    assert chosen_way("auto", 0, 1.1 * ENOUGH_MIXED) == "specialised"
    assert chosen_way("auto", 0.6 * ENOUGH_SLOPES, 0.6 * ENOUGH_MIXED) == "specialised"


def test_accelerators_interpret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert chosen_way("auto", 1e15) == "interpreted"
