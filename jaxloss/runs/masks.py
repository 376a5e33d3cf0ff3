"""Pictures of what networks make of images with masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxloss.runs.document import Block, Heading, Paragraph, Picture
from jaxloss.runs.findings import Findings
from jaxloss.runs.plots import draw
from jaxloss.runs.solutions import Solutions, solved_tasks
from jaxloss.tasks.saliency import SaliencyTask
from jaxloss.tasks.task import Task

_SHOWN = 4
"""Images in a picture."""


def mask_sections(findings: Findings, tasks: Sequence[Task], folder: Path) -> list[Block]:
    """Draws maps of the tasks that are of salient objects; nothing where there are none."""
    blocks = list[Block]()
    for task, found, path, where in solved_tasks(findings, tasks, SaliencyTask, folder, "maps"):
        maps_picture(path, np.asarray(task.test.inputs), found)
        blocks += [
            Heading(f"What the networks find{where}"),
            Paragraph(
                "The first images of the test split, their masks, and the probability of each "
                "pixel by the networks of the first seed of the comparison: black is 0, white 1."
            ),
            Picture(path, "Images, masks, and maps of networks trained under both losses"),
        ]
    return blocks


def maps_picture(
    path: Path, images: Float[np.ndarray, "images height width 3"], found: Solutions
) -> None:
    """Draws images, masks and both maps side by side, an image in each row."""
    low, high = images.min(), images.max()
    columns = (
        ("image", (images - low) / max(high - low, np.finfo(images.dtype).tiny)),
        ("mask", found.reference),
        ("task loss", found.usual),
        ("learned loss", found.learned),
    )

    def paint(*drawn: Any) -> None:
        for axes, (title, rows) in zip(drawn, columns, strict=True):
            axes.imshow(
                np.concatenate([_ruled(one) for one in rows[:_SHOWN]]), "gray", vmin=0, vmax=1
            )
            axes.set_axis_off()
            axes.set_title(title)

    shown = min(_SHOWN, len(images))
    draw(path, 6.0, 0.4 + 1.5 * shown * images.shape[1] / images.shape[2], len(columns), paint)


def _ruled(image: Float[np.ndarray, "height width ..."]) -> Float[np.ndarray, "rows width ..."]:
    """Adds a white line, so that images do not run into each other."""
    return np.pad(image, [(0, 1)] + [(0, 0)] * (image.ndim - 1), constant_values=1)
