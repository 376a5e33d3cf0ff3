"""Both trained networks of a drawing side by side, in numbers."""

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from jaxloss.learning.curvature import Eigenvalues
from jaxloss.runs.document import Table
from jaxloss.runs.landscape.settings import LandscapeRunSettings
from jaxloss.runs.landscape.sides import Landscapes, Side
from jaxloss.runs.words import cut, duration, mean_and_deviation, number, plural

NAME_LENGTH = 40
"""Characters of a loss's name that a heading has room for."""


def print_landscapes(console: Console, settings: LandscapeRunSettings, found: Landscapes) -> None:
    """Prints what was measured around both networks."""
    content = side_table(found)
    table = RichTable()
    for header in content.header:
        table.add_column(header)
    for row in content.rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(f"slices: {_counts(settings)} in {duration(found.seconds)}", highlight=False)


def _counts(settings: LandscapeRunSettings) -> str:
    points, lines = settings.slices.points, settings.slices.lines
    return f"2 planes of {points} x {points} points and 2 x {plural(lines, 'line')} of {points}"


def side_table(found: Landscapes) -> Table:
    """Sets both networks side by side."""
    metric, usual = found.task.metric.name, found.task.task_loss_name
    half = found.sides[0].lines.places[-1] / 2

    def worsening(side: Side) -> str:
        return mean_and_deviation(*_moments(side.worsening))

    rows = {
        "its loss before training": lambda side: number(side.untrained),
        "its loss after training": lambda side: number(side.trained),
        f"{usual} after training": lambda side: number(side.usual),
        f"{metric} before training, validation": lambda side: number(side.untrained_metric),
        f"{metric}, validation": lambda side: number(side.valid),
        f"{metric}, test": lambda side: number(side.test),
        "top Hessian eigenvalue of its loss": lambda side: eigenvalue_text(side.curvature),
        f"top Hessian eigenvalue of {usual}": lambda side: eigenvalue_text(side.usual_curvature),
        f"sharpness: training undone at {half:g}": lambda side: percent(side.undone),
        f"{metric} worse at {half:g} by": worsening,
    }
    header = ("trained under", *(cut(side.name, NAME_LENGTH) for side in found.sides))
    return Table(header, tuple((name, *map(write, found.sides)) for name, write in rows.items()))


def eigenvalue_text(found: Eigenvalues) -> str:
    """Writes ``16.43 (residual 4e-07)``, and says so where the iteration did not converge."""
    value, residual = float(found.values[0]), float(found.residuals[0])
    if not np.isfinite(value):
        return "failed"
    note = "" if found.converged else f", not converged in {int(found.products)} products"
    return f"{number(value)} (residual {residual:.1g}{note})"


def percent(shares: Float[np.ndarray, " lines"]) -> str:
    """Writes shares on several lines as ``27.2 ± 4.1 %``."""
    if not np.all(np.isfinite(shares)):
        return "not known"
    mean, deviation = _moments(100 * shares)
    return f"{mean:.1f} ± {deviation:.1f} %" if len(shares) > 1 else f"{mean:.1f} %"


def _moments(values: Float[np.ndarray, " lines"]) -> tuple[float, float]:
    """Gives the mean and, of several lines, their standard deviation."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(np.mean(values)), deviation
