"""What the registry says of each loss: properties, both that they hold and that no other does."""

import numpy as np
import pytest
from property_search import TESTS, UNSCALED, jump, perfect
from zoo_inputs import drawn, evaluated, replaced

from jaxloss import zoo
from jaxloss.losses.zoo.entry import PROPERTIES

pytestmark = pytest.mark.usefixtures("float64")

EVERY = pytest.mark.parametrize("name", zoo.ZOO)


@EVERY
def test_properties_hold_and_no_others(name: str):
    entry = zoo.get(name)
    tests = {label: holds for label, (holds, kinds) in TESTS.items() if entry.kind in kinds}
    found = {label for label, holds in tests.items() if holds(entry)}
    assert found == entry.properties & set(tests)
    # What is claimed beyond that is looked at below.
    assert entry.properties - set(tests) <= {"smooth", "bounded_gradient"}


@pytest.mark.parametrize(
    "name", [entry.name for entry in zoo.ZOO.values() if entry.kind in UNSCALED]
)
def test_gradients_are_bounded_on_predictions_with_a_range(name: str):
    entry = zoo.get(name)
    if "bounded_gradient" in entry.properties:
        near = (replaced(entry, perfect(entry), 1e-4 + perfect(entry)[0]), drawn(entry.kind))
        for inputs in near:
            assert np.max(np.abs(evaluated(name, *inputs)[1][0])) < 4


@EVERY
def test_smooth_losses_have_no_jumps_in_the_gradient(name: str):
    entry = zoo.get(name)
    if "smooth" not in entry.properties:
        return
    for seed in range(3):
        wide, narrow = jump(entry, seed, 0.05), jump(entry, seed, 0.005)
        assert narrow < 0.3 * wide + 1e-9


def test_every_property_is_tested():
    assert set(TESTS) | {"smooth"} == set(PROPERTIES)
