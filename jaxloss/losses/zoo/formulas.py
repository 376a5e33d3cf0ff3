"""The longer formulas of losses in primitives, as the registry's entries use them."""

import math
from collections.abc import Callable

from jaxloss.errors import InvalidInputError
from jaxloss.losses.zoo.writing import ExpressionForm, number, power, times

PROBABILITIES = "softmax(x)"
"""Class probabilities, over the logits view."""
SHARE = "softmax(x - x)"
"""One over the number of classes, over the logits view."""

LOG_LIKELIHOOD = f"y*log({PROBABILITIES})"
CROSS_ENTROPY_FORMS = (
    ExpressionForm(("softmax",), "-y*log(f)"),
    ExpressionForm(("logits",), f"-{LOG_LIKELIHOOD}"),
)
"""Cross-entropy in primitives."""

HINGE = "max(1 - (y + y - 1)*f, 0)"
"""The hinge of raw scores f and labels 0 and 1, as views show them."""
LOGIT_HINGE = "relu(1 - (y + y - 1)*x)"
"""The same of logits, in the primitives of class losses."""


def rounded_hinge(width: float, factor: float = 1.0) -> str:
    """Writes ``factor`` times the hinge h with a rounded corner: h²/(2w) up to w, then h − w/2."""
    near = times(factor * 0.5 / width, f"square(min({HINGE}, {number(width)}))")
    return f"{near} + {times(factor, f'max({HINGE} - {number(width)}, 0)')}"


def rounded_logit_hinge(width: float, factor: float = 1.0) -> str:
    """Writes the same of logits: what h² has too much beyond w is the square of h − w."""
    beyond = f"relu({number(1.0 - width)} - (y + y - 1)*x)"
    squares = f"({LOGIT_HINGE}*{LOGIT_HINGE} - {beyond}*{beyond})"
    return times(factor * 0.5 / width, squares)


def cosine_of_probabilities() -> str:
    """Writes the distance of class probabilities from labels; each class holds its share of it."""
    lengths = f"sqrt(dot({PROBABILITIES}, {PROBABILITIES})*dot(y, y))"
    return f"{SHARE}*(1 - ratio(dot({PROBABILITIES}, y), {lengths}))"


def huber(delta: float) -> str:
    """Writes Huber's loss."""
    near = f"min(abs(f - y), {number(delta)})"
    return f"0.5*square({near}) + {times(delta, f'(abs(f - y) - {near})')}"


def smooth_l1(beta: float) -> str:
    """Writes Huber's loss divided by its threshold."""
    near = f"min(abs(f - y), {number(beta)})"
    return f"{times(0.5 / beta, f'square({near})')} + (abs(f - y) - {near})"


def barron(alpha: float, scale: float) -> str:
    """Writes Barron's loss for multiples of 0.5, below 0 of 0.25.

    Raises:
        InvalidInputError: α is another number.
    """
    if alpha in (0.0, 2.0):
        half_square = f"0.5*square({times(1.0 / scale, '(f - y)')})"
        return f"log(1 + {half_square})" if alpha == 0 else half_square
    gap = abs(alpha - 2.0)
    error = times(1.0 / (scale * math.sqrt(gap)), "(f - y)")
    # (1 + error²)^{α/2}; for negative α as a power of 1/√(1 + error²), the analytic quotient.
    base, exponent = (
        (f"1 + square({error})", alpha / 2.0) if alpha > 0 else (f"1/({error})", -alpha)
    )
    return times(gap / alpha, f"({power(base, exponent)} - 1)")


def focal(gamma: float) -> str:
    """Writes the focal loss of probabilities, for multiples of 0.25.

    Raises:
        InvalidInputError: γ is another number.
    """
    if gamma == 0:
        return "-y*log(f) - (1 - y)*log(1 - f)"
    return f"-y*{power('1 - f', gamma)}*log(f) - (1 - y)*{power('f', gamma)}*log(1 - f)"


FOCAL_OF_LOGITS = (
    "y*exp(-{gamma}*softplus(x))*softplus(-x) + (1 - y)*exp(-{gamma}*softplus(-x))*softplus(x)"
)
"""The same of logits: 1 − p and −ln p by way of softplus, for any γ and without a guard."""


def symmetric_cross_entropy(f: str) -> Callable[..., str]:
    """Writes symmetric cross-entropy of one-hot labels, whose logarithm is 0 or A."""

    def written(alpha: float, beta: float, log_zero: float) -> str:
        reverse = times(-beta * log_zero, f"y*(1 - {f})")
        return f"-{times(alpha, f'y*log({f})')} + {reverse}"

    return written


def generalized_cross_entropy(q: float) -> str:
    """Writes generalised cross-entropy of probabilities, for multiples of 0.25.

    Raises:
        InvalidInputError: q is another number.
    """
    return times(1.0 / q, f"y*(1 - {power('f', q)})")


def generalized_cross_entropy_of_logits(q: float) -> str:
    """Writes the same of logits, for any q."""
    return times(1.0 / q, f"y*(1 - exp({times(q, f'log({PROBABILITIES})')}))")


def absolute_cross_entropy(f: str) -> Callable[..., str]:
    """Writes absolute cross-entropy of probabilities ``f``."""
    return lambda phi_0, phi_1: times(phi_0, f"y*abs(log({times(phi_1, f)}))")


def baikal(w_0: float, w_1: float, w_2: float) -> str:
    """Writes Baikal of logits; each class holds its share of the mean."""
    quotient = times(w_2, f"ratio(y, {PROBABILITIES})")
    return f"{SHARE}*({quotient} - {times(w_0, f'log({times(w_1, PROBABILITIES)})')})"


def xtreme_margin(lambda_0: float, lambda_1: float) -> str:
    """Writes the Xtreme Margin loss of probabilities and labels 0 or 1."""
    right = "abs(y - max(sign(0.5 - f), 0))"
    roots = [number(math.sqrt(rate)) for rate in (lambda_1, lambda_0)]
    margin = (
        times(math.sqrt(lambda_0), "(f + f - 1)")
        if lambda_0 == lambda_1
        else f"(y*{roots[0]} + (1 - y)*{roots[1]})*(f + f - 1)"
    )
    # 1/(1 + b²) is the square of the analytic quotient of 1 and b.
    return f"{right}*square(1/({margin})) + {number(math.e)}*(1 - {right})*abs(f - y)"


def at_temperature_one(text: str) -> Callable[..., str]:
    """Writes what the softmax view shows for β = 1 alone: the probabilities are those of 1."""

    def written(beta: float) -> str:
        if beta != 1.0:
            raise InvalidInputError(f"it can be written with beta = 1 only, got {beta:g}")
        return text

    return written


def answers(beta: float) -> str:
    """Writes the answers' probabilities at inverse temperature β, of logits."""
    return f"softmax({times(beta, 'x')})"
