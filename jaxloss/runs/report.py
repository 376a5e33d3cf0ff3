"""The report of a run: the formula, the evidence, the way there, and code to paste."""

from collections.abc import Sequence
from pathlib import Path

from jaxloss.runs import changes, evidence, fields, masks, plots, sections
from jaxloss.runs.comparison import Comparison
from jaxloss.runs.document import Block, Paragraph, Picture, as_html, as_markdown
from jaxloss.runs.findings import Findings, outcome
from jaxloss.runs.folder import RunFolder, write_atomically
from jaxloss.runs.settings import score_name
from jaxloss.tasks.task import Task


def write_report(
    folder: RunFolder,
    findings: Findings,
    metric: str,
    higher_is_better: bool,
    tasks: Sequence[Task] = (),
) -> None:
    """Draws the pictures and writes ``report.html`` and ``report.md``.

    Args:
        folder: of the run.
        findings: what the report tells of.
        metric: its name.
        higher_is_better: its direction.
        tasks: those of the comparisons, where some have pictures of their own.
    """
    folder.pictures.mkdir(exist_ok=True)
    score = score_name(findings.settings.search, metric)
    pictures = _pictures(folder.pictures, findings, score, higher_is_better)
    trainings = _training_pictures(folder.pictures, findings.comparisons)
    title = f"jaxloss: {findings.settings.task} with {findings.settings.method}"
    blocks: list[Block] = [
        Paragraph(outcome(findings), strong=True),
        *sections.formula_section(findings),
        *evidence.comparison_sections(findings.comparisons, trainings),
        *fields.solution_sections(findings, tasks, folder.pictures),
        *masks.mask_sections(findings, tasks, folder.pictures),
        *sections.loss_curves_section(pictures),
        *changes.change_section(findings, folder.pictures),
        *sections.finalists_section(findings, higher_is_better, score),
        *sections.front_section(findings, pictures, higher_is_better, score),
        *sections.funnel_section(findings.records, pictures),
        *sections.paste_section(findings.winner),
        *sections.repeat_section(findings.settings),
    ]
    write_atomically(folder.report, as_html(title, blocks))
    write_atomically(folder.report_text, as_markdown(title, blocks, folder.path))


def _pictures(
    folder: Path, findings: Findings, score: str, higher_is_better: bool
) -> dict[str, Picture]:
    fitness, front = folder / "fitness.png", folder / "front.png"
    plots.fitness_picture(fitness, findings.records, score, higher_is_better)
    pictures = {
        "fitness": Picture(fitness, f"Best {score} so far over the generations"),
    }
    if len(findings.front) > 1:
        plots.front_picture(front, findings.front, score, higher_is_better)
        pictures["front"] = Picture(front, f"Size of the loss against {score}")
    # Every comparison is of the same two losses.
    for comparison in findings.comparisons[:1]:
        loss = folder / "loss.png"
        plots.loss_picture(loss, comparison.learned, comparison.task_loss)
        pictures["loss"] = Picture(loss, "The learned loss beside the task loss as curves")
    return pictures


def _training_pictures(folder: Path, comparisons: Sequence[Comparison]) -> list[Picture]:
    pictures = list[Picture]()
    for number, comparison in enumerate(comparisons, 1):
        several = len(comparisons) > 1
        path = folder / (f"training-{number}.png" if several else "training.png")
        plots.training_picture(path, comparison)
        where = f" on {comparison.where}" if several else ""
        pictures.append(
            Picture(path, f"{comparison.metric} during training{where} under both losses")
        )
    return pictures
