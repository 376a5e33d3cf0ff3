"""What the registry knows about one loss."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Array

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo.inputs import InputKind
from jaxloss.losses.zoo.kinds import KINDS
from jaxloss.losses.zoo.writing import ExpressionForm
from jaxloss.symbols.expression import Expression

Branch = Literal[
    "regression",
    "margin",
    "probabilistic",
    "generative",
    "ranking",
    "energy",
    "segmentation",
    "boxes",
    "retrieval",
]

PROPERTIES = {
    "nonnegative": "no value is below 0",
    "zero_at_target": "0 where the prediction is the target",
    "minimum_at_target": "no prediction costs less than the target itself",
    "convex": "convex in the predictions",
    "symmetric": "errors of one size cost the same in both directions; "
    "for two classes, the same for both",
    "bounded": "values stay within two numbers, whatever the prediction",
    "bounded_gradient": "the gradient by the predictions stays within two numbers",
    "smooth": "the gradient by the predictions has no jumps",
    "proper": "the expected loss is least at the true class probabilities "
    "(of regression losses: on class probabilities and one-hot labels)",
    "noise_tolerant": "summed over the labels that an example may have, the loss is one constant "
    "(of regression losses: on class probabilities and one-hot labels)",
    "unbounded_below": "no prediction is the best",
    "flat": "the gradient is 0 wherever it exists: a metric, nothing to train with",
}
"""What can be said of a loss, and what it means."""


class Parameter(NamedTuple):
    """A number that shapes a loss.

    Attributes:
        name: the keyword of the function.
        default: its value unless given.
        low: the smallest value allowed.
        high: the largest value allowed.
        meaning: what it does, and its unit where it has one.
        source: where the default is from; *assumed* where nobody says.
    """

    name: str
    default: float
    low: float
    high: float
    meaning: str
    source: str


@dataclass(frozen=True)
class ZooLoss:
    """A hand-made loss and what is known about it.

    Attributes:
        name: its short name.
        branch: where the taxonomy (https://arxiv.org/abs/2301.05579) puts it, or its use.
        function: predictions first, then targets, then the parameters as keywords; elementwise
            or one value for each example, as its docstring says.
        kind: name of the `InputKind` of what the function takes.
        formula: LaTeX.
        source: a paper, or a link.
        minimum: where the least value lies and what it is.
        aliases: other names.
        parameters: the numbers that shape it.
        forms: the loss in EvoMAL's primitives over f and y, or in CSE-Autoloss's over logits x and
            labels y or over the areas i, u and e of boxes; the usual one first. Margin losses are
            written for labels 0 and 1.
        optax: name of the function of `optax.losses` that computes the same, if there is one.
        properties: names from `PROPERTIES`; what holds with the default parameters.
    """

    name: str
    branch: Branch
    function: Callable[..., Array]
    kind: str
    formula: str
    source: str
    minimum: str
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    forms: tuple[ExpressionForm, ...] = ()
    optax: str | None = None
    properties: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in self.properties:
            if name not in PROPERTIES:
                raise unknown_name("property", name, PROPERTIES)
        if self.kind not in KINDS:
            raise unknown_name("kind of inputs", self.kind, KINDS)

    @property
    def inputs(self) -> InputKind:
        """What the function takes."""
        return KINDS[self.kind]

    @property
    def view(self) -> str | None:
        """Name of the view that the usual form is for; None if there is no form."""
        return self.forms[0].views[0] if self.forms else None

    @property
    def form(self) -> str | None:
        """The usual form with the default parameters, in infix; None if that cannot be written."""
        try:
            return self.expression().infix()
        except InvalidInputError:
            return None

    @property
    def written_views(self) -> tuple[str, ...]:
        """Names of the views that there is a form for, perhaps with some parameters only."""
        return tuple(view for form in self.forms for view in form.views)

    @property
    def defaults(self) -> dict[str, float]:
        """The parameters' defaults."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def values(self, given: Mapping[str, float]) -> dict[str, float]:
        """Completes parameters with the defaults.

        Raises:
            InvalidInputError: a parameter is unknown, no number, or out of its range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            if not known:
                raise InvalidInputError(f"{self.name} has no parameters, got {name!r}")
            if name not in known:
                raise unknown_name(f"parameter of {self.name}", name, known)
            parameter = known[name]
            require(
                type(value) in (int, float)
                and math.isfinite(value)
                and parameter.low <= value <= parameter.high,
                f"{name} of {self.name} must be a number from {parameter.low:g} to "
                f"{parameter.high:g}, got {value!r}",
            )
        return {**self.defaults, **given}

    def bind(self, **parameters: float) -> Callable[..., Array]:
        """Fixes parameters; the others keep their defaults.

        Returns:
            The function without its parameters.

        Raises:
            InvalidInputError: a parameter is unknown, no number, or out of its range.
        """
        return functools.partial(self.function, **self.values(parameters))

    def expression(self, view: str | None = None, /, **parameters: float) -> Expression:
        """Writes the loss in primitives.

        Args:
            view: name of the view whose variables the formula is to be over; by default that of the
                usual form.
            **parameters: those that differ from their defaults.

        Raises:
            InvalidInputError: the primitives cannot say it, with these parameters or at all.
        """
        values = self.values(parameters)
        if not self.forms:
            raise InvalidInputError(f"{self.name} cannot be written in primitives")
        wanted = self.view if view is None else view_named(view).written
        try:
            return self._form_for(wanted).expression(values, self.defaults)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"{self.name} cannot be written in primitives over what the view {wanted} shows: "
                f"{error}"
            ) from error

    def _form_for(self, view: str | None) -> ExpressionForm:
        for form in self.forms:
            if view in form.views:
                return form
        usual, *others = self.written_views
        also = f", or {' or '.join(others)}" if others else ""
        raise InvalidInputError(f"it is a formula of what the view {usual} shows{also}")
