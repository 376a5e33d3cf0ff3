import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxloss.search.hall import Hall, empty_hall, entered


def hall_of(*rounds: list[tuple[list[float], float, bool]], places: int = 3) -> Hall:
    """Enters rounds of candidates: parameters, fitness, whether trained."""
    hall = empty_hall(places, len(rounds[0][0][0]))
    for candidates in rounds:
        parameters, fitness, trained = (np.array(part) for part in zip(*candidates, strict=True))
        hall = entered(hall, parameters, fitness, trained)
    return hall


def test_an_empty_hall_has_no_one_in_it():
    hall = empty_hall(3, 2)
    assert hall.filled == 0
    assert hall.parameters.shape == (3, 2)
    assert np.all(hall.fitness == np.inf)


def test_the_best_stay_best_first():
    hall = hall_of(
        [([1.0], 5.0, True), ([2.0], 1.0, True)],
        [([3.0], 3.0, True), ([4.0], 0.5, True), ([5.0], 9.0, True)],
    )
    assert hall.parameters[:, 0].tolist() == [4.0, 2.0, 3.0]
    assert hall.fitness.tolist() == [0.5, 1.0, 3.0]
    assert hall.filled == 3


def test_who_came_earlier_stays_in_front_at_a_tie():
    hall = hall_of([([7.0], 1.0, True)], [([3.0], 1.0, True), ([5.0], 1.0, True)])
    assert hall.parameters[:, 0].tolist() == [7.0, 3.0, 5.0]


def test_the_untrained_and_the_broken_do_not_enter():
    hall = hall_of(
        [
            ([1.0, 2.0], 0.1, False),
            ([np.nan, 2.0], 0.2, True),
            ([np.inf, 2.0], 0.3, True),
            ([3.0, 2.0], np.inf, True),
            ([4.0, 2.0], 2.0, True),
        ]
    )
    assert hall.filled == 1
    assert hall.parameters[0].tolist() == [4.0, 2.0]


def test_equals_enter_once():
    hall = hall_of([([1.0], 2.0, True), ([1.0], 2.0, True)], [([1.0], 2.0, True)])
    assert hall.filled == 1


def test_of_equals_the_trained_one_enters():
    hall = hall_of([([1.0], 2.0, False), ([1.0], 2.0, True)])
    assert hall.filled == 1


def test_parameters_that_are_all_zero_enter_too():
    hall = hall_of([([0.0, 0.0], 1.0, True), ([0.0, 1.0], 2.0, True)])
    assert hall.filled == 2
    assert hall.parameters[:2].tolist() == [[0.0, 0.0], [0.0, 1.0]]


CANDIDATES = st.tuples(
    st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=1),
    st.sampled_from([0.5, 1.0, 1.5, np.inf]),
    st.booleans(),
)


@given(st.lists(st.lists(CANDIDATES, min_size=1, max_size=4), min_size=1, max_size=4))
def test_it_holds_what_a_list_of_all_would_give(rounds):
    hall = hall_of(*rounds, places=2)
    best: dict[float, float] = {}
    for (parameter,), fitness, trained in [each for candidates in rounds for each in candidates]:
        if trained and np.isfinite(fitness):
            best[parameter] = min(fitness, best.get(parameter, np.inf))
    expected = sorted(best.values())[:2]
    assert hall.fitness[: hall.filled].tolist() == expected
    assert [best[each] for each in hall.parameters[: hall.filled, 0].tolist()] == expected
