"""A whole population in one program: chunks of one size, spread over the local devices."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import PyTree


def jit_brief(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a program that runs for milliseconds: there, less optimising is time won."""
    on_cpu = jax.default_backend() == "cpu"
    options = {"xla_backend_optimization_level": 0} if on_cpu else {}
    return jax.jit(function, compiler_options=options)


class PopulationProgram(NamedTuple):
    """A function of one candidate, lifted to any number of them.

    Attributes:
        run: ``(shared, candidates) -> results`` with a leading axis of candidates on the arrays of
            ``candidates`` and ``results``; results are numpy arrays.
        prepare: ``(shared, candidates) -> None`` compiles what ``run`` will need for such
            arguments; without it the first ``run`` compiles.
    """

    run: Callable[[PyTree, PyTree], PyTree]
    prepare: Callable[[PyTree, PyTree], None]

    def __call__(self, shared: PyTree, candidates: PyTree) -> PyTree:
        """Runs the program."""
        return self.run(shared, candidates)


def over_population(function: Callable[[PyTree, PyTree], PyTree], chunk: int) -> PopulationProgram:
    """Lifts a function of one candidate to any number of them.

    Args:
        function: ``(shared, candidate) -> result``, pure.
        chunk: how many candidates each device takes in one call of the compiled program. The last
            call is filled up with copies, so that one compilation serves any number of candidates.
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

    def pieces(candidates: PyTree) -> Iterator[PyTree]:
        host = jax.tree.map(np.asarray, candidates)
        count = _count(host)
        for start in range(0, count, at_once):
            rows = np.minimum(np.arange(start, start + at_once), count - 1)
            yield jax.tree.map(lambda leaf, rows=rows: leaf[rows], host)

    def run(shared: PyTree, candidates: PyTree) -> PyTree:
        results = [program(shared, piece) for piece in pieces(candidates)]

        def joined(*leaves: Any) -> np.ndarray:
            return np.concatenate([np.asarray(leaf) for leaf in leaves])[: _count(candidates)]

        return jax.tree.map(joined, *results)

    def prepare(shared: PyTree, candidates: PyTree) -> None:
        program.lower(shared, next(pieces(candidates))).compile()

    return PopulationProgram(run, prepare)


def _count(candidates: PyTree) -> int:
    return len(jax.tree.leaves(candidates)[0])


def all_at_once(jobs: Iterable[Callable[[], None]]) -> None:
    """Runs jobs in threads; for compilations, each of which keeps but one core busy."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for finished in [pool.submit(job) for job in jobs]:
            finished.result()
