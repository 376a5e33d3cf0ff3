"""Names of rows as a person writes them: methods, losses with aliases and parameters, shortcuts."""

from collections.abc import Collection, Mapping
from typing import Any

from jaxloss.errors import InvalidInputError, unknown_name
from jaxloss.losses import zoo
from jaxloss.runs.grid.reading import converted

RIVALS = (
    *("cross_entropy", "label_smoothing", "sparse_lsr", "absolute_cross_entropy", "focal"),
    *("generalized_cross_entropy", "symmetric_cross_entropy", "mae", "mse", "huber", "log_cosh"),
)
"""The hand-made losses that papers on learned losses compare with."""

JOINT = "oal"
"""The row of the online adaptive loss, whose shape is trained along with the network."""

LOSSES = (*zoo.ZOO, JOINT)
"""Hand-made losses that can be compared."""


def loss_shortcuts(losses: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Gives the shortcuts for hand-made losses: the usual rivals, and all that train a network."""
    trainable = tuple(name for name in losses if name in zoo.ZOO and zoo.views_of(zoo.ZOO[name]))
    return {"all": trainable, "rivals": RIVALS}


def expanded(values: Any, shortcuts: Mapping[str, tuple[str, ...]]) -> Any:
    """Puts names in the place of a shortcut, which may stand alone or among other names."""
    listed = [values] if isinstance(values, str) and values in shortcuts else values
    if not isinstance(listed, list | tuple) or not any(_in(one, shortcuts) for one in listed):
        return listed
    names = [name for one in listed for name in (shortcuts[one] if _in(one, shortcuts) else (one,))]
    return [name for place, name in enumerate(names) if name not in names[:place]]


def _in(value: Any, shortcuts: Mapping[str, tuple[str, ...]]) -> bool:
    return isinstance(value, str) and value in shortcuts


def method_name(name: Any, methods: Collection[str]) -> str:
    """Reads the name of a method; raises `InvalidInputError` if there is none."""
    converted(name, str, "each of methods")
    if name not in methods:
        raise unknown_name("method", name, methods)
    return name


def loss_name(name: Any, losses: Collection[str]) -> str:
    """Reads a hand-made loss: its name or an alias, perhaps with parameters.

    Args:
        name: ``"huber"`` or ``"huber:delta=0.5"``.
        losses: names of those that can be compared.

    Returns:
        The loss spelled one way, so that equal rows have equal names.

    Raises:
        InvalidInputError: there is no such loss or parameter, or a value is out of its range.
    """
    converted(name, str, "each of losses")
    if name in losses:
        return name
    first = name.partition(":")[0]
    try:
        canonical = zoo.get(first).name
    except InvalidInputError:
        canonical = first
    if canonical not in losses:
        raise unknown_name("loss", name, losses)
    return zoo.spelled(*zoo.read(name))
