"""What a loss of each family computes of ``outputs`` and ``targets``, as source."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxloss.errors import InvalidInputError, require
from jaxloss.losses.adaptive import AdaptiveForm, numbers_of
from jaxloss.losses.export.numeric import barron_lines, network_lines, taylor_lines
from jaxloss.losses.export.statements import statements
from jaxloss.losses.export.views import view_source
from jaxloss.losses.export.zoo_bodies import zoo_body
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.network import NetworkForm
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.taylor import TaylorForm
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo_form import ZooForm
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.primitives import Primitive
from jaxloss.symbols.sources import Library


class Body(NamedTuple):
    """What stands in an exported function, and before it.

    Attributes:
        lines: they compute ``values`` of ``outputs`` and ``targets``.
        constants: arrays that the lines name.
        primitives: names of the primitives that the lines compute.
        notes: how the values differ from the loss's, beside what its primitives' notes say.
        averages: whether values are averaged over each example, whatever the view does.
    """

    lines: str
    constants: str = ""
    primitives: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    averages: bool = False


ONLINE = (
    "online: this is the loss as a training starts with it; in jaxloss it goes on learning while "
    "the network trains"
)
"""How any export differs from a loss that adapts."""


def body(loss: LearnedLoss, library: Library) -> Body:
    """Writes what a loss computes.

    Lines are in the names of `jaxloss.symbols.sources` but for the labels and constants, which are
    the library's.

    Raises:
        InvalidInputError: the loss is neither a formula nor of a family that is written here, or
            its variables are not those of its view.
    """
    form, view = loss.form, view_named(loss.view)
    source = view_source(view.name)
    seen = f"{source.labels[library]}\n{source.variables}\n"
    if isinstance(form, ZooForm):
        return _zoo(loss, form, library, seen)
    if isinstance(form, OnlineForm):
        start = _network(form.base, loss.parameters, view.variables, library, seen)
        return start._replace(notes=(ONLINE,))
    if isinstance(form, NetworkForm):
        return _network(form, loss.parameters, view.variables, library, seen)
    if isinstance(form, TaylorForm):
        _require_as_many(form.variables, view.variables)
        return Body(seen + taylor_lines(form, loss.parameters, view.variables))
    if isinstance(form, AdaptiveForm):
        _require_as_many(form.variables, view.variables)
        return Body(seen + barron_lines(*numbers_of(loss.parameters), view.variables))
    if form.symbolic:
        return _tree(loss, library, seen)
    raise InvalidInputError(f"a loss of the family {form.kind!r} has no source for other libraries")


def _network(
    form: NetworkForm,
    parameters: tuple[float, ...],
    variables: tuple[str, ...],
    library: Library,
    seen: str,
) -> Body:
    _require_as_many(form.variables, variables)
    constants, lines = network_lines(form, parameters, variables, library)
    return Body(seen + lines, constants, averages=form.averages)


def _zoo(loss: LearnedLoss, form: ZooForm, library: Library, seen: str) -> Body:
    parameters = form.entry.values(dict(form.values))
    if form.name == "barron":
        variables = view_named(loss.view).variables
        return Body(seen + barron_lines(parameters["alpha"], parameters["scale"], variables))
    lines = zoo_body(form.name, form.entry.kind, loss.view, parameters, library)
    if lines is not None:
        return Body(lines)
    require(
        form.symbolic,
        f"{form.name} has no source for other libraries: the primitives cannot say it",
    )
    note = f"{form.name}: written in primitives; it differs where one of their guards acts"
    return _tree(loss, library, seen)._replace(notes=(note,))


def _tree(loss: LearnedLoss, library: Library, seen: str) -> Body:
    expression, variables = loss.expression, view_named(loss.view).variables
    own = getattr(loss.form, "variables", variables)
    _require_as_many(own, variables)
    renamed = _renamed(expression, dict(zip(own, variables, strict=True)))
    heads = {node.head for node in expression.nodes}
    names = sorted(head.name for head in heads if isinstance(head, Primitive))
    lines = statements(renamed, variables[0], library)
    return Body(seen + "\n".join(lines), primitives=tuple(names))


def _require_as_many(own: Sequence[str], shown: Sequence[str]) -> None:
    require(
        len(own) == len(shown),
        f"the loss takes {', '.join(own)}, but its view shows {', '.join(shown)}",
    )


def _renamed(expression: Expression, names: dict[str, str]) -> Expression:
    return expression.fold(
        lambda head: Expression(names[head] if isinstance(head, str) else head),
        lambda primitive, parts: Expression(primitive, tuple(parts)),
    )
