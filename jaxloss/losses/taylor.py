"""Polynomials in prediction and target, the losses of TaylorGLO and ARL.

TaylorGLO: https://arxiv.org/abs/2002.00059. ARL: https://arxiv.org/abs/2103.00243. A Taylor
polynomial around a centre that is a parameter too, without the terms that do not hold the
prediction and so have no gradient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import (
    evaluate_family,
    require_arguments,
    require_keys,
    rounded_formula,
    variables_from_data,
)
from jaxloss.losses.views import View
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES

HIGHEST_ORDER = 8
"""Most that exponents may add up to (*assumed*): 38 parameters."""


@dataclass(frozen=True)
class TaylorForm:
    """The polynomial Σ θ_ab·(f − c_f)^a·(y − c_y)^b over a ≥ 1, b ≥ 0, a + b ≤ order.

    Its parameters are ``c_f, c_y`` and then the θ_ab, by b and within one b by a: at order 3
    θ10, θ20, θ30, θ11, θ21, θ12. In TaylorGLO's numbering, which starts with the centre of the
    label, these eight are θ1, θ0, θ2, θ3, θ4, θ5, θ6, θ7.

    Values and derivatives are finite as long as they are no larger than a float: at order 3 in
    single precision for differences and θ up to about 1e9.

    Attributes:
        order: highest exponent of a term, both variables together, 1 to 8. TaylorGLO's released
            code has 3, which gives 8 parameters; ARL has 4, which gives 12.
        variables: the prediction and the target.
    """

    order: int = 3
    variables: tuple[str, ...] = ("f", "y")
    kind: ClassVar[str] = "taylor"

    def __post_init__(self) -> None:
        require(
            type(self.order) is int and 1 <= self.order <= HIGHEST_ORDER,
            f"order: {self.order!r}; expected a whole number from 1 to {HIGHEST_ORDER}",
        )
        require(
            len(self.variables) == 2,
            "a Taylor loss takes a prediction and a target, "
            f"got the variables {', '.join(self.variables) or 'none'}",
        )

    @property
    def symbolic(self) -> bool:
        """It is a formula."""
        return True

    @property
    def elementwise(self) -> bool:
        """It works element by element."""
        return True

    @property
    def exponents(self) -> tuple[tuple[int, int], ...]:
        """The exponents a, b of prediction and target, in the order of the θ_ab."""
        return tuple(
            (of_prediction, of_target)
            for of_target in range(self.order)
            for of_prediction in range(1, self.order - of_target + 1)
        )

    @property
    def parameter_count(self) -> int:
        """The two numbers of the centre and one for each term."""
        return 2 + len(self.exponents)

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.parameter_count

    def family(self) -> LossFamily:
        """Builds the polynomial; it starts with all parameters 0, as TaylorGLO's search does."""

        def init(key: PRNGKeyArray) -> Float[Array, " parameters"]:
            del key
            return jnp.zeros(self.parameter_count)

        def apply(
            parameters: Float[Array, " parameters"], *values: Float[Array, "*shape"]
        ) -> Float[Array, "*shape"]:
            require_arguments(self.variables, self.parameter_count, parameters, values)
            numbers = parameters.astype(values[0].dtype)
            f, y = values[0] - numbers[0], values[1] - numbers[1]
            terms = (
                numbers[2 + place] * (f**a * y**b if b else f**a)
                for place, (a, b) in enumerate(self.exponents)
            )
            return reduce(jnp.add, terms)

        return LossFamily(init, apply)

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes the polynomial on what the view shows, summed over each example's elements."""
        return evaluate_family(self.family(), parameters, view, outputs, targets)

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Writes the polynomial in EvoMAL's primitives; terms that are 0 are left out.

        If all are, it is 0 times the prediction.
        """
        require(
            len(parameters) == self.parameter_count,
            f"the loss has {self.parameter_count} parameters, got {len(parameters)}",
        )
        f, y = (
            _shifted(name, centre)
            for name, centre in zip(self.variables, parameters[:2], strict=True)
        )
        terms = [
            (factor, _product(_power(f, a), _power(y, b)) if b else _power(f, a))
            for factor, (a, b) in zip(parameters[2:], self.exponents, strict=True)
            if factor != 0
        ]
        if not terms:
            return _product(Expression(0.0), Expression(self.variables[0]))
        (factor, term), *others = terms
        total = _times(factor, term)
        for factor, term in others:
            name = "add" if factor > 0 else "sub"
            total = _call(name, total, _times(abs(factor), term))
        return total

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Prints the polynomial in infix, its parameters rounded to significant digits."""
        return rounded_formula(self, parameters, digits).infix()

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {"order": self.order, "variables": list(self.variables)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "TaylorForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        require_keys(cls.kind, data, {"order", "variables"})
        return cls(data["order"], variables_from_data(data))


def _call(name: str, *arguments: Expression) -> Expression:
    return Expression(EVOMAL_PRIMITIVES.primitive(name), arguments)


def _shifted(name: str, centre: float) -> Expression:
    variable = Expression(name)
    if centre == 0:
        return variable
    return _call("sub" if centre > 0 else "add", variable, Expression(abs(float(centre))))


def _power(base: Expression, exponent: int) -> Expression:
    if exponent == 1:
        return base
    if exponent % 2:
        return _product(_power(base, exponent - 1), base)
    return _call("square", _power(base, exponent // 2))


def _product(left: Expression, right: Expression) -> Expression:
    return _call("mul", left, right)


def _times(factor: float, term: Expression) -> Expression:
    return term if factor == 1 else _product(Expression(float(factor)), term)
