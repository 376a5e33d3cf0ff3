"""The frozen result of a search: a plain callable that saves to readable text."""

import hashlib
import json
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import Array, Float, Num

from jaxloss.errors import InvalidInputError, require
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import Form, rounded_formula
from jaxloss.losses.forms import form_from_data
from jaxloss.losses.views import view_named
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.sources import Library

_FORMAT = "jaxloss learned loss"
_VERSION = 1
_KEYS = {"format", "version", "view", "family", "definition", "parameters", "origin", "sha256"}


@dataclass(frozen=True)
class LearnedLoss:
    """A loss family with its parameters: ``loss(outputs, targets) -> per-example values``.

    It takes what optax's losses take: logits and integer or one-hot labels for classification, raw
    outputs for regression. It is hashable, so it can be a static argument of ``jit``.

    Attributes:
        form: the family, as data.
        parameters: the family's parameters, flat; numbers of any type are kept as floats.
        view: name of the `View` that turns outputs and targets into variables.
        origin: where it was learned, as pairs of strings; for people only.
    """

    form: Form
    parameters: tuple[float, ...]
    view: str
    origin: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(map(float, self.parameters)))
        view_named(self.view)
        require(
            len(self.parameters) == self.form.parameter_count,
            f"the loss needs {self.form.parameter_count} parameters, got {len(self.parameters)}",
        )
        require(
            all(math.isfinite(parameter) for parameter in self.parameters),
            "a learned loss needs finite parameters",
        )

    @cached_property
    def family(self) -> LossFamily:
        """The loss family, for further training of the parameters."""
        return self.form.family()

    def __call__(
        self, outputs: Float[Array, "batch ..."], targets: Num[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """Computes one value for each example; the caller takes the mean.

        Raises:
            InvalidInputError: at trace time, if the shapes do not fit the view.
        """
        return self.form.evaluate(self.parameters, view_named(self.view), outputs, targets)

    @property
    def is_symbolic(self) -> bool:
        """Whether the loss is a formula; else `expression` and `sympy` raise."""
        return self.form.symbolic

    @property
    def expression(self) -> Expression:
        """The loss as one expression, its parameters written in as numbers.

        Raises:
            InvalidInputError: the loss is no formula.
        """
        return self.form.expression(self.parameters)

    def formula(self, digits: int = 3) -> str:
        """Prints the loss in infix, its parameters rounded to significant digits.

        A loss that is no formula is described in one line instead.
        """
        return self.form.describe(self.parameters, digits)

    def latex(self, digits: int = 3) -> str:
        """Prints LaTeX, likewise; a description is set as text."""
        if not self.is_symbolic:
            return rf"\text{{{self.formula(digits)}}}".replace("_", r"\_")
        return rounded_formula(self.form, self.parameters, digits).latex(digits=digits)

    def sympy(self, digits: int = 3) -> Any:
        """Converts to SymPy for display; the guards of log and its kin are not shown.

        Raises:
            InvalidInputError: the loss is no formula.
        """
        return rounded_formula(self.form, self.parameters, digits).sympy(digits=digits)

    def code(self, library: Library = "jax") -> str:
        """Writes source that runs without jaxloss, with the parameters in full.

        See `jaxloss.losses.export.export_code`, which writes for other targets too.

        Raises:
            InvalidInputError: the loss cannot be written for other libraries, and why.
        """
        # Exports are made of losses.
        from jaxloss.losses.export import export_code

        return export_code(self, "optax" if library == "jax" else "torch")

    def __str__(self) -> str:
        return self.formula()

    def to_json(self) -> str:
        """Writes the loss as text; equal losses give equal text."""
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "view": self.view,
            "family": self.form.kind,
            "definition": self.form.as_data(),
            "parameters": list(self.parameters),
            "origin": dict(self.origin),
        }
        return json.dumps({**content, "sha256": _digest(content)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "LearnedLoss":
        """Reads what `to_json` wrote. Nothing in the text is executed.

        Raises:
            InvalidInputError: the text is not a learned loss or was changed after it was saved.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            # Not only for broken JSON: Python reads no whole numbers of over 4300 digits.
            raise InvalidInputError(f"not a learned loss: broken JSON, {error}") from error
        require(
            isinstance(content, dict) and content.get("format") == _FORMAT,
            f"not a learned loss: expected JSON with format {_FORMAT!r}",
        )
        require(
            content.get("version") == _VERSION,
            f"a learned loss of version {content.get('version')}; this jaxloss reads {_VERSION}",
        )
        require(set(content) == _KEYS, f"a learned loss has exactly the keys {sorted(_KEYS)}")
        checksum = content.pop("sha256")
        require(
            checksum == _digest(content),
            "the learned loss was changed after it was saved (its checksum does not fit); "
            "use a copy from the run folder",
        )
        _check_types(content)
        return cls(
            form_from_data(content["family"], content["definition"]),
            tuple(_as_float(parameter) for parameter in content["parameters"]),
            content["view"],
            tuple(content["origin"].items()),
        )


def _check_types(content: dict[str, Any]) -> None:
    parameters, origin = content["parameters"], content["origin"]
    require(
        isinstance(content["view"], str)
        and isinstance(content["family"], str)
        and isinstance(content["definition"], dict)
        and isinstance(parameters, list)
        and all(type(parameter) in (int, float) for parameter in parameters)
        and isinstance(origin, dict)
        and all(isinstance(value, str) for value in origin.values()),
        "a learned loss holds values of the wrong type",
    )


def _as_float(number: float) -> float:
    """Converts a number of JSON, where whole numbers know no bounds."""
    return float(number) if abs(number) <= sys.float_info.max else math.inf


def _digest(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
