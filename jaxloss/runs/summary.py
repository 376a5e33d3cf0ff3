"""What a terminal shows at the end: the verdict, the comparison, the formula, the report."""

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from jaxloss.runs.comparison import Comparison
from jaxloss.runs.evidence import comparison_table
from jaxloss.runs.findings import Findings, outcome
from jaxloss.runs.folder import RunFolder
from jaxloss.runs.words import plural


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


def print_summary(console: Console, findings: Findings, folder: RunFolder) -> None:
    """Prints what a run came to."""
    console.print()
    for comparison in findings.comparisons:
        if len(findings.comparisons) > 1:
            console.print(Text(comparison.where))
        print_comparison(console, comparison)
    console.print(Text(outcome(findings), style="bold"), soft_wrap=True)
    first = findings.finalists[0]
    name = "learned loss" if first.learned else "task loss"
    lines = [f"{name}: {first.loss.formula()}"]
    if first.loss.is_symbolic:
        lines.append(f"simplified: {first.loss.sympy()}")
    if not first.learned and findings.comparisons:
        lines.append(f"best learned loss: {findings.comparisons[0].learned.formula()}")
    lines += [f"saved as: {folder.loss}", f"report:   {folder.report}"]
    for line in lines:
        console.print(Text(line), soft_wrap=True)
