"""A whole population in one program: chunks of one size, spread over the local devices."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import PyTree


def jit_brief(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a program that runs for milliseconds: there, less optimising is time won."""
    on_cpu = jax.default_backend() == "cpu"
    options = {"xla_backend_optimization_level": 0} if on_cpu else {}
    return jax.jit(function, compiler_options=options)


def over_population(
    function: Callable[[PyTree, PyTree], PyTree], chunk: int
) -> Callable[[PyTree, PyTree], PyTree]:
    """Lifts a function of one candidate to any number of them.

    Args:
        function: ``(shared, candidate) -> result``, pure.
        chunk: how many candidates each device takes in one call of the compiled program. The last
            call is filled up with copies, so that one compilation serves any number of candidates.

    Returns:
        ``(shared, candidates) -> results`` with a leading axis of candidates on the arrays of
        ``candidates`` and ``results``; results are numpy arrays.
    """
    mesh = Mesh(np.array(jax.local_devices()), ("candidates",))
    at_once = chunk * jax.local_device_count()

    def on_each_device(shared: PyTree, candidates: PyTree) -> PyTree:
        return jax.vmap(lambda candidate: function(shared, candidate))(candidates)

    split, whole = PartitionSpec("candidates"), PartitionSpec()
    program = jax.jit(
        jax.shard_map(
            on_each_device, mesh=mesh, in_specs=(whole, split), out_specs=split, check_vma=False
        )
    )

    def run(shared: PyTree, candidates: PyTree) -> PyTree:
        host = jax.tree.map(np.asarray, candidates)
        count = len(jax.tree.leaves(host)[0])

        def piece(start: int) -> PyTree:
            rows = np.minimum(np.arange(start, start + at_once), count - 1)
            return program(shared, jax.tree.map(lambda leaf: leaf[rows], host))

        pieces = [piece(start) for start in range(0, count, at_once)]

        def joined(*leaves: Any) -> np.ndarray:
            return np.concatenate([np.asarray(leaf) for leaf in leaves])[:count]

        return jax.tree.map(joined, *pieces)

    return run
