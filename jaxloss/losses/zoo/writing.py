"""How losses of the zoo are written in primitives: formulas over what a view shows."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxloss.errors import InvalidInputError, require
from jaxloss.losses.views import view_named
from jaxloss.symbols.detection_primitives import BOX_PRIMITIVES, CLASS_PRIMITIVES
from jaxloss.symbols.expression import Expression, print_terminal
from jaxloss.symbols.parser import parse
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES, PrimitiveSet

EVERYWHERE = ("identity", "softmax", "sigmoid")
"""Views of f and y; losses that compare the two, whatever they are, are written for all three."""

_SETS: dict[str, PrimitiveSet] = {
    **dict.fromkeys(EVERYWHERE, EVOMAL_PRIMITIVES),
    "logits": CLASS_PRIMITIVES,
    "boxes": BOX_PRIMITIVES,
}
"""The primitives of the searches that look at a view: EvoMAL's, or one of CSE-Autoloss's sets."""


class ExpressionForm(NamedTuple):
    """A loss as a formula of what some views show.

    It equals the loss wherever no guard of the primitives acts, summed over an example's elements.

    Attributes:
        views: names of the views, the usual one first.
        text: the formula with parameters in braces; the parameters without a place in it have to
            keep their defaults. Or a function that takes all parameters as keywords, writes the
            formula, and raises `InvalidInputError` for values that the primitives cannot say.
    """

    views: tuple[str, ...]
    text: str | Callable[..., str]

    def expression(self, values: Mapping[str, float], defaults: Mapping[str, float]) -> Expression:
        """Writes the loss with these parameters.

        Raises:
            InvalidInputError: the primitives cannot say it.
        """
        if not isinstance(self.text, str):
            return self._parsed(self.text(**values))
        for name, default in defaults.items():
            require(
                "{" + name + "}" in self.text or values[name] == default,
                f"it can be written with {name} = {default:g} only, got {values[name]:g}",
            )
        return self._parsed(self.text.format(**{key: number(values[key]) for key in values}))

    def _parsed(self, text: str) -> Expression:
        return parse(text, _SETS[view_named(self.views[0]).name])


def number(value: float) -> str:
    """Prints a number so that it reads back exactly."""
    return print_terminal(float(value))


def times(factor: float, term: str) -> str:
    """Writes a product with a number; that with 1 is the term itself."""
    return term if factor == 1 else f"{number(factor)}*{term}"


def power(base: str, exponent: float) -> str:
    """Writes a power of a formula without negative values, by squares and roots.

    Raises:
        InvalidInputError: the exponent is no multiple of 0.25 from 0 on.
    """
    quarters = 4.0 * exponent
    if quarters < 0 or quarters != int(quarters):
        raise InvalidInputError(
            f"squares and roots make powers that are multiples of 0.25, not {exponent:g}"
        )
    factors: list[str] = []
    whole, rest = divmod(int(quarters), 4)
    doubled = f"({base})"
    while whole:
        if whole % 2:
            factors.append(doubled)
        doubled, whole = f"square({doubled})", whole // 2
    if rest >= 2:
        factors.append(f"sqrt({base})")
    if rest % 2:
        factors.append(f"sqrt(sqrt({base}))")
    return "*".join(factors) or "1"
