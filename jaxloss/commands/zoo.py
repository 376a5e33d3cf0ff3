"""The command ``jaxloss zoo``: lists hand-made losses, or shows one."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from jaxloss.commands.options import CONFIG
from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.losses import zoo
from jaxloss.losses.zoo import ZooLoss
from jaxloss.runs.grid.progress import say_line
from jaxloss.runs.zoo.curves import curve_picture, curves
from jaxloss.runs.zoo.listing import show_list
from jaxloss.runs.zoo.page import show_page

_COLUMNS = 61
"""Columns of a curve in the terminal: one in the middle."""
_POINTS = 401
"""Points of a curve in a picture."""
_SHOWN = 8
"""How many names the error for a search without a result lists."""


@dataclass(frozen=True)
class ZooArguments:
    """List the hand-made losses, or show one: formula, curve, source and code.

    Without a name, all losses are listed that have all that is asked for.
    """

    name: Annotated[str | None, tyro.conf.Positional] = None
    """The loss to show, by its name or an alias, perhaps with parameters: huber:delta=0.5."""
    branch: str | None = None
    """Branch of the taxonomy: regression, margin, probabilistic, generative, ranking, energy,
    segmentation, boxes or retrieval."""
    kind: str | None = None
    """Kind of inputs that losses take, as the list has it: real, logits, boxes, ..."""
    properties: Annotated[tuple[str, ...], tyro.conf.arg(name="property")] = ()
    """Properties, all of which hold: convex, bounded_gradient, proper, noise_tolerant, ..."""
    view: str | None = None
    """View of the tasks that losses can train: identity, sigmoid, softmax, masks, cell_classes,
    anchors, boxes or cell_boxes."""
    search: str = ""
    """Part of a name or of an alias."""
    picture: str | None = None
    """With a name: a .png file for the curve."""


def zoo_command(words: list[str]) -> None:
    """Runs ``jaxloss zoo``.

    Args:
        words: those after the command.

    Raises:
        InvalidInputError: a name, value or file cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    given = tyro.cli(ZooArguments, args=words, prog="jaxloss zoo", config=CONFIG)
    filters = (given.branch, given.kind, given.view, given.search, *given.properties)
    if given.name is None:
        require(given.picture is None, "name the loss whose curve --picture is to show")
        show_list(Console(), _listed(given))
        return
    require(
        not any(filters),
        f"filters are for the list; leave them out to see {given.name}, or leave out the name",
    )
    entry, parameters = zoo.read(given.name)
    if given.picture is not None:
        _write_picture(_picture_path(given.picture), entry, parameters)
    show_page(Console(), entry, parameters, curves(entry, parameters, _COLUMNS))
    if given.picture is not None:
        say_line(Console(), f"picture:  {given.picture}")


def _listed(given: ZooArguments) -> tuple[ZooLoss, ...]:
    properties = frozenset(given.properties)
    found = zoo.select(given.branch, given.kind, properties, given.view, given.search)
    if not zoo.select(text=given.search):
        names = [name for loss in zoo.ZOO.values() for name in (loss.name, *loss.aliases)]
        nearest = ", ".join(nearest_first(given.search, names)[:_SHOWN])
        raise InvalidInputError(
            f"no name or alias of a loss holds {given.search!r}; nearest first: {nearest}"
        )
    require(bool(found), "no loss has all of that; leave out a filter")
    return found


def _picture_path(text: str) -> Path:
    path = Path(text)
    require(path.suffix == ".png", f"--picture must name a .png file, got {text!r}")
    require(not path.is_dir(), f"{path} is a folder; --picture must name a .png file")
    return path


def _write_picture(path: Path, entry: ZooLoss, parameters: dict[str, float]) -> None:
    drawn = curves(entry, parameters, _POINTS)
    require(bool(drawn), f"{entry.name} is not drawn: its value belongs to a whole batch")
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        curve_picture(partial, zoo.spelled(entry, parameters), drawn)
        os.replace(partial, path)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}") from error
