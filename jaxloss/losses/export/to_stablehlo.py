"""Losses as compiled programs for any machine that reads StableHLO, with their derivatives.

A program outlives neither all versions of JAX nor of StableHLO: the loss itself is its JSON.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.losses.export.families import ONLINE
from jaxloss.losses.export.target import Export, function_name
from jaxloss.losses.export.views import view_source
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.zoo.entry import ZooLoss
from jaxloss.losses.zoo.examples import example_inputs

DERIVATIVES = 2
"""How often a program can be differentiated, backwards: gradients of gradients work."""
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""Where a program runs."""

_FEW = 4
"""Examples that the types of a loss's arguments are read off."""
_LEAST = {"classes": 2, "answers": 2, "rows": 3}
"""Shortest that an axis may be, where that is not 1."""

_LOCATIONS = "jax_traceback_in_locations_limit"

_Shape = tuple[tuple[str, ...], Any]


def to_stablehlo(loss: LearnedLoss) -> Export:
    """Compiles the loss, as `program_of` does."""
    return Export(program_of(loss), _notes(loss))


def as_text(loss: LearnedLoss) -> Export:
    """Writes the program of `program_of` as MLIR that people can read; without derivatives."""
    return Export(_readable(_of_loss(loss)), _notes(loss))


def _notes(loss: LearnedLoss) -> tuple[str, ...]:
    return (ONLINE,) if isinstance(loss.form, OnlineForm) else ()


def program_of(loss: LearnedLoss) -> bytes:
    """Compiles the loss for any number of examples and of outputs or classes.

    Its precision is JAX's default. Losses of classes take class numbers.

    Returns:
        What `jax.export.deserialize` reads.
    """
    return _serialized(_of_loss(loss))


def entry_as_stablehlo(entry: ZooLoss, parameters: Mapping[str, float]) -> Export:
    """Compiles a loss of the zoo that takes something else than a task's outputs and targets.

    Raises:
        InvalidInputError: a parameter is unknown or out of its range, or the loss can be compiled
            for one number of examples only.
    """
    return Export(_serialized(_of_entry(entry, parameters)))


def entry_as_text(entry: ZooLoss, parameters: Mapping[str, float]) -> str:
    """Writes the program of `entry_as_stablehlo` as MLIR that people can read.

    Raises:
        InvalidInputError: as there.
    """
    return _readable(_of_entry(entry, parameters))


def _of_loss(loss: LearnedLoss) -> export.Exported:
    source, precision = view_source(loss.view), jnp.result_type(float)
    outputs, targets = source.shape, source.shape
    kind = precision
    if source.class_numbers:
        targets, kind = outputs[:1], jnp.dtype(jnp.int32)
    return _compiled(function_name(loss), loss, [(outputs, precision), (targets, kind)])


def _of_entry(entry: ZooLoss, parameters: Mapping[str, float]) -> export.Exported:
    examples = jax.eval_shape(lambda: example_inputs(entry.kind, jax.random.key(0), _FEW))
    shapes = [
        (_axes(argument.shape), example.dtype)
        for argument, example in zip(entry.inputs.arguments, examples, strict=True)
    ]
    return _compiled(entry.name, entry.bind(**parameters), shapes)


def _axes(shape: str) -> tuple[str, ...]:
    """Reads the axes of an argument of the zoo, ``[..., features]``."""
    return tuple(
        "batch" if name.strip() == "..." else name.strip() for name in shape.strip("[]").split(",")
    )


def _compiled(
    name: str, function: Callable[..., Array], shapes: Sequence[_Shape]
) -> export.Exported:
    def called(*arguments: Array) -> Array:
        return function(*arguments)

    called.__name__ = name
    names = dict.fromkeys(name for axes, _ in shapes for name in axes if not name.isdigit())
    limits = [f"{name} >= {_LEAST.get(name, 1)}" for name in names]
    sizes = dict(
        zip(names, export.symbolic_shape(", ".join(names), constraints=limits), strict=True)
    )
    arguments = [
        jax.ShapeDtypeStruct(
            tuple(int(name) if name.isdigit() else sizes[name] for name in axes), kind
        )
        for axes, kind in shapes
    ]
    with _no_paths(), _any_size(name):
        return export.export(jax.jit(called), platforms=PLATFORMS)(*arguments)


def _readable(program: export.Exported) -> str:
    """Prints a program without where in the source each operation comes from."""
    text = re.sub(r' loc\((#loc\d*|unknown|"[^"]*")\)', "", program.mlir_module())
    return "".join(f"{line}\n" for line in text.splitlines() if not line.startswith("#loc"))


def _serialized(program: export.Exported) -> bytes:
    with _no_paths(), _any_size(program.fun_name):
        return bytes(program.serialize(vjp_order=DERIVATIVES))


@contextlib.contextmanager
def _any_size(name: str) -> Iterator[None]:
    try:
        yield
    except (NotImplementedError, jax.errors.InconclusiveDimensionOperation) as error:
        # JAX goes on with advice and with paths of source files.
        reason = re.split(r"\. |\.?\n", str(error))[0]
        raise InvalidInputError(
            f"JAX cannot compile {name} with its derivatives for axes of any length: {reason}"
        ) from error


@contextlib.contextmanager
def _no_paths() -> Iterator[None]:
    """Keeps the paths of this machine's source files out of programs."""
    before = getattr(jax.config, _LOCATIONS)
    jax.config.update(_LOCATIONS, 0)
    try:
        yield
    finally:
        jax.config.update(_LOCATIONS, before)
