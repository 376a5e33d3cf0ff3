"""How a loss family is written down: each form names a family and reads back from plain data.

A form is what a saved loss says about its family. It holds no arrays and no code.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Array

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.losses.adaptive import AdaptiveForm
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import (
    Form,
    evaluate_family,
    require_keys,
    rounded_formula,
    variables_from_data,
)
from jaxloss.losses.network import NetworkForm
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.taylor import TaylorForm
from jaxloss.losses.tree import compile_expression
from jaxloss.losses.views import View
from jaxloss.losses.zoo_form import ZooForm
from jaxloss.symbols.detection_primitives import ALL_PRIMITIVES
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.parser import parse
from jaxloss.symbols.primitives import PRIMITIVES, Primitive, PrimitiveSet


@dataclass(frozen=True)
class TreeForm:
    """A symbolic loss with edge weights.

    Attributes:
        tree: the expression.
        variables: the arguments of the loss, in order.
    """

    tree: Expression
    variables: tuple[str, ...] = ("f", "y")
    kind: ClassVar[str] = "tree"

    @property
    def symbolic(self) -> bool:
        """It is a formula."""
        return True

    @property
    def elementwise(self) -> bool:
        """Whether all its functions are."""
        heads = [node.head for node in self.tree.nodes]
        return all(head.elementwise for head in heads if isinstance(head, Primitive))

    @property
    def parameter_count(self) -> int:
        """One weight for each node but the root."""
        return self.tree.size - 1

    @property
    def size(self) -> int:
        """Nodes of the tree."""
        return self.tree.size

    def family(self) -> LossFamily:
        """Compiles the expression."""
        return compile_expression(self.tree, self.variables)

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes the tree on what the view shows, summed over each example's elements."""
        return evaluate_family(self.family(), parameters, view, outputs, targets)

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Writes the weights into the tree as factors; weights of exactly 1 are left out."""
        return with_weights(self.tree, parameters)

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Prints the loss in infix, its weights rounded to significant digits."""
        return rounded_formula(self, parameters, digits).infix()

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {"expression": str(self.tree), "variables": list(self.variables)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "TreeForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        require_keys(cls.kind, data, {"expression", "variables"})
        text, variables = data["expression"], variables_from_data(data)
        require(isinstance(text, str), f"a tree is described by an expression, got {text!r}")
        return cls(parse(text, PrimitiveSet(ALL_PRIMITIVES, variables)), variables)


_READERS: dict[str, Callable[[Mapping[str, Any]], Form]] = {
    form.kind: form.from_data
    for form in (TreeForm, ZooForm, TaylorForm, NetworkForm, AdaptiveForm, OnlineForm)
}


def form_from_data(kind: str, data: Mapping[str, Any]) -> Form:
    """Reads a form of the given kind.

    Raises:
        InvalidInputError: the kind is unknown or the data are not what it writes.
    """
    if kind not in _READERS:
        raise unknown_name("loss family", kind, _READERS)
    return _READERS[kind](data)


def with_weights(tree: Expression, weights: tuple[float, ...]) -> Expression:
    """Writes edge weights into a tree as constant factors; those of exactly 1 are left out."""
    if len(weights) != tree.size - 1:
        raise InvalidInputError(f"{tree} has {tree.size - 1} edge weights, got {len(weights)}")
    times = next(primitive for primitive in PRIMITIVES if primitive.name == "mul")

    def edge(index: int, value: Expression) -> Expression:
        weight = float(weights[index - 1])
        if weight == 1.0:
            return value
        if isinstance(value.head, float) and math.isfinite(weight * value.head):
            return Expression(weight * value.head)
        return Expression(times, (Expression(weight), value))

    def function(primitive: Primitive, parts: Any) -> Expression:
        return Expression(primitive, tuple(parts))

    return tree.fold(Expression, function, edge)
