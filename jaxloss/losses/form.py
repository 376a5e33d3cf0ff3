"""What every way of writing down a loss family has in common, formula or not."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.errors import InvalidInputError, require
from jaxloss.losses.family import LossFamily
from jaxloss.losses.views import View
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.primitives import Primitive, PrimitiveSet


@runtime_checkable
class Form(Protocol):
    """A loss family as data."""

    kind: ClassVar[str]
    """Under which name it is saved."""

    @property
    def symbolic(self) -> bool:
        """Whether `expression` writes it."""
        ...

    @property
    def elementwise(self) -> bool:
        """Whether `family` computes each value from the same element of the variables alone."""
        ...

    @property
    def parameter_count(self) -> int:
        """How many numbers the family's parameters are."""
        ...

    @property
    def size(self) -> int:
        """How large the loss is: nodes of a tree, else its parameters."""
        ...

    def family(self) -> LossFamily:
        """Builds the family; its parameters are one flat array."""
        ...

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes one value for each example."""
        ...

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Writes the loss with its parameters as one expression with numbers in it.

        Raises:
            InvalidInputError: the loss is not symbolic.
        """
        ...

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Writes one line for people: the formula, or what the loss is if it has none."""
        ...

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        ...


def evaluate_family(
    family: LossFamily,
    parameters: tuple[float, ...],
    view: View,
    outputs: Float[Array, "batch ..."],
    targets: Array,
) -> Float[Array, " batch"]:
    """Computes a family on what the view shows, one value for each example."""
    seen = view.see(outputs, targets)
    values = family.apply(jnp.asarray(parameters, seen[0].dtype), *seen)
    return view.per_example(values, outputs, targets, family.averages)


def rounded_formula(form: Form, parameters: tuple[float, ...], digits: int) -> Expression:
    """Writes a symbolic loss with its numbers rounded to significant digits.

    Whole numbers in it stay whole: who writes 2025 does not mean 2020.
    """

    def rounded(number: float) -> float:
        return float(f"{number:.{digits}g}")

    def terminal(head: str | float) -> Expression:
        if isinstance(head, str) or float(head).is_integer():
            return Expression(head)
        return Expression(rounded(head))

    def function(primitive: Primitive, parts: Sequence[Expression]) -> Expression:
        return Expression(primitive, tuple(parts))

    # First the parameters, so that those of nearly 1 are left out; then what came of them.
    return form.expression(tuple(map(rounded, parameters))).fold(terminal, function)


def no_formula(kind: str) -> InvalidInputError:
    """Makes the error for an expression that there is not; the caller raises it."""
    return InvalidInputError(
        f"a loss of the family {kind!r} is no formula in EvoMAL's primitives; describe writes it"
    )


def require_arguments(
    variables: Sequence[str], count: int, parameters: Array, values: Sequence[Array]
) -> None:
    """Checks what a family of flat parameters is applied to.

    Raises:
        InvalidInputError: the variables are not as many as named or not of one shape, or the
            parameters are not one flat array of ``count`` numbers.
    """
    require(
        len(values) == len(variables) and len({value.shape for value in values}) == 1,
        f"the loss takes {', '.join(variables)} of one shape, got shapes "
        + ", ".join(str(value.shape) for value in values),
    )
    require(
        parameters.shape == (count,),
        f"the loss has {count} parameters, got shape {parameters.shape}",
    )


def variables_from_data(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Reads the names of variables.

    Raises:
        InvalidInputError: they are not a list of plain names without repetition.
    """
    names = data["variables"]
    require(
        isinstance(names, list) and all(isinstance(name, str) for name in names),
        f"expected a list of variable names, got {names!r}",
    )
    return PrimitiveSet(variables=tuple(names)).variables


def require_keys(kind: str, data: Mapping[str, Any], keys: set[str]) -> None:
    """Checks that data describe exactly what a form writes.

    Raises:
        InvalidInputError: a key is missing or unknown.
    """
    require(
        set(data) == keys,
        f"the family {kind!r} is described by {', '.join(sorted(keys))}; "
        f"got {', '.join(sorted(map(str, data))) or 'nothing'}",
    )
