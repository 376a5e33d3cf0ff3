"""The sections of a report, each a list of blocks."""

import json

import numpy as np

from jaxloss.errors import InvalidInputError
from jaxloss.losses.export import export_code, function_name
from jaxloss.losses.export.views import view_meaning
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.views import view_named
from jaxloss.runs.document import Block, Code, Heading, Paragraph, Picture, Table
from jaxloss.runs.findings import Findings
from jaxloss.runs.formula_words import guard_words
from jaxloss.runs.records import GenerationRecord, made_with
from jaxloss.runs.settings import RunSettings, command, is_relative, settings_data
from jaxloss.runs.simplify import Simplified
from jaxloss.runs.words import FILTER_WORDS, duration, mean_and_deviation, number, plural
from jaxloss.tasks.families import of_family


def formula_section(findings: Findings) -> list[Block]:
    """Shows the loss that the run hands over."""
    learned = findings.finalists[0].learned
    loss = findings.winner
    heading = Heading("Learned loss" if learned else "Task loss (nothing beat it)")
    meaning = view_meaning(loss.view, loss.family.averages)
    if not loss.is_symbolic:
        return [
            heading,
            Code(loss.formula()),
            Paragraph(
                f"This loss is no formula; its shape is drawn below. Here {meaning}. loss.json and "
                "the code below hold its numbers in full."
            ),
        ]
    formula = loss.formula()
    return [
        heading,
        Code(f"loss({', '.join(view_named(loss.view).variables)}) = {formula}"),
        Paragraph(
            f"Here {meaning}.{guard_words(formula)} Numbers are rounded; loss.json and the code "
            "below hold them in full."
        ),
        *_simplified_blocks(findings.simplified),
    ]


def _simplified_blocks(simplified: Simplified | None) -> list[Block]:
    if simplified is None:
        return []
    return [
        Paragraph(f"{simplified.title}; and in LaTeX:"),
        Code(simplified.text),
        Code(simplified.latex, "latex"),
    ]


def loss_curves_section(pictures: dict[str, Picture]) -> list[Block]:
    """Shows the shapes of both losses."""
    if "loss" not in pictures:
        return []
    return [
        Heading("The learned loss beside the task loss"),
        Paragraph(
            "Each curve is shifted and scaled to lie within 0 and 1: only the shape is compared."
        ),
        pictures["loss"],
    ]


def finalists_section(findings: Findings, higher_is_better: bool, score: str) -> list[Block]:
    """Lists the losses that were trained again, the task loss among them."""
    sign = -1.0 if higher_is_better else 1.0
    rows = tuple(
        (
            str(place + 1),
            "learned" if finalist.learned else "task loss",
            mean_and_deviation(
                sign * finalist.mean,
                float(np.std(finalist.fitness, ddof=1))
                if np.isfinite(finalist.mean) and len(finalist.fitness) > 1
                else float("nan"),
            ),
            finalist.loss.formula(),
        )
        for place, finalist in enumerate(findings.finalists)
    )
    return [
        Heading("Finalists"),
        Paragraph(
            "The best losses of the search and the task loss, each trained again with fresh seeds; "
            f"the first is handed over. {score} on the validation split, mean ± standard "
            f"deviation.{_meaning(findings, score)}"
        ),
        Table(("", "loss", score, "formula"), rows),
    ]


def _meaning(findings: Findings, score: str) -> str:
    settings, several = findings.settings, len(findings.comparisons) > 1
    if is_relative(settings.search):
        where = " on each task; the mean over the tasks is shown" if several else ""
        return f" {score} is the metric divided by what the task loss reaches{where}."
    return " The mean over the tasks is shown." if several else ""


def front_section(
    findings: Findings, pictures: dict[str, Picture], higher_is_better: bool, score: str
) -> list[Block]:
    """Lists the losses that no smaller one beats."""
    sign = -1.0 if higher_is_better else 1.0
    rows = tuple(
        (str(entry.size), number(sign * entry.fitness), entry.loss.formula())
        for entry in findings.front
    )
    return [
        Heading("Size against fitness"),
        Paragraph(
            "Losses that no smaller one beats, by the short trainings of the search. These values "
            "are the best of many, so expect longer trainings to come out less far apart."
        ),
        Table(("size", score, "formula"), rows),
        *([pictures["front"]] if "front" in pictures else []),
    ]


def funnel_section(records: list[GenerationRecord], pictures: dict[str, Picture]) -> list[Block]:
    """Tells what became of the candidates."""
    candidates = sum(record.candidates for record in records)
    trained = sum(record.trained for record in records)
    names = list(dict.fromkeys(name for record in records for name in record.dropped))
    sifted = sum(sum(record.dropped.values()) for record in records) > 0
    rows = [("candidates", str(candidates), "")]
    trained_row = ("trained with", str(trained), "a network was trained and scored")
    for name in names:
        words = FILTER_WORDS.get(name)
        count = sum(record.dropped.get(name, 0) for record in records)
        # This last one counts among the trained.
        rows += [trained_row] if name == "not finite" else []
        rows.append((words.short, str(count), words.meaning) if words else (name, str(count), ""))
    rows += [] if "not finite" in names else [trained_row]
    seconds = sum(record.seconds for record in records)
    return [
        Heading("The search"),
        Paragraph(
            f"{plural(len(records), 'generation')} took {duration(seconds)}, compilation included."
            + (" What became of the candidates:" if sifted else " No candidate was dropped.")
        ),
        Table(("", "count", "meaning"), tuple(rows)),
        *_stages(records),
        pictures["fitness"],
    ]


_FUNNEL = {
    "archive": "not seen before",
    "not converging": "converging",
    "poor in simulation": "promising in simulation, and trained with",
    "not finite": "trained to a finite score",
}
"""What is left after each of CSE-Autoloss's filters, in their order."""


def _stages(records: list[GenerationRecord]) -> list[Block]:
    """Tells how many candidates each of CSE-Autoloss's filters left, where it was these."""
    if not records or any(set(record.dropped) != set(_FUNNEL) for record in records):
        return []
    proposed = left = sum(record.candidates for record in records)
    rows = [("proposed", str(proposed), "100 %")]
    for name, meaning in _FUNNEL.items():
        left -= sum(record.dropped[name] for record in records)
        rows.append((meaning, str(left), _percent(left / proposed)))
    return [
        Paragraph("The filters one after the other, before and after any training:"),
        Table(("candidates", "left", "of the proposed"), tuple(rows)),
    ]


def _percent(share: float) -> str:
    """Writes two digits, and all three of 100."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def paste_section(loss: LearnedLoss) -> list[Block]:
    """Gives source for a person's own training loop, or says why there is none."""
    heading = Heading("Code to paste")
    try:
        sources = [export_code(loss, library) for library in ("optax", "torch")]
    except InvalidInputError as error:
        return [heading, Paragraph(f"There is no code to paste: {error}.")]
    name = function_name(loss)
    scaled = _scale_words(loss)
    online = (
        " The code is the loss as a training starts with it; to go on learning while it trains, as "
        "it did here, it needs jaxloss."
        if isinstance(loss.form, OnlineForm)
        else ""
    )
    return [
        heading,
        Paragraph(
            f"JAX: take jax.grad of jnp.mean({name}(outputs, targets)) and hand it to any optax "
            f"optimiser.{scaled}{online}"
        ),
        Code(sources[0], "python"),
        Paragraph(f"PyTorch: {name}(model(inputs), targets).mean().backward()."),
        Code(sources[1], "python"),
    ]


def _scale_words(loss: LearnedLoss) -> str:
    """Says what outputs and targets of values were like."""
    if loss.view != "identity":
        return ""
    task = dict(loss.origin).get("task", "")
    if task.startswith("pde:"):
        return (
            " It was learned on residuals of equations, with target 0, and on known values of "
            "solutions, in one batch."
        )
    if of_family(task):
        return ""
    return " It was learned on targets of mean 0 and standard deviation 1; scale yours alike."


def repeat_section(settings: RunSettings) -> list[Block]:
    """Says how to repeat the run, and what it ran with."""
    versions = ", ".join(f"{name} {value}" for name, value in made_with().items())
    return [
        Heading("How to repeat this"),
        Code(command(settings), "sh"),
        Paragraph(f"Made with {versions}."),
        Paragraph("All settings:"),
        Code(json.dumps(settings_data(settings), indent=2), "json"),
    ]
