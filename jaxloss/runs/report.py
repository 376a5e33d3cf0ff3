"""The report of a run: the formula, the evidence, the way there, and code to paste."""

from pathlib import Path

from jaxloss.runs import plots, sections
from jaxloss.runs.document import (
    Block,
    Paragraph,
    Picture,
    as_html,
    as_markdown,
)
from jaxloss.runs.findings import Findings, outcome
from jaxloss.runs.folder import RunFolder, write_atomically


def write_report(
    folder: RunFolder, findings: Findings, metric: str, higher_is_better: bool
) -> None:
    """Draws the pictures and writes ``report.html`` and ``report.md``."""
    folder.pictures.mkdir(exist_ok=True)
    pictures = _pictures(folder.pictures, findings, metric, higher_is_better)
    title = f"jaxloss: {findings.settings.task} with {findings.settings.method}"
    blocks: list[Block] = [
        Paragraph(outcome(findings), strong=True),
        *sections.formula_section(findings),
        *sections.comparison_section(findings.comparison, pictures),
        *sections.loss_curves_section(pictures),
        *sections.finalists_section(findings.finalists, higher_is_better, metric),
        *sections.front_section(findings, pictures, higher_is_better, metric),
        *sections.funnel_section(findings.records, pictures),
        *sections.paste_section(findings.winner),
        *sections.repeat_section(findings.settings),
    ]
    write_atomically(folder.report, as_html(title, blocks))
    write_atomically(folder.report_text, as_markdown(title, blocks, folder.path))


def _pictures(
    folder: Path, findings: Findings, metric: str, higher_is_better: bool
) -> dict[str, Picture]:
    comparison = findings.comparison
    fitness, front = folder / "fitness.png", folder / "front.png"
    plots.fitness_picture(fitness, findings.records, metric, higher_is_better)
    plots.front_picture(front, findings.front, metric, higher_is_better)
    pictures = {
        "fitness": Picture(fitness, f"Best {metric} so far over the generations"),
        "front": Picture(front, f"Size of the formula against {metric}"),
    }
    if comparison is not None:
        loss, training = folder / "loss.png", folder / "training.png"
        plots.loss_picture(loss, comparison.learned, comparison.task_loss)
        plots.training_picture(training, comparison)
        pictures["loss"] = Picture(loss, "The learned loss beside the task loss as curves")
        pictures["training"] = Picture(training, f"{metric} during training under both losses")
    return pictures
