import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxloss.learning.mesh import AXIS, everywhere, gathered, population_mesh, spread

TREE = {"genomes": np.arange(12, dtype=np.int32).reshape(6, 2), "weights": np.ones(6, np.float32)}


@pytest.fixture
def several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places arrays as among several processes; tests/runs/test_processes.py has real ones."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)


def test_the_mesh_holds_every_device_once():
    mesh = population_mesh()
    assert mesh.axis_names == (AXIS,)
    assert sorted(device.id for device in mesh.devices.flat) == [d.id for d in jax.devices()]
    owners = [device.process_index for device in mesh.devices.flat]
    assert owners == sorted(owners)


def test_alone_a_process_passes_host_arrays_on():
    mesh = population_mesh()
    assert spread(mesh, TREE) is TREE
    assert everywhere(mesh, TREE) is TREE


@pytest.mark.usefixtures("several_processes")
def test_spread_gives_each_device_its_rows():
    mesh = population_mesh()
    if 6 % mesh.size:
        pytest.skip(f"6 rows do not divide among the {mesh.size} devices of this machine")
    placed = spread(mesh, TREE)
    each = 6 // mesh.size
    for place, device in enumerate(mesh.devices.flat):
        (own,) = [s for s in placed["genomes"].addressable_shards if s.device == device]
        np.testing.assert_array_equal(own.data, TREE["genomes"][place * each : (place + 1) * each])


@pytest.mark.usefixtures("several_processes")
def test_everywhere_copies_whole_arrays_and_keys():
    mesh = population_mesh()
    key = jax.random.key(3)
    placed_key, placed = everywhere(mesh, (key, np.arange(5)))
    for array in (jax.random.key_data(placed_key), placed):
        assert array.sharding.device_set == set(jax.devices())
        assert array.is_fully_replicated
    np.testing.assert_array_equal(placed, np.arange(5))
    assert placed_key.dtype == key.dtype
    np.testing.assert_array_equal(jax.random.key_data(placed_key), jax.random.key_data(key))


def test_results_come_back_in_order():
    mesh = population_mesh()
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    @jax.jit
    def program(shared: jax.Array, rows: jax.Array) -> dict[str, jax.Array]:
        def on_each_device(shared: jax.Array, rows: jax.Array) -> dict[str, jax.Array]:
            return {"sum": jnp.sum(rows, axis=1) + shared, "same": rows}

        return jax.shard_map(on_each_device, mesh=mesh, in_specs=(whole, split), out_specs=split)(
            shared, rows
        )

    rows = np.arange(4.0 * mesh.size, dtype=np.float32).reshape(2 * mesh.size, 2)
    found = gathered(program(everywhere(mesh, np.float32(10)), spread(mesh, rows)))
    assert isinstance(found["sum"], np.ndarray)
    np.testing.assert_array_equal(found["sum"], 10 + rows.sum(axis=1))
    np.testing.assert_array_equal(found["same"], rows)
