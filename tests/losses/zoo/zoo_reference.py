"""What an independent source is: who says it, and the value for one element, example or batch."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import mpmath
import numpy as np

mp = mpmath.mp
mp.dps = 30

Level = Literal["element", "example", "batch"]


class Reference(NamedTuple):
    """An independent computation of a loss with its default parameters.

    Attributes:
        source: the library, or where the formula stands that is evaluated in high precision.
        level: what the function is called with: numbers, one example's rows, or whole arrays.
        function: returns the value, or the array of them.
    """

    source: str
    level: Level
    function: Callable[..., Any]

    def __call__(self, *inputs: Any) -> np.ndarray:
        if self.level == "batch":
            return np.asarray(self.function(*(np.asarray(array) for array in inputs)), float)
        if self.level == "element":
            arrays = [np.asarray(array, np.float64) for array in inputs]
            return np.asarray(np.vectorize(lambda *v: float(self.function(*v)))(*arrays))
        rows = zip(*(np.asarray(array).tolist() for array in inputs), strict=True)
        return np.array([float(self.function(*row)) for row in rows])


def softmax(logits: Sequence[float]) -> list[Any]:
    powers = [mp.exp(logit) for logit in logits]
    return [power / sum(powers) for power in powers]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def norm(vector: Sequence[Any]) -> Any:
    return mp.sqrt(sum(mp.mpf(v) ** 2 for v in vector))


def minus(a: Sequence[float], b: Sequence[float]) -> list[Any]:
    return [mp.mpf(v) - w for v, w in zip(a, b, strict=True)]


def dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    return sum(mp.mpf(v) * w for v, w in zip(a, b, strict=True))
