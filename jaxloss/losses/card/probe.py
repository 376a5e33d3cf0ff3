"""Evaluates one loss at many outputs: values and gradients, in double and in single precision."""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxloss.losses.boxes import decoded_boxes

Loss = Callable[[Array, Array], Array]
"""``(outputs [batch, width], targets) -> one value for each example``."""

BRIEF = {"xla_backend_optimization_level": 0}
"""Compiler options of programs that run for milliseconds: optimising takes longer than it saves."""

BATCH = 4096
"""Examples that one call of a program evaluates; all calls have one shape, so that it compiles
once."""


class Sample(NamedTuple):
    """A loss at some outputs.

    Attributes:
        values: one for each example.
        gradients: by the example's outputs.
    """

    values: Float[np.ndarray, " examples"]
    gradients: Float[np.ndarray, "examples width"]


@contextlib.contextmanager
def precise(double: bool = True) -> Iterator[None]:
    """Computes on the host, in double precision or in single whatever the settings are."""
    with jax.enable_x64(double), jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield


def boxes_of(outputs: Float[np.ndarray, "examples 4"]) -> Float[np.ndarray, "examples 4"]:
    """Decodes outputs to boxes, in double precision."""
    with precise():
        return np.asarray(jax.jit(decoded_boxes, compiler_options=BRIEF)(outputs))


class Probe:
    """A loss ready to be evaluated at any number of examples.

    Attributes:
        loss: what is evaluated.
    """

    def __init__(self, loss: Loss):
        self.loss = loss

        def both(outputs: Array, targets: Array) -> tuple[Array, Array]:
            # Examples do not depend on each other, so that one gradient of the sum is theirs all.
            values, back = jax.vjp(lambda given: loss(given, targets), outputs)
            return values, back(jnp.ones_like(values))[0]

        self._program = jax.jit(both, compiler_options=BRIEF)

    def __call__(
        self,
        outputs: Float[np.ndarray, "examples width"],
        targets: Num[np.ndarray, "examples ..."],
        double: bool = True,
    ) -> Sample:
        """Evaluates the loss, `BATCH` examples at a time.

        Args:
            outputs: what a model puts out.
            targets: as the loss takes them.
            double: whether in double precision; else in single.
        """
        kind = np.float64 if double else np.float32
        parts = list[tuple[np.ndarray, ...]]()
        with precise(double):
            for start in range(0, len(outputs), BATCH):
                some = outputs[start : start + BATCH].astype(kind)
                goals = targets[start : start + BATCH]
                goals = goals.astype(kind if goals.dtype.kind == "f" else np.int32)
                spare = BATCH - len(some)
                found = self._program(_filled(some, spare), _filled(goals, spare))
                parts.append(tuple(np.asarray(part)[: len(some)] for part in found))
        values, gradients = (
            np.concatenate(column, dtype=np.float64) for column in zip(*parts, strict=True)
        )
        return Sample(values, gradients)


def _filled(array: np.ndarray, spare: int) -> np.ndarray:
    """Repeats the last example."""
    return np.concatenate([array, np.repeat(array[-1:], spare, axis=0)]) if spare else array
