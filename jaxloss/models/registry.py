"""Finds a network by the short text that a person writes for it."""

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.models.adapters import adapt, from_linen
from jaxloss.models.lenet import LeNet5
from jaxloss.models.mlp import MLP
from jaxloss.models.model import Model
from jaxloss.models.python_names import load_attribute

MODEL_NAMES = ("linear", "mlp", "lenet5")
"""Networks that come with jaxloss; any other is written ``module:factory``."""

DEFAULT_WIDTHS = "50-50"
"""Hidden widths of ``"mlp"``: small enough for a search on a laptop (*assumed*)."""


def create_model(spec: str, outputs: int) -> Model:
    """Makes the network that ``spec`` names.

    Args:
        spec: ``"linear"``, ``"mlp"`` (the same as ``"mlp:50-50"``), ``"mlp:WIDTH-WIDTH-..."``,
            ``"lenet5"``, or ``"module:factory"``: a Python module that can be imported, also from
            the current folder, and in it a function ``factory(outputs)`` that returns anything
            `jaxloss.models.adapt` takes.
        outputs: units of the last layer: classes, or values to predict.

    Returns:
        The network, named by its spec.

    Raises:
        InvalidInputError: the name is unknown, a width is no positive number, or the factory
            cannot be found or used.
    """
    require(outputs >= 1, f"a model needs at least one output, got {outputs}")
    family, colon, setting = spec.partition(":")
    if not colon and family not in MODEL_NAMES:
        raise unknown_name("model", spec, (*MODEL_NAMES, "mlp:100-100", "module:factory"))
    if family == "mlp":
        widths = _widths(spec, setting if colon else DEFAULT_WIDTHS)
        return from_linen(MLP(widths, outputs), spec)
    if family not in MODEL_NAMES:
        return _from_factory(spec, outputs)
    require(not colon, f"model {family!r} takes no setting, got {spec!r}; write {family!r}")
    return from_linen(MLP((), outputs) if family == "linear" else LeNet5(outputs), spec)


def _widths(spec: str, text: str) -> tuple[int, ...]:
    widths = text.split("-")
    if not all(width.isascii() and width.isdigit() and int(width) > 0 for width in widths):
        raise InvalidInputError(
            f"model {spec!r}: widths must be positive whole numbers joined by '-', "
            "for instance 'mlp:50-50'"
        )
    return tuple(int(width) for width in widths)


def _from_factory(spec: str, outputs: int) -> Model:
    factory = load_attribute(spec, "model")
    require(callable(factory), f"model {spec!r} is no function; expected factory(outputs)")
    try:
        made = factory(outputs)
    # The factory is the person's own code and can fail in any way.
    except Exception as error:
        raise InvalidInputError(
            f"model {spec!r}: factory({outputs}) failed ({type(error).__name__}: {error})"
        ) from error
    return adapt(made, spec)
