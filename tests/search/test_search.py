"""What all searches share."""

import pytest

from jaxloss.losses import LearnedLoss, ZooForm
from jaxloss.search.search import FrontEntry, unbeaten

LOSS = LearnedLoss(ZooForm("mse", "identity"), (), "identity")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([(5, 1.0), (3, 2.0)], [(3, 2.0), (5, 1.0)]),
        ([(3, 1.0), (5, 1.0), (4, 2.0)], [(3, 1.0)]),
        ([(3, 2.0), (3, 1.0), (7, 0.5)], [(3, 1.0), (7, 0.5)]),
    ],
)
def test_the_front_holds_what_no_smaller_loss_beats(
    given: list[tuple[int, float]], expected: list[tuple[int, float]]
):
    front = unbeaten(FrontEntry(LOSS, size, fitness) for size, fitness in given)
    assert [(entry.size, entry.fitness) for entry in front] == expected


def test_of_equals_the_first_is_in_the_front():
    other = LearnedLoss(ZooForm("mae", "identity"), (), "identity")
    entries = [FrontEntry(LOSS, 3, 1.0), FrontEntry(other, 3, 1.0)]
    assert unbeaten(entries) == entries[:1]
