"""The building blocks of a symbolic loss: one table, one row a primitive.

The twelve functions and four terminals are EvoMAL's (https://arxiv.org/abs/2209.08907, Table 1).
Every function is total on finite inputs and has finite first and mixed derivatives there, unless
the value itself overflows.
"""

import keyword
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import sympy
from jaxtyping import Array, Float

from jaxloss.errors import require, unknown_name

TINY = 1e-7
"""Smallest argument of `log` and `sqrt`; the released EvoMAL code's."""

SYMBOLIC_TINY = sympy.Rational(1, 10**7)
"""The same for SymPy, where a formula comes to 0 exactly: log(0) has no value there."""


@dataclass(frozen=True)
class Primitive:
    """A named function of one or two arrays with its printers.

    Attributes:
        name: its name in call syntax.
        arity: how many arguments it takes, 1 or 2.
        function: the guarded JAX function of arrays of one shape, which it keeps.
        symbolic: the same on SymPy expressions, for display only: of its guards only what SymPy
            would make infinite or without end shows.
        code: the operator, or the function's name, in source for other libraries; `sources` says
            how each library spells it, and where it differs.
        commutative: whether the arguments may be swapped.
        infix: the operator that the infix syntax has for it, if any.
        elementwise: whether each element of the value depends on the same element of the arguments
            alone; only such functions can be interpreted or have their slopes carried forward.
    """

    name: str
    arity: int
    function: Callable[..., Array]
    symbolic: Callable[..., Any]
    code: str
    commutative: bool = False
    infix: str | None = None
    elementwise: bool = True

    def __repr__(self) -> str:
        return self.name


@jax.custom_jvp
def _inverse_norm(b: Float[Array, "..."]) -> Float[Array, "..."]:
    """Computes 1/√(1 + b²) without squaring a large b."""
    scale = jnp.maximum(jnp.abs(b), 1.0)
    return jax.lax.rsqrt(jnp.square(1.0 / scale) + jnp.square(b / scale)) / scale


@_inverse_norm.defjvp
def _inverse_norm_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (b,), (tangent,) = primals, tangents
    inverse_norm = _inverse_norm(b)
    # b · inverse_norm stays within ±1, so that no factor overflows before the small ones shrink it.
    return inverse_norm, -(b * inverse_norm) * inverse_norm * inverse_norm * tangent


def analytic_quotient(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """Computes a / √(1 + b²), a division without a pole (https://doi.org/10.1109/TEVC.2012.2195319)."""
    return a * _inverse_norm(b)


def _guarded_log(a: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.log(jnp.maximum(jnp.abs(a), TINY))


def _guarded_sqrt(a: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.sqrt(jnp.maximum(jnp.abs(a), TINY))


def _symbolic_quotient(a: Any, b: Any) -> Any:
    return a / sympy.sqrt(1 + b**2)


def _symbolic_log(a: Any) -> Any:
    return sympy.log(SYMBOLIC_TINY if a == 0 else sympy.Abs(a))


def symbolic_min(a: Any, b: Any) -> Any:
    """Makes SymPy's minimum."""
    return sympy.Min(a, b, evaluate=_can_be_compared(a, b))


def symbolic_max(a: Any, b: Any) -> Any:
    """Makes SymPy's maximum."""
    return sympy.Max(a, b, evaluate=_can_be_compared(a, b))


def _can_be_compared(*parts: Any) -> bool:
    """Says no where SymPy would raise: for numbers too near 0 to have a sign, as tanh(256) - 1."""
    return all(part.is_comparable or not part.is_number for part in parts)


PRIMITIVES: tuple[Primitive, ...] = (
    Primitive("add", 2, jnp.add, lambda a, b: a + b, "+", True, "+"),
    Primitive("sub", 2, jnp.subtract, lambda a, b: a - b, "-", infix="-"),
    Primitive("mul", 2, jnp.multiply, lambda a, b: a * b, "*", True, "*"),
    Primitive("div", 2, analytic_quotient, _symbolic_quotient, "analytic_quotient", infix="/"),
    Primitive("min", 2, jnp.minimum, symbolic_min, "minimum", True),
    Primitive("max", 2, jnp.maximum, symbolic_max, "maximum", True),
    Primitive("sign", 1, jnp.sign, sympy.sign, "sign"),
    Primitive("square", 1, jnp.square, lambda a: a**2, "square"),
    Primitive("abs", 1, jnp.abs, sympy.Abs, "abs"),
    Primitive("tanh", 1, jnp.tanh, sympy.tanh, "tanh"),
    Primitive("log", 1, _guarded_log, _symbolic_log, "guarded_log"),
    Primitive("sqrt", 1, _guarded_sqrt, lambda a: sympy.sqrt(sympy.Abs(a)), "guarded_sqrt"),
)


@dataclass(frozen=True)
class PrimitiveSet:
    """The alphabet of a search: functions, variables and constants.

    Attributes:
        primitives: the functions; default EvoMAL's twelve.
        variables: names of what the loss sees, predictions before targets.
        constants: values of the constant terminals; default EvoMAL's 1 and -1.
    """

    primitives: tuple[Primitive, ...] = PRIMITIVES
    variables: tuple[str, ...] = ("f", "y")
    constants: tuple[float, ...] = (1.0, -1.0)

    def __post_init__(self) -> None:
        names = [primitive.name for primitive in self.primitives] + list(self.variables)
        require(len(names) == len(set(names)), f"names must be unique, got {', '.join(names)}")
        require(len(self.variables) >= 1, "a loss needs at least one variable")
        for name in self.variables:
            require(
                name.isidentifier() and not keyword.iskeyword(name),
                f"variable {name!r} is not a plain name",
            )

    @property
    def elementwise(self) -> bool:
        """Whether every function is."""
        return all(primitive.elementwise for primitive in self.primitives)

    @cached_property
    def by_name(self) -> dict[str, Primitive]:
        """The functions by name."""
        return {primitive.name: primitive for primitive in self.primitives}

    def primitive(self, name: str) -> Primitive:
        """Finds a function by name.

        Raises:
            InvalidInputError: no function has that name.
        """
        if name not in self.by_name:
            raise unknown_name("primitive", name, self.by_name)
        return self.by_name[name]


EVOMAL_PRIMITIVES = PrimitiveSet()
"""The alphabet of the EvoMAL paper."""
