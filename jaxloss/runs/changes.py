"""How a loss that is no formula changed over the generations: a section and its picture."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxloss.runs.document import Block, Heading, Paragraph, Picture
from jaxloss.runs.findings import Findings
from jaxloss.runs.plots import draw, scaled
from jaxloss.runs.records import CURVE_PLACES, GenerationRecord
from jaxloss.search.adalfl import AdaLFLSettings

_FAINTEST, _STRONGEST = 0.2, 1.0
"""Where colours are taken from the colour map: not so light that a curve is not seen on white."""


def change_section(findings: Findings, folder: Path) -> list[Block]:
    """Shows the loss after each generation; nothing for formulas, which the records hold.

    Args:
        findings: of the run.
        folder: of the pictures.
    """
    views = [comparison.learned.view for comparison in findings.comparisons]
    known = [record for record in findings.records if record.curve is not None]
    if len(known) < 2 or not views:
        return []
    path = folder / "change.png"
    change_picture(path, known, views[0])
    search = findings.settings.search
    online = (
        f" In the last {search.online_generations} generations the loss goes on learning while one "
        "network trains under it: their curves show the loss as it is then. What the run hands "
        "over is the loss from before them, which learns on wherever it trains."
        if isinstance(search, AdaLFLSettings)
        else ""
    )
    return [
        Heading("How the loss changed"),
        Paragraph(
            f"A curve for each generation, from light (the first) to dark (the last).{online} Each "
            "is shifted and scaled to lie within 0 and 1."
        ),
        Picture(path, "The loss after each generation as curves, the later the darker"),
    ]


def change_picture(path: Path, records: list[GenerationRecord], view: str) -> None:
    """Draws the loss after each generation as a curve; every record must hold one.

    Args:
        path: of the PNG.
        records: in order.
        view: what the loss sees; one of `CURVE_PLACES`.
    """
    places, targets = CURVE_PLACES[view]
    shades = np.linspace(_FAINTEST, _STRONGEST, len(records))

    def paint(*drawn: Any) -> None:
        from matplotlib import colormaps

        colour_map = colormaps["YlOrBr"]
        for row, (axes, target) in enumerate(zip(drawn, targets, strict=True)):
            for record, shade in zip(records, shades, strict=True):
                curve = scaled(np.array((record.curve or [])[row], np.float64))
                named = record in (records[0], records[-1])
                label = f"generation {record.generation}" if named else None
                axes.plot(places, curve, color=colour_map(shade), label=label, linewidth=1.5)
            axes.set_ylim(-0.05, 1.05)
            axes.set_ylabel("loss, shifted and scaled")
            axes.set_xlabel("distance d" if view == "anchors" else "prediction f")
            axes.set_title(f"target y = {target:g}")
        drawn[0].legend(frameon=False)

    draw(path, 4.5 * max(len(targets), 1.4), 3.6, len(targets), paint)
