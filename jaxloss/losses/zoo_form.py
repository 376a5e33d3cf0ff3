"""A hand-made loss as data: its name in the zoo, with its parameters fixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from jaxloss.errors import InvalidInputError, require
from jaxloss.losses import zoo
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import require_keys, rounded_formula
from jaxloss.losses.tree import compile_expression
from jaxloss.losses.views import View, view_named
from jaxloss.symbols.expression import Expression

_SEES_VARIABLES = ("real", "probability")
"""Kinds of inputs that are what a view shows, whichever it is."""


@dataclass(frozen=True)
class ZooForm:
    """A loss of the zoo on what a task's network puts out.

    Equal losses are equal forms: an alias gives way to the name, and values that are the defaults
    are dropped.

    Attributes:
        name: its name in the zoo.
        view: name of the view of the tasks that it is for; ``logits`` stands for tasks of the
            softmax view whose formula is to be one of logits.
        values: its parameters that differ from their defaults, sorted by name.

    Raises:
        InvalidInputError: there is no such loss, view or parameter, or they do not fit.
    """

    name: str
    view: str
    values: tuple[tuple[str, float], ...] = ()
    kind: ClassVar[str] = "zoo"

    def __post_init__(self) -> None:
        entry, given = self.entry, dict(self.values)
        values = entry.values(given)
        changed = [name for name in sorted(given) if values[name] != entry.defaults[name]]
        object.__setattr__(self, "name", entry.name)
        object.__setattr__(self, "values", tuple((name, float(values[name])) for name in changed))
        require(
            self.view != "logits" or self.view in self.entry.written_views,
            f"{self.name} cannot be written in primitives over logits",
        )
        self._on_outputs()

    def _on_outputs(self) -> zoo.ZooTaskLoss:
        # The outputs of a task of the softmax view are logits.
        view = "softmax" if self.view == "logits" else self.view
        return zoo.as_task_loss(self.entry, view, **dict(self.values))

    def _sees_variables(self) -> bool:
        return self.entry.kind in _SEES_VARIABLES and view_named(self.view).written != "logits"

    @property
    def entry(self) -> zoo.ZooLoss:
        """What the registry knows about the loss."""
        return zoo.get(self.name)

    @property
    def symbolic(self) -> bool:
        """Whether the primitives can say it over the variables of the view."""
        try:
            return bool(self.expression(()).size)
        except InvalidInputError:
            return False

    @property
    def elementwise(self) -> bool:
        """Whether `family` computes it from the variables of the view, element by element."""
        if self._sees_variables():
            return True
        heads = [node.head for node in self.expression(()).nodes] if self.symbolic else []
        return bool(heads) and all(getattr(head, "elementwise", True) for head in heads)

    @property
    def parameter_count(self) -> int:
        """None of its parameters is open."""
        return 0

    @property
    def size(self) -> int:
        """Nodes of its formula; where it has none, its own parameters."""
        return self.expression(()).size if self.symbolic else len(self.entry.parameters)

    def family(self) -> LossFamily:
        """Builds the loss on the variables of the view, for curves; `evaluate` needs no guard.

        Raises:
            InvalidInputError: it is no elementwise function of them.
        """
        entry, variables = self.entry, view_named(self.view).variables
        if self._sees_variables():
            bound = entry.bind(**dict(self.values))
            return LossFamily(lambda _: jnp.zeros(0), lambda _, *seen: bound(*seen))
        tree = self.expression(())
        apply = compile_expression(tree, variables).apply

        def weighted(_: Array, *seen: Array) -> Array:
            # Made where it is used: a family that is built within a trace outlives it.
            return apply(jnp.ones(tree.size - 1, seen[0].dtype), *seen)

        return LossFamily(lambda _: jnp.zeros(0), weighted)

    def evaluate(
        self, parameters: tuple[float, ...], view: View, outputs: Array, targets: Array
    ) -> Array:
        """Computes the zoo's own function on raw outputs, one value for each example."""
        del parameters, view
        return self._on_outputs()(outputs, targets)

    def expression(self, parameters: tuple[float, ...]) -> Expression:
        """Writes the loss as a formula; ``parameters`` is empty.

        Raises:
            InvalidInputError: the primitives cannot say it over the variables of the view.
        """
        require(not parameters, f"{self.name} has no open parameters")
        return self.entry.expression(self.view, **dict(self.values))

    def describe(self, parameters: tuple[float, ...], digits: int = 3) -> str:
        """Prints the loss in infix, or its name and parameters if the primitives cannot say it."""
        if self.symbolic:
            return rounded_formula(self, parameters, digits).infix()
        numbers = self.entry.values(dict(self.values))
        return ", ".join([self.name, *(f"{key} = {numbers[key]:.{digits}g}" for key in numbers)])

    def as_data(self) -> dict[str, Any]:
        """Describes the form in JSON's terms."""
        return {"name": self.name, "view": self.view, "values": dict(self.values)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "ZooForm":
        """Reads what `as_data` wrote; raises `InvalidInputError` on anything else."""
        require_keys(cls.kind, data, {"name", "view", "values"})
        name, view, values = data["name"], data["view"], data["values"]
        require(
            isinstance(name, str) and isinstance(view, str) and isinstance(values, dict),
            f"a loss of the zoo is described by its name, view and values, got {dict(data)}",
        )
        return cls(name, view, tuple(values.items()))


def zoo_form(spec: str, view: str) -> ZooForm:
    """Makes the form of a loss that a person named for tasks of a view.

    Args:
        spec: what `zoo.read` takes: ``huber`` or ``huber:delta=0.5``.
        view: name of the view.

    Raises:
        InvalidInputError: there is no such loss, view or parameter, or they do not fit.
    """
    entry, given = zoo.read(spec)
    return ZooForm(entry.name, view, tuple(given.items()))
