"""Compiled programs are let go of where a process could map no more, and come back as they were."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning import compilation
from jaxloss.learning.compilation import forget_programs, make_room
from jaxloss.learning.memory import maps_are_scarce
from jaxloss.learning.population import over_population
from jaxloss.learning.structures import over_structures


def doubled(shared: Any, candidate: tuple[Any, ...]) -> Any:
    return shared + 2.0 * candidate[0]


def test_what_was_forgotten_compiles_again_and_is_the_same(compiled: list[str]) -> None:
    shared, candidates = jnp.float32(1.0), (np.arange(5, dtype=np.float32),)
    structures = (np.zeros((2, 3), np.int32), np.ones(2, np.float32))
    population = over_population(doubled, 4)
    specialised = over_structures(lambda _: lambda shared, weight: shared * weight)
    expected = population(shared, candidates), specialised(shared, structures)
    before = len(compiled)
    once_more = population(shared, candidates), specialised(shared, structures)
    assert len(compiled) == before
    forget_programs()
    again = population(shared, candidates), specialised(shared, structures)
    assert len(compiled) >= before + 2
    for results in zip(expected, once_more, again, strict=True):
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("scarce", [False, True])
def test_room_is_made_where_maps_are_scarce(scarce: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[bool] = []
    monkeypatch.setattr(compilation, "maps_are_scarce", lambda: scarce)
    monkeypatch.setattr(compilation, "forget_programs", lambda: forgotten.append(True))
    make_room()
    assert bool(forgotten) == scarce


def test_maps_are_counted_against_what_linux_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not maps_are_scarce()
    monkeypatch.setattr(Path, "read_text", lambda *_: "3\n")
    assert maps_are_scarce()
