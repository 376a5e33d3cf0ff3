"""Evaluates losses of the zoo on random arguments of their own."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxloss.losses.card.probe import BRIEF, precise
from jaxloss.losses.zoo import ZooLoss, example_inputs

_EXAMPLES = 24
DRAWS = 12
"""How many sets of examples are drawn; those of a set may belong together."""
Inputs = tuple[np.ndarray, ...]


class Found(NamedTuple):
    """A loss on some inputs.

    Attributes:
        values: for each example.
        gradients: by each prediction, of the sum of the values.
    """

    values: np.ndarray
    gradients: tuple[np.ndarray, ...]


class Bench:
    """A loss of the zoo ready to be evaluated on arrays of its own arguments.

    Attributes:
        entry: the loss.
    """

    def __init__(self, entry: ZooLoss, parameters: Mapping[str, float]):
        self.entry = entry
        self.places = entry.inputs.predictions
        bound = entry.bind(**parameters)

        def both(*inputs: Array) -> tuple[Array, tuple[Array, ...]]:
            def values(*predictions: Array) -> Array:
                arguments = list(inputs)
                for place, prediction in zip(self.places, predictions, strict=True):
                    arguments[place] = prediction
                return bound(*arguments)

            found, back = jax.vjp(values, *(inputs[place] for place in self.places))
            return found, back(jnp.ones_like(found))

        self._program: Callable[..., tuple[Array, tuple[Array, ...]]] = jax.jit(
            jax.vmap(both), compiler_options=BRIEF
        )
        self.drawn = _drawn(entry.kind)

    def __call__(self, inputs: Inputs, double: bool = True) -> Found:
        """Evaluates `DRAWS` sets of inputs, each on its own."""
        kind = np.float64 if double else np.float32
        cast = [one.astype(kind) if one.dtype.kind == "f" else one for one in inputs]
        with precise(double):
            values, gradients = self._program(*cast)
        return Found(np.asarray(values), tuple(np.asarray(part) for part in gradients))

    def scaled(self, scale: float) -> Inputs:
        """The drawn inputs with their predictions scaled."""
        return self.replaced(*(scale * self.drawn[place] for place in self.places))

    def replaced(self, *predictions: np.ndarray) -> Inputs:
        """The drawn inputs with other predictions."""
        inputs = list(self.drawn)
        for place, prediction in zip(self.places, predictions, strict=True):
            inputs[place] = prediction
        return tuple(inputs)

    @property
    def how(self) -> str:
        """What was drawn, in words."""
        names = ", ".join(argument.name for argument in self.entry.inputs.arguments)
        return f"on {DRAWS} draws of {_EXAMPLES} examples ({names})"


@functools.lru_cache(maxsize=32)
def _drawn(kind: str) -> Inputs:
    """Draws `DRAWS` sets of inputs, stacked."""
    key, count = jax.random.key(0), DRAWS * _EXAMPLES
    with precise():
        arrays = list(map(np.asarray, example_inputs(kind, key, count)))
        for place, array in enumerate(arrays):
            if len(array) == count:
                arrays[place] = array.reshape(DRAWS, _EXAMPLES, *array.shape[1:])
            else:
                # Class anchors, as many as there are classes.
                keys = jax.random.split(key, DRAWS)
                sets = [example_inputs(kind, one, _EXAMPLES)[place] for one in keys]
                arrays[place] = np.stack(sets)
    return tuple(arrays)
