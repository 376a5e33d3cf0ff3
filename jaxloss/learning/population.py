"""A whole population in one program: chunks of one size, spread over the devices."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import PyTree

from jaxloss.errors import InvalidInputError, require
from jaxloss.learning.compilation import Programs, steady_options
from jaxloss.learning.memory import (
    common_free_bytes,
    in_words,
    is_out_of_memory,
    needed_bytes,
    report_smaller,
)
from jaxloss.learning.mesh import AXIS, everywhere, gathered, population_mesh, spread

MOST_AT_ONCE = 1024
"""Candidates that an accelerator takes in one call at most. Measured on an H200 with an MLP 50-50:
1024 at once take 0.37 to 0.5 of the time that they take in four calls."""


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


def over_population(
    function: Callable[[PyTree, PyTree], PyTree],
    chunk: int,
    free: int | None = None,
    carries: bool = False,
) -> PopulationProgram:
    """Lifts a function of one candidate to any number of them.

    Every call of the compiled program takes the same number of candidates on each device, so that
    nothing compiles twice and no result depends on how many candidates or devices there are; the
    last call is filled up with copies. A chunk that does not fit the memory is halved, with a
    warning on the log.

    Args:
        function: ``(shared, candidate) -> result``, pure.
        chunk: how many candidates each device takes in one call.
        free: bytes that the program may take on each device; what is free now by default.
        carries: whether candidates are ``(*others, state)`` and results hold such a state too,
            which then takes over the memory of the given one.

    Returns:
        The lifted function. It raises `InvalidInputError` if not even one candidate fits.
    """
    require(chunk >= 1, f"chunk must be 1 or more, got {chunk}")
    mesh = population_mesh()
    free = common_free_bytes() if free is None else free
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def on_each_device(shared: PyTree, candidates: PyTree, state: PyTree) -> PyTree:
        def of_one(candidate: PyTree, state: PyTree) -> PyTree:
            return function(shared, (*candidate, state) if carries else candidate)

        return jax.vmap(of_one)(candidates, state)

    sharded = jax.shard_map(
        on_each_device, mesh=mesh, in_specs=(whole, split, split), out_specs=split, check_vma=False
    )
    program = jax.jit(
        sharded, donate_argnums=2 if carries else (), compiler_options=steady_options()
    )
    compiled = Programs()

    def parts_of(piece: PyTree) -> tuple[PyTree, PyTree]:
        return (piece[:-1], piece[-1]) if carries else (piece, ())

    def executable(shared: PyTree, piece: PyTree) -> Callable[..., PyTree]:
        signature = tuple(_kind(leaf) for leaf in jax.tree.leaves((shared, piece)))
        if signature not in compiled:
            built = program.lower(shared, *parts_of(piece)).compile()
            needed = needed_bytes(built)
            if needed is not None and free is not None and needed > free:
                raise _TooLargeError(needed)
            compiled[signature] = built
        return compiled[signature]

    def placed(chunk: int, shared: PyTree, candidates: PyTree) -> tuple[PyTree, Iterator[PyTree]]:
        host = jax.tree.map(np.asarray, candidates)
        pieces = _pieces(host, chunk * mesh.size)
        return everywhere(mesh, shared), (spread(mesh, piece) for piece in pieces)

    def run_in(chunk: int, shared: PyTree, candidates: PyTree) -> PyTree:
        shared, pieces = placed(chunk, shared, candidates)
        results = [
            _run_or_say(executable(shared, piece), shared, *parts_of(piece)) for piece in pieces
        ]
        count = _count(candidates)
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *results)

    def prepare_in(chunk: int, shared: PyTree, candidates: PyTree) -> None:
        shared, pieces = placed(chunk, shared, candidates)
        executable(shared, next(pieces))

    fitting = _Fitting(chunk)
    return PopulationProgram(
        lambda *arguments: fitting.use(run_in, *arguments),
        lambda *arguments: fitting.use(prepare_in, *arguments),
    )


class _TooLargeError(Exception):
    """A chunk does not fit the memory."""

    def __init__(self, needed: int | None) -> None:
        super().__init__(needed)
        self.needed = needed


class _Fitting:
    """The largest chunk that is known to fit; it only ever shrinks."""

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk

    def use(self, action: Callable[..., Any], *arguments: PyTree) -> Any:
        """Calls ``action(chunk, *arguments)``, with smaller and smaller chunks until one fits."""
        while True:
            try:
                return action(self.chunk, *arguments)
            except _TooLargeError as error:
                self._shrink(error)

    def _shrink(self, error: _TooLargeError) -> None:
        if self.chunk == 1:
            raise InvalidInputError(
                f"one candidate alone needs {in_words(error.needed)} on a device; "
                "use a smaller network, smaller batches or fewer examples"
            ) from error
        report_smaller(self.chunk, self.chunk // 2, error.needed)
        self.chunk //= 2


def _run_or_say(program: Callable[..., PyTree], *arguments: PyTree) -> PyTree:
    """Runs a compiled program; wraps the want of memory."""
    try:
        return gathered(program(*arguments))
    except jax.errors.JaxRuntimeError as error:
        # Other processes would wait for ever for one that tries again with less.
        if not is_out_of_memory(error) or jax.process_count() > 1:
            raise
        raise _TooLargeError(None) from error


def _pieces(candidates: PyTree, length: int) -> Iterator[PyTree]:
    """Cuts rows into pieces of one length; what is missing at the end are copies of the last."""
    count = _count(candidates)
    for start in range(0, count, length):
        rows = np.minimum(np.arange(start, start + length), count - 1)
        yield jax.tree.map(lambda leaf, rows=rows: leaf[rows], candidates)


def _count(candidates: PyTree) -> int:
    return len(jax.tree.leaves(candidates)[0])


def _kind(leaf: Any) -> tuple[tuple[int, ...], str]:
    return np.shape(leaf), str(leaf.dtype)
