from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning import population
from jaxloss.learning.memory import free_bytes
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


def wide(shared: Any, candidate: Any) -> Any:
    """Needs about 4 MB for each candidate."""
    table = jnp.sin(jnp.outer(jnp.arange(1000.0), candidate * jnp.arange(1000.0)))
    return jnp.sum(jnp.sort(table, axis=0)[::7]) + shared


def test_a_chunk_that_does_not_fit_is_halved(caplog: pytest.LogCaptureFixture):
    candidates = np.linspace(0, 1, 5, dtype=np.float32)
    roomy = over_population(wide, 4, free=2**40)(jnp.float32(1.0), candidates)
    assert not caplog.records
    run = over_population(wide, 8, free=3 * 2**23)
    cramped = run(jnp.float32(1.0), candidates)
    np.testing.assert_allclose(cramped, roomy, rtol=1e-5)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith("8 candidates at once on each device need 0.")
    assert messages[0].endswith("GiB of memory; going on with 4 at once")
    run(jnp.float32(2.0), candidates)
    assert len(caplog.records) == len(messages), "what fits is remembered"


def test_preparing_finds_the_chunk_that_fits(caplog: pytest.LogCaptureFixture):
    run = over_population(wide, 8, free=3 * 2**23)
    run.prepare(jnp.float32(1.0), np.zeros(1, np.float32))
    told = len(caplog.records)
    assert told >= 1
    run(jnp.float32(1.0), np.zeros(9, np.float32))
    assert len(caplog.records) == told


def test_a_candidate_that_does_not_fit_alone_is_an_error():
    run = over_population(wide, 2, free=2**20)
    with pytest.raises(InvalidInputError, match=r"one candidate alone needs 0\.\d GiB of memory"):
        run(jnp.float32(1.0), np.zeros(3, np.float32))


def test_memory_that_runs_out_in_the_middle_takes_a_smaller_chunk(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    sizes: list[int] = []

    def limited(results: Any) -> Any:
        rows = len(jax.tree.leaves(results)[0])
        sizes.append(rows)
        if rows > 2 * jax.device_count():
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating")
        return jax.tree.map(np.asarray, results)

    monkeypatch.setattr(population, "gathered", limited)
    results = over_population(one, 4)(jnp.float32(0.0), (np.ones((9, 1)), np.ones((9, 2))))
    assert results["sum"].shape == (9,)
    assert sizes[0] == 4 * jax.device_count()
    assert set(sizes[1:]) == {2 * jax.device_count()}
    assert "need more memory than is free; going on with 2 at once" in caplog.text


def test_other_failures_are_not_taken_for_want_of_memory(monkeypatch: pytest.MonkeyPatch):
    def broken(_: Any) -> Any:
        raise jax.errors.JaxRuntimeError("INTERNAL: the device is gone")

    monkeypatch.setattr(population, "gathered", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="the device is gone"):
        over_population(one, 4)(jnp.float32(0.0), (np.ones((9, 1)), np.ones((9, 2))))


def test_the_devices_share_the_memory_that_is_free():
    free = free_bytes()
    assert free is not None
    assert 2**20 < free * jax.local_device_count() < 2**50
