"""The sections of a loss card, each a list of blocks."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from jaxloss.errors import InvalidInputError
from jaxloss.losses.card import CLASS_VIEWS, Agreement, Explanation, agreements
from jaxloss.losses.export import export_code
from jaxloss.losses.export.views import view_meaning
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo import ZooLoss
from jaxloss.losses.zoo.writing import number
from jaxloss.losses.zoo_form import ZooForm
from jaxloss.runs import card_pictures
from jaxloss.runs.card_words import VIEW_TITLES, grouped, verdict
from jaxloss.runs.document import Block, Code, Heading, Paragraph, Picture, Table
from jaxloss.runs.formula_words import guard_words
from jaxloss.runs.given import GivenLoss
from jaxloss.runs.simplify import Simplified

_RELATIVES = 6
"""How many relatives are listed."""


def short_section(explanations: Mapping[str | None, Explanation]) -> list[Block]:
    """Says what matters most."""
    return [
        Paragraph(f"{VIEW_TITLES[view]}: {verdict(explanation)}", strong=True)
        for view, explanation in explanations.items()
    ]


def formula_section(given: GivenLoss, pictures: Path, simplified: Simplified | None) -> list[Block]:
    """Shows what the loss is."""
    loss = next(iter(given.losses.values()), None)
    blocks: list[Block] = [Heading("The loss")]
    latex = given.entry.formula if given.entry is not None else ""
    if loss is not None:
        latex = latex or (loss.latex() if loss.is_symbolic else "")
        blocks += _formula_blocks(loss)
    path = pictures / "formula.png"
    texts = [latex, simplified.latex if simplified is not None else ""]
    if any(text and card_pictures.formula_picture(path, text) for text in texts):
        blocks.append(Picture(path, "The formula"))
    if simplified is not None:
        blocks += [Paragraph(f"{simplified.title}:"), Code(simplified.text)]
    if latex:
        blocks += [Paragraph("In LaTeX:"), Code(latex, "latex")]
    return blocks + (_entry_blocks(given.entry, given.parameters) if given.entry else [])


def _formula_blocks(loss: LearnedLoss) -> list[Block]:
    formula = loss.formula()
    if not loss.is_symbolic:
        online = (
            " It is shown as a training starts with it; it goes on learning from there."
            if isinstance(loss.form, OnlineForm)
            else ""
        )
        if isinstance(loss.form, ZooForm):
            return []
        return [Code(formula), Paragraph(f"It is no formula.{online}")]
    guards = guard_words(formula)
    variables = ", ".join(view_named(loss.view).variables)
    return [
        Code(f"loss({variables}) = {formula}"),
        *([Paragraph(f"Here{guards}")] if guards else []),
    ]


def _entry_blocks(entry: ZooLoss, given: Mapping[str, float]) -> list[Block]:
    values = entry.values(given)
    facts = [
        ("branch", entry.branch),
        ("other names", ", ".join(entry.aliases) or "none"),
        ("takes", "; ".join(f"{one.name} {one.shape}" for one in entry.inputs.arguments)),
        ("least, says the registry", entry.minimum),
        ("source", entry.source),
    ]
    blocks: list[Block] = [Table(("", "in the zoo"), tuple(facts))]
    if entry.parameters:
        rows = tuple(
            (
                one.name,
                f"{values[one.name]:g}",
                f"{one.default:g} ({one.source})",
                f"{one.low:g} to {one.high:g}",
                one.meaning,
            )
            for one in entry.parameters
        )
        blocks.append(Table(("parameter", "here", "default", "range", "meaning"), rows))
    return blocks


def view_section(view: str | None, explanation: Explanation, pictures: Path) -> list[Block]:
    """Explains the loss on tasks of one view."""
    meaning = f"Here {view_meaning(view)}." if view is not None else ""
    if explanation.scores:
        meaning = "The loss takes the outputs themselves, as scores; it makes no probabilities."
    blocks: list[Block] = [
        Heading(VIEW_TITLES[view]),
        Paragraph(f"{meaning} The range below: {explanation.where}.".strip()),
        *_pictures(view, explanation, pictures),
    ]
    for heading, findings in grouped(explanation).items():
        rows = tuple(
            (
                finding.question,
                finding.answer,
                finding.statement
                + (f" Counterexample: {finding.counterexample}." if finding.counterexample else ""),
                finding.how.replace(explanation.where, "on the range"),
            )
            for finding in findings
        )
        blocks.append(Table((heading, "", "found", "how it was checked"), rows))
    return blocks + _relatives(explanation)


def _pictures(view: str | None, explanation: Explanation, folder: Path) -> list[Block]:
    name = view or "inputs"
    blocks = list[Block]()

    def add(part: str, alt: str) -> Path:
        path = folder / f"{name}-{part}.png"
        blocks.append(Picture(path, alt))
        return path

    if view is None:
        path = add("values", "Values of a few examples as their predictions are scaled")
        card_pictures.values_picture(path, explanation.curves)
        return blocks
    path = add("curves", "The loss and its derivative as curves")
    card_pictures.curves_picture(path, explanation.curves)
    if explanation.beliefs is not None:
        blocks.append(
            Paragraph(
                "What a model that knew the true probability of a class would predict to keep the "
                "expected loss least. On the dotted line the loss is honest; below it at the right "
                "and above it at the left, it smooths labels; a step names the winner alone."
            )
        )
        path = add("beliefs", "The best prediction over the true probability of a class")
        card_pictures.beliefs_picture(path, {"this loss": explanation})
    if explanation.elements is not None:
        blocks.append(Paragraph("One element of the sum over classes:"))
        path = add("elements", "One element of the loss and its derivative as curves")
        card_pictures.curves_picture(path, explanation.elements, "element")
    if explanation.surface is not None:
        path = add("surface", "Value and derivative over prediction and target")
        card_pictures.surface_picture(path, explanation.surface, view in CLASS_VIEWS)
    return blocks


def _relatives(explanation: Explanation) -> list[Block]:
    if not explanation.relatives:
        return [Paragraph("No other loss of the zoo takes the same inputs.")]
    rows = tuple(
        (relative.name, f"{relative.distance:.3f}")
        for relative in explanation.relatives[:_RELATIVES]
    )
    return [
        Paragraph(
            "Nearest losses of the zoo, by how differently they push random predictions: 0 for the "
            "same up to a factor and a constant, 1.41 for nothing in common, 2 for the opposite."
        ),
        Table(("relative", "distance of gradients"), rows),
    ]


def registry_section(
    given: GivenLoss, explanations: Mapping[str | None, Explanation]
) -> list[Block]:
    """Holds what the zoo's registry says of a loss against what sampling found."""
    entry = given.entry
    if entry is None:
        return []
    heading = Heading("Properties in the registry")
    if entry.values(given.parameters) != entry.defaults:
        names = ", ".join(sorted(entry.properties)) or "none"
        return [heading, Paragraph(f"With the default parameters: {names}.")]
    found = {view: one.findings for view, one in explanations.items()}
    classes = next((found[view] for view in CLASS_VIEWS if view in found), ())
    own = next((found[view] for view in ("identity", "boxes", None) if view in found), classes)
    # Findings on class probabilities say nothing of a regression loss's own predictions.
    own = own if "identity" in found or entry.kind not in ("real", "vectors") else ()
    rows = tuple(
        (one.name, _yes(one.registered), _agreement(one), one.meaning)
        for one in agreements(entry, own, classes)
        if one.registered or one.found is not None
    )
    return [
        heading,
        Paragraph("With the default parameters. A dash: sampling cannot tell."),
        Table(("property", "registered", "sampled", "meaning"), rows),
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _agreement(one: Agreement) -> str:
    if one.found is None:
        return "-"
    return _yes(one.found) + (", unlike the registry" if one.contradicts else "")


def paste_section(given: GivenLoss) -> list[Block]:
    """Gives source for a person's own training loop."""
    blocks: list[Block] = [Heading("Code to paste")]
    if given.entry is not None:
        parameters = ", ".join(f"{key}={number(value)}" for key, value in given.parameters.items())
        arguments = ", ".join(
            one.name.replace(",", "").replace(" ", "_") for one in given.entry.inputs.arguments
        )
        blocks += [
            Paragraph(f"With jaxloss, on {arguments.replace('_', ' ')}:"),
            Code(
                "from jaxloss import zoo\n\n"
                f'loss = zoo.get("{given.entry.name}").bind({parameters})',
                "python",
            ),
        ]
    for view, loss in given.losses.items():
        with contextlib.suppress(InvalidInputError):
            source = export_code(loss, "optax")
            return [
                *blocks,
                Paragraph(
                    f"In plain JAX, {VIEW_TITLES.get(view, f'for the view {view}').lower()}:"
                ),
                Code(source, "python"),
                Paragraph("jaxloss export gives it for PyTorch, too."),
            ]
    return blocks


def reading_section() -> list[Block]:
    """Says what a card is worth."""
    return [
        Heading("How to read this"),
        Paragraph(
            "All this was found by evaluating the loss and its gradient at many predictions, "
            "in double precision unless said otherwise. A no comes with a counterexample and is "
            "certain up to rounding; a yes means that no counterexample was found, which is no "
            "proof. Gradients are those by the outputs of the model, which is what training feels. "
            "A constant or a factor in a loss changes nothing but the step size."
        ),
    ]
