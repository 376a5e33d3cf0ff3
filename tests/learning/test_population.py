from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.population import over_population


def one(shared: Any, candidate: Any) -> Any:
    genome, weights = candidate
    return {"sum": jnp.sum(weights) + shared, "genome": 2 * genome}


@pytest.mark.parametrize("chunk", [1, 3, 5, 8])
@pytest.mark.parametrize("count", [1, 5, 7])
def test_the_result_does_not_depend_on_the_chunk(chunk: int, count: int):
    genomes = np.arange(count * 4, dtype=np.int32).reshape(count, 4)
    weights = np.linspace(0, 1, count * 2, dtype=np.float32).reshape(count, 2)
    results = over_population(one, chunk)(jnp.float32(10.0), (genomes, weights))
    np.testing.assert_allclose(results["sum"], 10 + weights.sum(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(results["genome"], 2 * genomes)


def test_candidates_are_spread_over_all_local_devices():
    if jax.local_device_count() < 2:
        pytest.skip("this machine was started with one device")

    def where(shared: Any, candidate: Any) -> Any:
        return jax.lax.axis_index("candidates") + candidate + shared

    results = over_population(where, 2)(jnp.int32(0), np.zeros(5, np.int32))
    np.testing.assert_array_equal(results, [0, 0, 1, 1, 0])


def test_one_compilation_serves_every_number_of_candidates():
    traces = 0

    def counted(shared: Any, candidate: Any) -> Any:
        nonlocal traces
        traces += 1
        return one(shared, candidate)

    run = over_population(counted, 4)
    for count in (1, 3, 4, 9):
        run(jnp.float32(0.0), (np.zeros((count, 2), np.int32), np.zeros((count, 2), np.float32)))
    assert traces == 1
