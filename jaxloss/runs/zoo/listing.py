"""The list of hand-made losses: a table in a terminal, plain lines elsewhere."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxloss.losses import zoo
from jaxloss.losses.zoo import ZooLoss
from jaxloss.runs.words import plural

_NONE = "-"
_HEADER = ("name", "branch", "takes", "trains", "formula", "aliases", "properties")


def show_list(console: Console, losses: Sequence[ZooLoss]) -> None:
    """Prints losses, one after another.

    In a terminal they stand in a table; elsewhere each is a line whose fields have no spaces, below
    a line of headings.
    """
    if not console.is_terminal:
        rows = [_fields(loss) for loss in losses]
        widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
        for row in (_HEADER, *rows):
            line = "  ".join(f"{field:<{width}}" for field, width in zip(row, widths, strict=True))
            console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
        return
    console.print(_table(losses))
    console.print(
        f"{plural(len(losses), 'loss', 'losses')}. Below a name stand its aliases, below a branch "
        "what its losses take. They train tasks of the views named; primitives can write those "
        "with a formula. jaxloss zoo NAME shows one.",
        markup=False,
        highlight=False,
    )


def _table(losses: Sequence[ZooLoss]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    widths = {
        "loss": max((len(loss.name) for loss in losses), default=0),
        "branch, inputs": max(map(len, zoo.BRANCHES)) + 1,
        "trains": max(map(len, zoo.TASK_VIEWS)) + 1,
        "formula": None,
        "properties": None,
    }
    for header, width in widths.items():
        table.add_column(header, width=width, overflow="fold")
    for loss in losses:
        name, branch, kind, views, formula, aliases, properties = _fields(loss)
        first = Text(name, style="bold")
        if loss.aliases:
            first.append("\n" + _spaced(aliases), style="dim")
        inputs = Text(f"{branch}\n").append(kind.replace("_", " "), style="dim")
        table.add_row(first, inputs, _spaced(views), formula, _spaced(properties))
    return table


def _spaced(listed: str) -> str:
    return listed.replace(",", ", ")


def _fields(loss: ZooLoss) -> tuple[str, ...]:
    properties = [name for name in zoo.PROPERTIES if name in loss.properties]
    return (
        loss.name,
        loss.branch,
        loss.kind,
        ",".join(zoo.views_of(loss)) or _NONE,
        "yes" if loss.forms else _NONE,
        ",".join(loss.aliases) or _NONE,
        ",".join(properties) or _NONE,
    )
