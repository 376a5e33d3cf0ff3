"""CSE-Autoloss's building blocks: a set for class losses and one for box losses.

Paper: https://arxiv.org/abs/2102.04700; both sets are those of its released code. Where EvoMAL has
a function of the same meaning, its row of the table serves here too, with its guards: `log` and
`sqrt` take |a|, kept above 1e-7. Division is `ratio`, since `div` is EvoMAL's analytic quotient.

Every function is total on finite inputs. Derivatives are finite there unless they are themselves
too large for a float, as those of `ratio` are for a numerator above 1e16 over the least divisor.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import sympy
from jaxtyping import Array, Float

from jaxloss.symbols.primitives import (
    EVOMAL_PRIMITIVES,
    PRIMITIVES,
    SYMBOLIC_TINY,
    TINY,
    Primitive,
    PrimitiveSet,
    analytic_quotient,
    symbolic_max,
)

Values = Float[Array, "*shape"]
Classes = Float[Array, "*batch classes"]

LARGEST_EXPONENT = 50.0
"""Where `exp` stops to grow. *Assumed*: the released code stops at 88, just before float32
overflows, which leaves no room for what a tree does with the value."""


def serf(a: Values) -> Values:
    """Computes the S-curve of the error function, (erf(√π·a/4) + 1)/2, with slope ¼ at 0."""
    return (jax.lax.erf(math.sqrt(math.pi) / 4.0 * a) + 1.0) / 2.0


def sgdf(a: Values) -> Values:
    """Computes the S-curve of the Gudermannian function gd(t) = 2·arctan(tanh(t/2)).

    It is (2/π·gd(π·a/4) + 1)/2, with slope ¼ at 0.
    """
    return (4.0 / math.pi * jnp.arctan(jnp.tanh(math.pi / 8.0 * a)) + 1.0) / 2.0


def salf(a: Values) -> Values:
    """Computes the S-curve of t/√(1 + t²) at t = a/2, raised and halved, with slope ¼ at 0."""
    return (analytic_quotient(a / 2.0, a / 2.0) + 1.0) / 2.0


def ratio(a: Values, b: Values) -> Values:
    """Computes a/b; a divisor nearer to 0 than 1e-7 counts as ±1e-7, with b = 0 as above 0.

    Within that distance the slope to b is 0.
    """
    least = jnp.where(b < 0, -TINY, TINY).astype(b.dtype)
    return a / jnp.where(jnp.abs(b) > TINY, b, least)


def dot(a: Classes, b: Classes) -> Classes:
    """Computes the inner product over the last axis and repeats it along that axis.

    So values keep the shape of the variables. ``neg(dot(y, log(softmax(x))))`` is cross-entropy in
    each of the C elements: a caller who sums over classes gets C times what the released code has,
    which drops the axis instead.
    """
    products = a * b
    return jnp.broadcast_to(jnp.sum(products, -1, keepdims=True), products.shape)


def _softmax(a: Classes) -> Classes:
    return jax.nn.softmax(a, axis=-1)


def _bounded_exp(a: Values) -> Values:
    return jnp.exp(jnp.minimum(a, LARGEST_EXPONENT))


def _relu(a: Values) -> Values:
    return jnp.maximum(a, 0.0)


def _symbolic_exp(a: Any) -> Any:
    # A number alone is bounded: exponentials of exponentials of numbers would never be computed.
    bounded = a.is_comparable and a > LARGEST_EXPONENT
    return sympy.exp(sympy.Integer(int(LARGEST_EXPONENT)) if bounded else a)


def _symbolic_ratio(a: Any, b: Any) -> Any:
    return a / (SYMBOLIC_TINY if b == 0 else b)


def _symbolic_salf(a: Any) -> Any:
    return (a / 2 / sympy.sqrt(1 + a**2 / 4) + 1) / 2


def _symbolic_serf(a: Any) -> Any:
    return (sympy.erf(sympy.sqrt(sympy.pi) * a / 4) + 1) / 2


def _symbolic_sgdf(a: Any) -> Any:
    return (4 / sympy.pi * sympy.atan(sympy.tanh(sympy.pi * a / 8)) + 1) / 2


_EVERYWHERE = (
    Primitive("neg", 1, jnp.negative, lambda a: -a, "-"),
    Primitive("exp", 1, _bounded_exp, _symbolic_exp, "bounded_exp"),
    Primitive("softplus", 1, jax.nn.softplus, lambda a: sympy.log(1 + sympy.exp(a)), "softplus"),
    Primitive("sigmoid", 1, jax.nn.sigmoid, lambda a: 1 / (1 + sympy.exp(-a)), "sigmoid"),
    Primitive("sin", 1, jnp.sin, sympy.sin, "sin"),
    Primitive("cos", 1, jnp.cos, sympy.cos, "cos"),
    Primitive("relu", 1, _relu, lambda a: symbolic_max(a, sympy.Integer(0)), "positive_part"),
    Primitive("ratio", 2, ratio, _symbolic_ratio, "ratio"),
)
"""What both branches have beside EvoMAL's."""

_CLASSES_ONLY = (
    Primitive("sgdf", 1, sgdf, _symbolic_sgdf, "sgdf"),
    Primitive("salf", 1, salf, _symbolic_salf, "salf"),
    Primitive("serf", 1, serf, _symbolic_serf, "serf"),
    Primitive("softmax", 1, _softmax, sympy.Function("softmax"), "softmax", elementwise=False),
    Primitive("dot", 2, dot, sympy.Function("dot"), "dot", True, elementwise=False),
)

_SHARED = tuple(
    EVOMAL_PRIMITIVES.primitive(name)
    for name in ("add", "sub", "mul", "log", "abs", "sqrt", "tanh")
)

ALL_PRIMITIVES: tuple[Primitive, ...] = (*PRIMITIVES, *_EVERYWHERE, *_CLASSES_ONLY)
"""Every function that a formula can hold, EvoMAL's first; a name stands for one function."""

CLASS_PRIMITIVES = PrimitiveSet(
    (*_SHARED, *_EVERYWHERE, *_CLASSES_ONLY), variables=("x", "y"), constants=(1.0, 2.0, 3.0)
)
"""For class losses of logits x and one-hot labels y. The released code adds the boxes' overlap."""

BOX_PRIMITIVES = PrimitiveSet(
    (*_SHARED, *_EVERYWHERE), variables=("i", "u", "e"), constants=(1.0, 2.0, 3.0)
)
"""For box losses of areas: intersection i, union u, and the smallest enclosing box e."""
