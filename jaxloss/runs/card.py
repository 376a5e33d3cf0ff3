"""The loss card: one page that explains a loss."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jaxloss.errors import require
from jaxloss.losses import ZooForm
from jaxloss.losses.card import EXPLAINED_VIEWS, Explanation, explain, explain_entry
from jaxloss.losses.card.subject import element_view
from jaxloss.losses.zoo import views_of
from jaxloss.runs import card_sections as sections
from jaxloss.runs.document import as_html, as_markdown
from jaxloss.runs.folder import write_atomically
from jaxloss.runs.given import GivenLoss
from jaxloss.runs.simplify import Simplification, Simplified

SECONDS_TO_SIMPLIFY = 5.0
"""How much longer SymPy may take than all the rest (*assumed*)."""

_TWO_CLASS_KINDS = ("score", "logit", "probability")
"""Kinds of inputs of losses that look at one class at a time; softmax losses sum them."""
_PAGE, _TEXT, _PICTURES = "card.html", "card.md", "pictures"


class Card(NamedTuple):
    """A loss card that was written.

    Attributes:
        name: of the loss.
        explanations: what it says, by view; by None for a loss without outputs and targets.
        page: the page as HTML, which holds its pictures.
        text: the page as Markdown.
    """

    name: str
    explanations: Mapping[str | None, Explanation]
    page: Path
    text: Path


def explained(given: GivenLoss, classes: int) -> dict[str | None, Explanation]:
    """Explains a loss on the kinds of tasks that it is for: regression first, then classes.

    Raises:
        InvalidInputError: the number of classes cannot be used, or the loss is for no view that a
            card explains.
    """
    views = card_views(given)
    if views:
        return {view: explain(given.losses[view], classes) for view in views}
    explanation = _explained_otherwise(given, classes)
    return {explanation.view: explanation}


def _explained_otherwise(given: GivenLoss, classes: int) -> Explanation:
    """Explains a loss for no view of a card: by one element, or else as the zoo has it."""
    if given.entry is not None and not given.losses:
        return explain_entry(given.entry, given.parameters, classes)
    loss, form = given.first, given.first.form
    view = element_view(loss)
    of_one = view in EXPLAINED_VIEWS
    if isinstance(form, ZooForm) and not (of_one and view in views_of(form.entry)):
        return explain_entry(form.entry, dict(form.values), classes)
    return explain(loss, classes)


def card_views(given: GivenLoss) -> tuple[str, ...]:
    """Names the views that a card shows; of softmax and sigmoid one is enough."""
    kind = "" if given.entry is None else given.entry.kind
    classes = ("sigmoid", "softmax") if kind in _TWO_CLASS_KINDS else ("softmax", "sigmoid")
    classes = [view for view in classes if view in given.losses][:1]
    shown = (*classes, *(view for view in EXPLAINED_VIEWS if view not in ("softmax", "sigmoid")))
    return tuple(view for view in EXPLAINED_VIEWS if view in shown and view in given.losses)


def card_folder(given: GivenLoss, out: Path) -> Path:
    """Chooses the folder of a card: the loss's name, with a digest where that loses something."""
    name = given.name
    if given.entry is not None:
        # The sign of a parameter stays.
        return out / re.sub("[:=]", "-", name)
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", name.removesuffix(".json")).strip("-.") or "loss"
    source = str(Path(name).resolve()) if name.endswith(".json") else name
    digest = hashlib.sha256(source.encode()).hexdigest()[:6]
    return out / f"{slug[-40:].strip('-.')}-{digest}"


def write_card(given: GivenLoss, folder: Path, classes: int) -> Card:
    """Explains a loss and writes its page; a card that was there before is replaced.

    Raises:
        InvalidInputError: the folder holds something else, or the number of classes cannot be used.
    """
    check_card_folder(folder)
    loss = next(iter(given.losses.values()), None)
    if loss is None or not loss.is_symbolic:
        return _written(given, folder, explained(given, classes), None)
    with Simplification(loss.sympy(digits=6)) as simplification:
        explanations = explained(given, classes)
        simplified = simplification.result(SECONDS_TO_SIMPLIFY)
    return _written(given, folder, explanations, simplified)


def check_card_folder(folder: Path) -> None:
    """Refuses a folder that holds something else than a card.

    Raises:
        InvalidInputError: it does.
    """
    require(folder.is_dir() or not folder.exists(), f"{folder} is a file; name a folder with --out")
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    require(
        not names - {_PAGE, _TEXT, _PICTURES},
        f"{folder} holds something else than a loss card; name another folder with --out",
    )


def _written(
    given: GivenLoss,
    folder: Path,
    explanations: dict[str | None, Explanation],
    simplified: Simplified | None,
) -> Card:
    pictures = folder / _PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    for earlier in pictures.glob("*.png"):
        earlier.unlink()
    blocks = sections.short_section(explanations)
    blocks += sections.formula_section(given, pictures, simplified)
    for view, explanation in explanations.items():
        blocks += sections.view_section(view, explanation, pictures)
    blocks += sections.registry_section(given, explanations)
    blocks += sections.paste_section(given)
    blocks += sections.reading_section()
    title = f"Loss card: {given.name}"
    page, text = folder / _PAGE, folder / _TEXT
    write_atomically(page, as_html(title, blocks))
    write_atomically(text, as_markdown(title, blocks, folder))
    return Card(given.name, explanations, page, text)
