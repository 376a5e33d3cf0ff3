"""The zoo's losses by name."""

import typing
from collections.abc import Collection, Mapping

from jaxloss.errors import InvalidInputError, nearest_first, require, unknown_name
from jaxloss.losses.zoo import (
    adaptive,
    adversarial,
    boxes,
    cse_autoloss,
    energy_based,
    likelihood,
    margin,
    multiclass,
    probabilistic,
    ranking,
    regression,
    retrieval,
    robust,
    segmentation,
)
from jaxloss.losses.zoo.entry import PROPERTIES, Branch, ZooLoss
from jaxloss.losses.zoo.kinds import KINDS
from jaxloss.losses.zoo.supervised import ZooTaskLoss, as_task_loss, views_of
from jaxloss.losses.zoo.writing import number

BRANCHES: tuple[Branch, ...] = typing.get_args(Branch)
"""The branches in the taxonomy's order."""

_MODULES = (
    regression,
    adaptive,
    margin,
    multiclass,
    probabilistic,
    robust,
    likelihood,
    adversarial,
    ranking,
    energy_based,
    segmentation,
    boxes,
    cse_autoloss,
    retrieval,
)

ZOO: dict[str, ZooLoss] = {loss.name: loss for module in _MODULES for loss in module.LOSSES}
"""Every loss by its name, branch by branch."""

TASK_VIEWS = tuple(dict.fromkeys(view for loss in ZOO.values() for view in views_of(loss)))
"""Names of the views of tasks that losses of the zoo can train."""

_SHOWN = 8
"""How many names the error for an unknown one lists."""

_BY_ANY_NAME = {name: loss for loss in ZOO.values() for name in (loss.name, *loss.aliases)}


def _canonical(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def get(name: str) -> ZooLoss:
    """Finds a loss by its name or an alias; case, spaces and hyphens do not matter.

    Raises:
        InvalidInputError: no loss has that name; says the nearest ones.
    """
    found = _BY_ANY_NAME.get(_canonical(name))
    if found is None:
        raise unknown_name("loss", name, nearest_first(name, _BY_ANY_NAME)[:_SHOWN])
    return found


def read(spec: str) -> tuple[ZooLoss, dict[str, float]]:
    """Reads a loss with parameters, ``huber`` or ``symmetric_cross_entropy:alpha=1:beta=0.5``.

    Returns:
        The loss and the parameters that the text gives.

    Raises:
        InvalidInputError: there is no such loss or parameter, one is given twice, or a value is
            out of its range.
    """
    name, *settings = spec.split(":")
    entry, given = get(name), dict[str, float]()
    for setting in settings:
        parameter, equals, text = setting.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = None
        if not equals or value is None:
            raise InvalidInputError(f"cannot read {setting!r} in {spec!r}; {_way_to_write(entry)}")
        parameter = parameter.strip()
        require(parameter not in given, f"{spec!r} gives {parameter!r} twice")
        given[parameter] = value
    entry.values(given)
    return entry, given


def read_task_loss(spec: str, view: str) -> ZooTaskLoss:
    """Reads a loss with parameters, as `read` does, that trains tasks of a view.

    Raises:
        InvalidInputError: it cannot be read, the view is unknown, or the loss does not fit it.
    """
    entry, parameters = read(spec)
    return as_task_loss(entry, view, **parameters)


def spelled(entry: ZooLoss, given: Mapping[str, float]) -> str:
    """Writes a loss with parameters as `read` takes it, one way for all that mean the same.

    Args:
        entry: the loss.
        given: parameters; those that are the defaults are left out.

    Raises:
        InvalidInputError: a parameter is unknown or out of its range.
    """
    values = entry.values(given)
    changed = {
        key: values[key] for key, default in entry.defaults.items() if values[key] != default
    }
    return ":".join([entry.name, *(f"{key}={number(value)}" for key, value in changed.items())])


def _way_to_write(entry: ZooLoss) -> str:
    if not entry.parameters:
        return f"{entry.name} has no parameters"
    example = "".join(f":{one.name}={one.default:g}" for one in entry.parameters)
    return f"parameters are written NAME=NUMBER, as in {entry.name}{example}"


def select(
    branch: str | None = None,
    kind: str | None = None,
    properties: frozenset[str] = frozenset(),
    view: str | None = None,
    text: str = "",
) -> tuple[ZooLoss, ...]:
    """Lists the losses that have all that is asked for.

    Args:
        branch: of the taxonomy.
        kind: name of what they take.
        properties: all of which hold.
        view: name of the view of tasks that they can train.
        text: part of the name or of an alias.

    Case, spaces and hyphens do not matter.

    Raises:
        InvalidInputError: there is no such branch, kind, property or view.
    """
    kinds = [kind for kind in KINDS if any(loss.kind == kind for loss in ZOO.values())]
    branch = _one_of("branch", branch, BRANCHES)
    kind = _one_of("kind of inputs", kind, kinds)
    view = _one_of("view", view, TASK_VIEWS)
    wanted = {_one_of("property", name, PROPERTIES) for name in properties}
    return tuple(
        loss
        for loss in ZOO.values()
        if branch in (None, loss.branch)
        and kind in (None, loss.kind)
        and wanted <= loss.properties
        and (view is None or view in views_of(loss))
        and any(_canonical(text) in name for name in (loss.name, *loss.aliases))
    )


def _one_of(what: str, name: str | None, choices: Collection[str]) -> str | None:
    if name is None or _canonical(name) in choices:
        return None if name is None else _canonical(name)
    raise unknown_name(what, name, choices)


def names(branch: str | None = None) -> tuple[str, ...]:
    """Lists the names of all losses or of a branch's.

    Raises:
        InvalidInputError: there is no such branch.
    """
    return tuple(loss.name for loss in select(branch))
