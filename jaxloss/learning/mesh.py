"""The population axis over the devices of all processes, and how arrays get there and back."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

AXIS = "candidates"
"""The one axis of the mesh."""


def population_mesh() -> Mesh:
    """Puts all devices of all processes in a row, those of one process side by side."""
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return Mesh(np.array(devices), (AXIS,))


def spread(mesh: Mesh, tree: PyTree) -> PyTree:
    """Divides arrays by rows among the devices.

    Args:
        mesh: of `population_mesh`.
        tree: arrays whose first axis is a multiple of the number of devices; every process gives
            the same whole arrays.

    Returns:
        What a program over ``mesh`` takes. In a world of one process it takes host arrays, so
        there they are returned as they came.
    """
    return _placed(tree, NamedSharding(mesh, PartitionSpec(AXIS)))


def everywhere(mesh: Mesh, tree: PyTree) -> PyTree:
    """Copies arrays to all devices; as `spread`, but of any shape. Keys may be among them."""
    return _placed(tree, NamedSharding(mesh, PartitionSpec()))


def gathered(tree: PyTree) -> PyTree:
    """Brings whole results to the host of every process, as numpy arrays.

    All processes must call it at the same point of the program: in a world of several it waits
    for all of them.
    """
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def _placed(tree: PyTree, sharding: NamedSharding) -> PyTree:
    if jax.process_count() == 1:
        return tree

    def place(leaf: Any) -> jax.Array:
        # Keys have no host form; their numbers do.
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            numbers = place(jax.random.key_data(leaf))
            return jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(leaf))
        array = np.asarray(leaf)
        return jax.make_array_from_callback(array.shape, sharding, array.__getitem__)

    return jax.tree.map(place, tree)
