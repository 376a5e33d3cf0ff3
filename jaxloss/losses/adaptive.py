"""Barron's general robust loss with shape and scale as parameters.

Loss: https://arxiv.org/abs/1701.03077. Its range and its start are those of LAL, the learned
adaptive loss of meta-learned PINNs, https://arxiv.org/abs/2107.05544.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import (
    evaluate_family,
    no_formula,
    require_arguments,
    require_keys,
    variables_from_data,
)
from jaxloss.losses.views import View
from jaxloss.losses.zoo.adaptive import barron
from jaxloss.symbols.expression import Expression

LOWEST_SHAPE = 0.01
"""Below every α (the LAL paper)."""
HIGHEST_SHAPE = 2.5
"""Above every α (the LAL paper)."""
START_SHAPE = 2.01
"""α at the start, just beside that of the squared error (the LAL paper)."""
SMALLEST_SCALE = 1e-6
"""Below every c, so that c > 0 in single precision too (*assumed*)."""
START_SCALE = math.sqrt(0.5)
"""c at the start; with α = 2 the loss is then d² (the LAL paper)."""


class ShapeAndScale(NamedTuple):
    """The parameters of Barron's loss as the formula has them.

    Attributes:
        alpha: shape α; the lower, the less outliers count.
        scale: c, the error at which they begin to count less.
    """

    alpha: Float[Array, ""]
    scale: Float[Array, ""]


def shape_and_scale(parameters: Float[Array, "2"]) -> ShapeAndScale:
    """Maps any two numbers to α in (0.01, 2.5), by a sigmoid, and c > 1e-6, by a softplus.

    The maps are *assumed*; the paper gives the ranges.
    """
    alpha = LOWEST_SHAPE + (HIGHEST_SHAPE - LOWEST_SHAPE) * jax.nn.sigmoid(parameters[0])
    return ShapeAndScale(alpha, SMALLEST_SCALE + jax.nn.softplus(parameters[1]))


def start_parameters() -> tuple[float, float]:
    """Finds the two numbers whose α is 2.01 and whose c is 1/√2."""
    share = (START_SHAPE - LOWEST_SHAPE) / (HIGHEST_SHAPE - LOWEST_SHAPE)
    return math.log(share / (1 - share)), math.log(math.expm1(START_SCALE - SMALLEST_SCALE))


@dataclass(frozen=True)
class AdaptiveForm:
    """The loss ρ(d) = (|α−2|/α)·[((d/c)²/|α−2| + 1)^{α/2} − 1] of d = f − y.

    Its two parameters are unconstrained; `shape_and_scale` makes α and c of them. Zero and flat at
    d = 0 whatever they are. In single precision values and slopes are finite for |d/c| up to 1e15,
    the slopes' derivatives by the parameters up to 1e10.

    Attributes:
        variables: the prediction and the target.
    """

    variables: tuple[str, ...] = ("f", "y")
    kind: ClassVar[str] = "adaptive"

    def __post_init__(self) -> None:
        require(
            len(self.variables) == 2,
            "an adaptive loss takes a prediction and a target, "
            f"got the variables {', '.join(self.variables) or 'none'}",
        )

    @property
    def symbolic(self) -> bool:
        """It is no formula."""
        return False

    @property
    def elementwise(self) -> bool:
        """It works element by element."""
        return True

    @property
    def parameter_count(self) -> int:
        """One for the shape and one for the scale."""
        return 2

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.parameter_count

    def family(self) -> LossFamily:
        """Builds the loss; it starts beside the squared error d², the same for every key."""

        def init(key: PRNGKeyArray) -> Float[Array, "2"]:
            del key
            return jnp.asarray(start_parameters(), jnp.result_type(float))

        def apply(
            parameters: Float[Array, "2"], *values: Float[Array, "*shape"]
        ) -> Float[Array, "*shape"]:
            require_arguments(self.variables, 2, parameters, values)
            f, y = values
            alpha, scale = shape_and_scale(parameters.astype(f.dtype))
            return barron(f, y, alpha, scale)

        return LossFamily(init, apply)

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes the loss on what the view shows, summed over each example's elements."""
        return evaluate_family(self.family(), parameters, view, outputs, targets)

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Raises `InvalidInputError`: a power is no formula in EvoMAL's primitives."""
        del parameters
        raise no_formula(self.kind)

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Names the loss, its α and its c."""
        alpha, scale = numbers_of(parameters)
        f, y = self.variables
        return (
            f"Barron's general robust loss of {f} - {y}, "
            f"alpha = {alpha:.{digits}g}, c = {scale:.{digits}g}"
        )

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {"variables": list(self.variables)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "AdaptiveForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        require_keys(cls.kind, data, {"variables"})
        return cls(variables_from_data(data))


def numbers_of(parameters: tuple[float, ...]) -> tuple[float, float]:
    """Computes α and c in double precision, as `shape_and_scale` does in that of its arrays.

    Raises:
        InvalidInputError: the parameters are not two.
    """
    require(len(parameters) == 2, f"the loss has 2 parameters, got {len(parameters)}")
    shape, scale = parameters
    # tanh and exp(−|s|) do not overflow, however large the numbers are.
    share = 0.5 + 0.5 * math.tanh(shape / 2.0)
    softplus = max(scale, 0.0) + math.log1p(math.exp(-abs(scale)))
    return LOWEST_SHAPE + (HIGHEST_SHAPE - LOWEST_SHAPE) * share, SMALLEST_SCALE + softplus
