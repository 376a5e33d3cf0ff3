"""What a terminal shows at the end: the verdict, the comparison, the formula, the report."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from jaxloss.learning.trials import Trials
from jaxloss.runs.comparison import Comparison, p_text
from jaxloss.runs.evidence import comparison_table
from jaxloss.runs.findings import Findings, outcome
from jaxloss.runs.folder import RunFolder
from jaxloss.runs.grid.rank_statistics import holm
from jaxloss.runs.statistics import Summary, summarise
from jaxloss.runs.words import mean_and_deviation, plural


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Prints task loss against learned loss."""
    # The interval is in the report; here every row is to fit into 80 characters.
    content = comparison_table(comparison, interval=False)
    table = RichTable()
    for header in content.header:
        table.add_column(header, no_wrap=True)
    for row in content.rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(
        f"mean ± standard deviation over {plural(comparison.seeds, 'seed')}, "
        f"{comparison.steps} training steps each"
    )


def print_ranking(console: Console, comparisons: Sequence[Comparison]) -> None:
    """Prints several losses beside the task loss, the best on the validation split first."""
    first = comparisons[0]
    sign = -1.0 if first.higher_is_better else 1.0

    def place(row: tuple[str, Trials, str]) -> tuple[int, float]:
        summary = summarise(row[1].valid)
        mean = sign * summary.mean
        return summary.failed, mean if np.isfinite(mean) else np.inf

    adjusted = holm(np.array([comparison.test.p for comparison in comparisons]))
    rows = [
        (comparison.learned.formula(), comparison.learned_trials, p_text(float(p)))
        for comparison, p in zip(comparisons, adjusted, strict=True)
    ]
    rows.append((f"task loss: {first.task_loss.formula()}", first.task_trials, ""))
    table = RichTable()
    table.add_column("loss", overflow="fold")
    for header in (f"test {first.metric}", "validation", "p"):
        table.add_column(header, no_wrap=True)
    for formula, trials, p in sorted(rows, key=place):
        scores = [_score(summarise(part)) for part in (trials.test, trials.valid)]
        table.add_row(Text(formula), *map(Text, (*scores, p)))
    console.print(table)
    better = "higher" if first.higher_is_better else "lower"
    console.print(
        f"mean ± standard deviation over {plural(first.seeds, 'seed')}, {first.steps} training "
        f"steps each, {better} is better, best on the validation split first, those of which more "
        "trainings failed after the others; p: paired t-test with the task loss on the test "
        f"split, corrected for {len(comparisons)} comparisons (Holm)",
        soft_wrap=True,
    )


def _score(summary: Summary) -> str:
    """Writes mean and deviation, and how many trainings they leave out."""
    text = mean_and_deviation(summary.mean, summary.deviation)
    left_out = summary.failed and np.isfinite(summary.mean)
    return f"{text} ({summary.failed} failed)" if left_out else text


def print_summary(
    console: Console, findings: Findings, folder: RunFolder, reported: bool = True
) -> None:
    """Prints what a run came to, and where its report is if it was written."""
    console.print()
    for comparison in findings.comparisons:
        if len(findings.comparisons) > 1:
            console.print(Text(comparison.where))
        print_comparison(console, comparison)
    console.print(Text(outcome(findings), style="bold"), soft_wrap=True)
    first = findings.finalists[0]
    name = "learned loss" if first.learned else "task loss"
    lines = [f"{name}: {first.loss.formula()}"]
    if findings.simplified is not None:
        lines.append(f"simplified: {findings.simplified.text}{findings.simplified.remark}")
    if not first.learned and findings.comparisons:
        lines.append(f"best learned loss: {findings.comparisons[0].learned.formula()}")
    lines.append(f"saved as: {folder.loss}")
    lines += [f"report:   {folder.report}"] if reported else []
    for line in lines:
        console.print(Text(line), soft_wrap=True)
