"""The command ``jaxloss card``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxloss.commands.options import CONFIG
from jaxloss.errors import require
from jaxloss.losses.card import CLASSES, Explanation
from jaxloss.runs.card import Card, card_folder, check_card_folder, write_card
from jaxloss.runs.card_words import VIEW_TITLES, grouped, verdict
from jaxloss.runs.given import GivenLoss, given_loss


@dataclass(frozen=True)
class CardArguments:
    """Explain losses, a page each: minimum, shape, gradient, class probabilities, hazards."""

    losses: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Each a loss.json, a name of the zoo with parameters (huber:delta=0.5), or a formula."""
    view: str | None = None
    """The view to explain it for: identity, softmax, sigmoid, logits (formulas alone) or boxes. By
    default regression and classes, where the loss is for both."""
    classes: int = CLASSES
    """Classes that a classification has."""
    out: str = "cards"
    """Where each card gets a folder of its own; an earlier card of the same loss is replaced."""


def card_command(words: list[str]) -> None:
    """Runs ``jaxloss card``.

    Args:
        words: those after the command.

    Raises:
        InvalidInputError: a loss, view or number cannot be used, or a folder holds something else.
        SystemExit: an option cannot be read; tyro has said which.
    """
    arguments = tyro.cli(CardArguments, args=words, prog="jaxloss card", config=CONFIG)
    require(bool(arguments.losses), "name a loss: a loss.json, a name of the zoo, or a formula")
    # All are found before the first is written.
    given = {one.name: one for one in (given_loss(t, arguments.view) for t in arguments.losses)}
    folders = {name: card_folder(one, Path(arguments.out)) for name, one in given.items()}
    for folder in folders.values():
        check_card_folder(folder)
        alike = [name for name, own in folders.items() if own == folder]
        require(
            len(alike) == 1, f"{' and '.join(alike)} would share the folder {folder}; name one only"
        )
    console = Console()
    for name, one in given.items():
        _print(console, one, write_card(one, folders[name], arguments.classes))


def _print(console: Console, given: GivenLoss, card: Card) -> None:
    console.print(Text(f"\n{given.name}", style="bold"), soft_wrap=True)
    for view, explanation in card.explanations.items():
        console.print(Text(f"\n{VIEW_TITLES[view]}: {verdict(explanation)}"), soft_wrap=True)
        console.print(_table(explanation))
    console.print(Text(f"page: {card.page}"), soft_wrap=True)
    console.print(Text(f"text: {card.text}"), soft_wrap=True)


def _table(explanation: Explanation) -> Table:
    table = Table("question", "", "found")
    for findings in grouped(explanation).values():
        for finding in findings:
            table.add_row(Text(finding.question), finding.answer, Text(finding.statement))
    names = ", ".join(relative.name for relative in explanation.relatives[:4])
    table.add_row("Which losses are alike?", "", Text(names or "none of the zoo"))
    return table
