"""The page on one hand-made loss: formula, what it takes and gives, properties, curve and use."""

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from jaxloss.errors import InvalidInputError
from jaxloss.losses import zoo, zoo_form
from jaxloss.losses.zoo import ZooLoss
from jaxloss.losses.zoo.writing import number
from jaxloss.runs.zoo.chart import chart
from jaxloss.runs.zoo.curves import Curve
from jaxloss.search.cse_proposals import ProposalSettings
from jaxloss.search.settings import GeneticSettings
from jaxloss.symbols.expression import Expression

_WIDTH = 88
_MARGIN = 12
_DIGITS = 4
_SHOWN = {
    "identity": "predictions f and targets y",
    "softmax": "class probabilities f and labels y, summed over the classes",
    "sigmoid": "the probability f and the label y",
    "logits": "logits x and labels y, summed over the classes",
    "boxes": "areas: intersection i, union u, enclosing box e",
}
"""What a formula is over, for each view."""
_GIVES = {
    "element": "one value for each element",
    "example": "one value for each example",
    "all": "one value for the whole batch",
}
_TASKS = {"identity": "diabetes", "softmax": "digits", "boxes": "boxes", "masks": "saliency:scenes"}
"""Data for the commands that are shown, for each view of tasks."""
_TRAINS = {
    "identity": "regression (identity view)",
    "softmax": "classes (softmax view)",
    "sigmoid": "two classes with one output (sigmoid view)",
    "boxes": "boxes (boxes view)",
    "masks": "masks (masks view)",
}


class Section(NamedTuple):
    """A heading with its lines."""

    heading: str
    lines: list[str]


def show_page(
    console: Console, entry: ZooLoss, parameters: Mapping[str, float], curves: list[Curve]
) -> None:
    """Prints the page on a loss.

    Args:
        console: where to.
        entry: the loss.
        parameters: those that differ from their defaults.
        curves: of the loss, each with as many places as columns are to be used.
    """
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    say(Text(zoo.spelled(entry, parameters), style="bold"))
    names = f"also {', '.join(entry.aliases)}; " if entry.aliases else ""
    say(f"{names}branch: {entry.branch}")
    for heading, lines in _sections(entry, parameters):
        say("")
        for place, line in enumerate(lines):
            start = Text(f"{heading if place == 0 else '':<{_MARGIN}}", style="bold")
            say(start + Text(line))
    for line in _drawings(entry, curves):
        say(line)


def _sections(entry: ZooLoss, parameters: Mapping[str, float]) -> Iterator[Section]:
    yield Section("formula", [entry.formula, *_written(entry, parameters)])
    yield Section("takes", _taken(entry))
    yield Section("gives", _wrapped(_given(entry)))
    if entry.parameters:
        yield Section("parameters", list(_parameters(entry, parameters)))
    yield Section("minimum", _wrapped(entry.minimum))
    if entry.properties:
        yield Section("properties", list(_properties(entry)))
    yield Section("source", [entry.source])
    yield Section("Python", list(_python(entry, parameters)))
    yield Section("commands", list(_commands(entry, parameters)))


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH - _MARGIN, subsequent_indent=indent)


def _written(entry: ZooLoss, parameters: Mapping[str, float]) -> Iterator[str]:
    """Writes the loss in primitives, over all that it can be written over."""
    if not entry.forms:
        yield "not to be written in the primitives of searches"
    for form in entry.forms:
        view = form.views[0]
        yield f"over {_SHOWN[view]}:"
        try:
            yield f"  {rounded(entry.expression(view, **parameters)).infix()}"
        except InvalidInputError as error:
            yield from _wrapped(f"  not in primitives: {str(error).rpartition(': ')[2]}", "  ")


def rounded(tree: Expression, digits: int = _DIGITS) -> Expression:
    """Rounds the numbers in a formula to significant digits."""

    def terminal(head: str | float) -> Expression:
        return Expression(head if isinstance(head, str) else float(f"{head:.{digits}g}"))

    return tree.fold(terminal, lambda head, parts: Expression(head, tuple(parts)))


def _taken(entry: ZooLoss) -> list[str]:
    arguments = entry.inputs.arguments
    keywords = _keywords(entry)[: len(arguments)]
    width = max(map(len, keywords))
    lines = [
        f"{keyword:<{width}}  {argument.name} {argument.shape}"
        for keyword, argument in zip(keywords, arguments, strict=True)
    ]
    return [*lines, f"predictions are {entry.inputs.scale}"]


def _keywords(entry: ZooLoss) -> list[str]:
    return list(inspect.signature(entry.function).parameters)


def _given(entry: ZooLoss) -> str:
    more = [name for name in ("axis", "where") if name in _keywords(entry)]
    extra = {
        (): "",
        ("axis",): "; axis says along what",
        ("where",): "; where says what counts",
        ("axis", "where"): "; axis says along what, where says what counts",
    }[tuple(more)]
    mean = "" if entry.inputs.gives == "all" else "; the caller takes the mean"
    return _GIVES[entry.inputs.gives] + mean + extra


def _parameters(entry: ZooLoss, given: Mapping[str, float]) -> Iterator[str]:
    values = entry.values(given)
    for one in entry.parameters:
        usual = "" if values[one.name] == one.default else f"default {one.default:g}, "
        yield f"{one.name} = {values[one.name]:g}: {one.meaning}"
        source = "assumed" if one.source == "assumed" else f"default from: {one.source}"
        yield f"  ({usual}{one.low:g} to {one.high:g}; {source})"


def _properties(entry: ZooLoss) -> Iterator[str]:
    for name, meaning in zoo.PROPERTIES.items():
        if name in entry.properties:
            yield from _wrapped(f"{name}: {meaning}", "  ")
    if entry.parameters:
        yield "with the default parameters; others may lose some"


def _python(entry: ZooLoss, parameters: Mapping[str, float]) -> Iterator[str]:
    arguments = ", ".join(_keywords(entry)[: len(entry.inputs.arguments)])
    given = _settings(parameters)
    call = f"{arguments}, {given}" if given else arguments
    yield f"jaxloss.zoo.{getattr(entry.function, '__name__', entry.name)}({call})"
    bound = _settings(entry.values(parameters))
    own = f"bind({bound})" if bound else "function"
    yield f'jaxloss.zoo.get("{entry.name}").{own}({arguments})'
    if views := zoo.views_of(entry):
        settings = f", {given}" if given else ""
        yield (
            f'jaxloss.zoo.as_task_loss(jaxloss.zoo.get("{entry.name}"), "{views[0]}"{settings})'
            "(outputs, targets)"
        )
    if entry.optax:
        yield f"in optax: optax.losses.{entry.optax}"


def _settings(parameters: Mapping[str, float]) -> str:
    return ", ".join(f"{key}={number(value)}" for key, value in parameters.items())


def _commands(entry: ZooLoss, parameters: Mapping[str, float]) -> Iterator[str]:
    spec, views = zoo.spelled(entry, parameters), zoo.views_of(entry)
    if not views:
        try:
            zoo.as_task_loss(entry, "identity")
        except InvalidInputError as error:
            yield from _wrapped(f"trains no task: {str(error).partition(': ')[2]}")
        return
    yield from _wrapped(
        f"trains tasks of {', '.join(_TRAINS.get(view, f'the view {view}') for view in views)}"
    )
    for view in views:
        if view in _TASKS:
            yield f"jaxloss search {_TASKS[view]} --task-loss {spec}"
            yield f"jaxloss compare --tasks {_TASKS[view]} --losses {spec}"
    yield from _seeds(spec, views)


def _seeds(spec: str, views: tuple[str, ...]) -> Iterator[str]:
    """Finds the searches that can start from a loss."""
    evomal, cse = GeneticSettings(), ProposalSettings()
    bounds = {
        "identity": ("", evomal.max_nodes, evomal.variation.max_height),
        "softmax": ("", evomal.max_nodes, evomal.variation.max_height),
        "logits": (" --method cse_autoloss", cse.max_nodes, cse.max_height),
        "boxes": (" --method cse_autoloss", cse.max_nodes, cse.max_height),
    }
    for view, (method, nodes, height) in bounds.items():
        shown_to = "softmax" if view == "logits" else view
        if shown_to not in views:
            continue
        try:
            tree = zoo_form(spec, view).expression(())
        except InvalidInputError:
            continue
        if tree.size <= nodes and tree.height <= height:
            yield f"jaxloss search {_TASKS[shown_to]}{method} --seed-from {spec}"


def _drawings(entry: ZooLoss, curves: list[Curve]) -> Iterator[str]:
    yield ""
    if not curves:
        yield f"{entry.name} is not drawn: its value belongs to a whole batch."
    for curve in curves:
        by = f", by {curve.line.by}," if curve.line.by else ""
        for what, values in (("value", curve.values), (f"gradient{by}", curve.slopes)):
            yield f"{what} over the {curve.line.label}"
            yield from chart(curve.places, values)
            yield ""
