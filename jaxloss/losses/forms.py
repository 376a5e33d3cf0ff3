"""How a loss family is written down: each form names a family and reads back from plain data.

A form is what a saved loss says about its family. It holds no arrays and no code.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.losses.adaptive import AdaptiveForm
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import Form, Library, evaluate_family, rounded_formula
from jaxloss.losses.network import NetworkForm
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.task_losses import task_loss
from jaxloss.losses.taylor import TaylorForm
from jaxloss.losses.tree import compile_expression
from jaxloss.losses.views import View
from jaxloss.symbols.detection_primitives import ALL_PRIMITIVES, BOX_PRIMITIVES, ratio
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.parser import parse
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES, PRIMITIVES, Primitive, PrimitiveSet


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
    symbolic: ClassVar[bool] = True

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

    def code(self, parameters: tuple[float, ...], library: Library) -> str:
        """Prints source of one Python expression over the variables."""
        return self.expression(parameters).code(library)

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {"expression": str(self.tree), "variables": list(self.variables)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "TreeForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        require(set(data) == {"expression", "variables"}, f"a tree is not described by {set(data)}")
        text, variables = data["expression"], data["variables"]
        require(
            isinstance(text, str)
            and isinstance(variables, list)
            and all(isinstance(name, str) for name in variables),
            "a tree is described by an expression and a list of variable names",
        )
        return cls(parse(text, PrimitiveSet(ALL_PRIMITIVES, tuple(variables))), tuple(variables))


def _cross_entropy(_: Array, f: Array, y: Array) -> Array:
    # For curves over f; `evaluate` works on the outputs, where nothing needs a guard.
    return -y * jnp.log(jnp.maximum(f, jnp.finfo(f.dtype).tiny))


def _binary_cross_entropy(parameters: Array, f: Array, y: Array) -> Array:
    return _cross_entropy(parameters, f, y) + _cross_entropy(parameters, 1 - f, 1 - y)


def _squared_error(_: Array, f: Array, y: Array) -> Array:
    return jnp.square(f - y)


def _generalized_iou(_: Array, i: Array, u: Array, e: Array) -> Array:
    return 1 - ratio(i, u) + ratio(e - u, e)


class _Usual(NamedTuple):
    """A usual loss on what its view shows, and as a formula in some primitives."""

    function: Callable[..., Array]
    formula: str
    primitives: PrimitiveSet = EVOMAL_PRIMITIVES


_TASK_LOSSES = {
    "cross_entropy": _Usual(_cross_entropy, "-y*log(f)"),
    "binary_cross_entropy": _Usual(_binary_cross_entropy, "-y*log(f) - (1 - y)*log(1 - f)"),
    "mse": _Usual(_squared_error, "(f - y)**2"),
    "giou": _Usual(_generalized_iou, "1 - ratio(i, u) + ratio(e - u, e)", BOX_PRIMITIVES),
}


@dataclass(frozen=True)
class TaskLossForm:
    """A usual loss under its name, for a search that found nothing better.

    Attributes:
        name: ``cross_entropy``, ``binary_cross_entropy``, ``mse`` or ``giou``.
    """

    name: str
    kind: ClassVar[str] = "task_loss"
    symbolic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.name not in _TASK_LOSSES:
            raise unknown_name("task loss", self.name, _TASK_LOSSES)

    @property
    def parameter_count(self) -> int:
        """A usual loss has no parameters."""
        return 0

    @property
    def size(self) -> int:
        """Nodes of its formula."""
        return self.expression(()).size

    def family(self) -> LossFamily:
        """Builds the loss on what its view shows it, f guarded against 0."""
        return LossFamily(lambda _: jnp.zeros(0), _TASK_LOSSES[self.name].function)

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes the loss on the raw outputs; it has no parameters and needs no view."""
        del parameters, view
        return task_loss(self.name, outputs, targets)

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Writes the loss as a formula; ``parameters`` is empty."""
        require(not parameters, f"{self.name} has no parameters")
        usual = _TASK_LOSSES[self.name]
        return parse(usual.formula, usual.primitives)

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Prints the loss in infix."""
        return rounded_formula(self, parameters, digits).infix()

    def code(self, parameters: tuple[float, ...], library: Library) -> str:
        """Prints source of one Python expression over the variables."""
        return self.expression(parameters).code(library)

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {"name": self.name}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "TaskLossForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        require(
            set(data) == {"name"} and isinstance(data["name"], str),
            "a task loss is described by its name alone",
        )
        return cls(data["name"])


_READERS: dict[str, Callable[[Mapping[str, Any]], Form]] = {
    form.kind: form.from_data
    for form in (TreeForm, TaskLossForm, TaylorForm, NetworkForm, AdaptiveForm, OnlineForm)
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
