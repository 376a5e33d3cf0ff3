"""The evidence of a report: the learned loss beside the task loss, on each task."""

from collections.abc import Sequence

from jaxloss.runs.comparison import Comparison, p_text
from jaxloss.runs.document import Block, Heading, Paragraph, Picture, Table
from jaxloss.runs.statistics import summarise
from jaxloss.runs.words import mean_and_deviation, number, plural
from jaxloss.tasks.families import of_family


def comparison_table(comparison: Comparison, interval: bool = True) -> Table:
    """Sets the two losses side by side: mean ± standard deviation over seeds, and the test."""
    rows = []
    for split, name in (("test", "test split"), ("valid", "validation split")):
        result = getattr(comparison, split)
        sides = [
            mean_and_deviation(*summarise(getattr(trials, split))[:2])
            for trials in (comparison.task_trials, comparison.learned_trials)
        ]
        middle = [number(result.difference, 3)]
        if interval:
            middle.append(f"{number(result.low, 3)} to {number(result.high, 3)}")
        rows.append((name, *sides, *middle, p_text(result.p)))
    middle = ["difference"] + (["95 % interval"] if interval else [])
    return Table((comparison.metric, "task loss", "learned loss", *middle, "paired p"), tuple(rows))


def comparison_sections(
    comparisons: Sequence[Comparison], pictures: Sequence[Picture]
) -> list[Block]:
    """Shows the evidence: both losses over all seeds, in a section for each task.

    Args:
        comparisons: one for each task.
        pictures: of the trainings, likewise.
    """
    blocks = list[Block]()
    for comparison, picture in zip(comparisons, pictures, strict=True):
        where = f": {comparison.where}" if len(comparisons) > 1 else ""
        blocks += [
            Heading(f"Comparison with the task loss{where}"),
            *_evidence(comparison),
            picture,
        ]
    return blocks


def _evidence(comparison: Comparison) -> list[Block]:
    direction = "higher" if comparison.higher_is_better else "lower"
    seeds = tuple(
        (str(seed + 1), *(number(float(values[seed])) for values in columns))
        for columns in [
            (
                comparison.task_trials.test,
                comparison.learned_trials.test,
                comparison.task_trials.valid,
                comparison.learned_trials.valid,
            )
        ]
        for seed in range(comparison.seeds)
    )
    return [
        Paragraph(
            f"{plural(comparison.seeds, 'training')} of {comparison.steps} steps under each loss, "
            "from the same networks and batches in pairs, none of which the search has seen. "
            f"Task loss: {comparison.task_loss.formula()}. "
            f"Learned loss: {comparison.learned.formula()}. "
            f"Mean ± standard deviation over seeds; {direction} is better. "
            f"p is that of the paired t-test.{_unit(comparison)}"
        ),
        comparison_table(comparison),
        Paragraph("Seed by seed:"),
        Table(
            (
                "seed",
                "task loss, test",
                "learned loss, test",
                "task loss, validation",
                "learned loss, validation",
            ),
            seeds,
        ),
    ]


def _unit(comparison: Comparison) -> str:
    if comparison.learned.view != "identity" or of_family(comparison.where):
        return ""
    return (
        " Targets are standardised: errors are in standard deviations of the training targets, "
        "squared errors in their squares."
    )
