from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.structures import over_structures

GENOMES = np.array([[1, 0], [2, 0], [1, 0], [3, 0], [2, 0]], np.int32)
WEIGHTS = np.arange(10, dtype=np.float32).reshape(5, 2)


class Specialiser:
    """Makes functions that multiply by a genome's first token, and counts their traces."""

    def __init__(self) -> None:
        self.traced: list[int] = []

    def __call__(self, genome: np.ndarray) -> Callable[[Any, Any], Any]:
        factor = int(genome[0])

        def function(shared: Any, weights: Any) -> Any:
            self.traced.append(factor)
            return {"scaled": factor * weights + shared, "factor": jnp.int32(factor)}

        return function


def test_every_candidate_gets_the_code_of_its_own_tree():
    results = over_structures(Specialiser())(jnp.float32(100.0), (GENOMES, WEIGHTS))
    np.testing.assert_array_equal(results["factor"], GENOMES[:, 0])
    np.testing.assert_allclose(results["scaled"], 100 + GENOMES[:, :1] * WEIGHTS)


def test_what_is_shared_is_copied_once_for_each_device(monkeypatch: pytest.MonkeyPatch):
    shared, copies = jnp.arange(2.0), []
    put = jax.device_put

    def counted(values: Any, *places: Any) -> Any:
        copies.extend(leaf for leaf in jax.tree.leaves(values) if leaf is shared)
        return put(values, *places)

    monkeypatch.setattr(jax, "device_put", counted)
    over_structures(Specialiser())(shared, (GENOMES, WEIGHTS))
    assert 1 <= len(copies) <= jax.local_device_count() < len(GENOMES)


def test_a_structure_is_compiled_once():
    specialise = Specialiser()
    run = over_structures(specialise)
    for _ in range(2):
        run(jnp.float32(0.0), (GENOMES, WEIGHTS))
    run(jnp.float32(1.0), (GENOMES[::-1], 2 * WEIGHTS))
    assert sorted(specialise.traced) == [1, 2, 3]


def test_the_structure_not_used_for_longest_is_forgotten_first():
    specialise = Specialiser()
    run = over_structures(specialise, kept=2)

    def use(*factors: int) -> None:
        genomes = np.array([[factor, 0] for factor in factors], np.int32)
        run(jnp.float32(0.0), (genomes, WEIGHTS[: len(factors)]))

    use(1, 2)
    use(1)
    use(3)
    assert sorted(specialise.traced) == [1, 2, 3]
    use(1, 3)
    assert len(specialise.traced) == 3
    use(2)
    assert specialise.traced[3:] == [2]


def test_more_structures_than_are_kept_still_run():
    results = over_structures(Specialiser(), kept=1)(jnp.float32(0.0), (GENOMES, WEIGHTS))
    np.testing.assert_allclose(results["scaled"], GENOMES[:, :1] * WEIGHTS)
