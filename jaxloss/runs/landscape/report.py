"""What a drawing of loss landscapes leaves behind: a report, its pictures and all numbers."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from jaxloss.learning.curvature import Eigenvalues
from jaxloss.runs.comparison import finite_or_none, p_text
from jaxloss.runs.document import (
    Block,
    Code,
    Heading,
    Paragraph,
    Picture,
    Table,
    as_html,
    as_markdown,
)
from jaxloss.runs.folder import write_atomically, write_json
from jaxloss.runs.landscape.pictures import lines_picture, plane_picture
from jaxloss.runs.landscape.settings import LandscapeRunSettings, repeat_command
from jaxloss.runs.landscape.sides import Landscapes, Side
from jaxloss.runs.landscape.table import NAME_LENGTH, percent, side_table
from jaxloss.runs.records import made_with
from jaxloss.runs.statistics import paired
from jaxloss.runs.words import cut, number, plural


def write_landscapes(folder: Path, settings: LandscapeRunSettings, found: Landscapes) -> Path:
    """Writes the report, its pictures and all numbers.

    Returns:
        Path of the page.
    """
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    plane, lines = pictures / "planes.png", pictures / "lines.png"
    plane_picture(plane, found)
    lines_picture(lines, found)
    with (folder / "landscape.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **_arrays(found))
    write_json(folder / "results.json", _results(settings, found))
    names = " and ".join(cut(side.name, NAME_LENGTH) for side in found.sides)
    title = f"Loss landscapes on {found.task.name}: {names}"
    blocks = _blocks(settings, found, plane, lines)
    write_atomically(folder / "report.html", as_html(title, blocks))
    write_atomically(folder / "report.md", as_markdown(title, blocks, folder))
    return folder / "report.html"


def headline(found: Landscapes) -> str:
    """Says in plain words what the two trainings came to and which end lies flatter."""
    metric, (first, second) = found.task.metric.name, found.sides
    half = first.lines.places[-1] / 2
    scores = (
        f"From the same network and the same batches, training under {first.name} ends at "
        f"{metric} {number(first.test)} on the test split, under {second.name} at "
        f"{number(second.test)}."
    )
    stuck = [side.name for side in found.sides if not np.isfinite(side.progress)]
    if stuck:
        return f"{scores} Training under {' and '.join(stuck)} did not lower its loss."
    if not (np.all(np.isfinite(first.undone)) and np.all(np.isfinite(second.undone))):
        return f"{scores} Not all of the landscape is finite, so neither end is called flatter."
    shares = (
        f"A move of {half:g} along random directions undoes {percent(first.undone)} of the "
        f"training under {first.name} and {percent(second.undone)} of that under {second.name}"
    )
    if len(first.undone) < 2:
        return f"{scores} {shares}; one direction alone says little."
    difference = paired(second.undone, first.undone, higher_is_better=False)
    flatter = first if difference.better else second
    verdict = (
        f"the end under {flatter.name} lies flatter"
        if difference.clear
        else "which of the ends lies flatter is not clear"
    )
    return f"{scores} {shares}: {verdict} (paired over directions, p {p_text(difference.p)})."


def _blocks(
    settings: LandscapeRunSettings, found: Landscapes, plane: Path, lines: Path
) -> list[Block]:
    task, (first, second) = found.task, found.sides
    metric, count = task.metric, plural(settings.slices.lines, "random direction")
    better = "higher" if metric.higher_is_better else "lower"
    return [
        Paragraph(headline(found), strong=True),
        Paragraph(
            "This is one training under each loss. Whether a loss is better shows over many seeds: "
            "jaxloss evaluate and jaxloss compare."
        ),
        Heading("Around both networks"),
        Paragraph(
            "The cross in the middle of each panel is a trained network. To the right and upwards "
            "its weights move along two random directions; at 1 every filter (all weights that "
            "make one output of a layer) has moved by its own length. Both columns use the same "
            "random numbers, each fitted to its own network, so distances can be compared. Biases, "
            "parameters of batch normalisation and its statistics stay still."
        ),
        Paragraph(
            "Above: each loss over the training split, in its own unit, so numbers of the two do "
            "not compare; equal colours do. They stand for the share of what the training gained "
            "that is lost again, in brackets: at 100 % the loss is as high as before the training. "
            "Where the darkest region is wide, the minimum is flat. Below: the same places by "
            f"{metric.name} on the validation split ({better} is better), one scale for both."
        ),
        Picture(
            plane,
            f"Contours of {first.name} and {second.name} and of {metric.name} around the networks "
            "trained under them",
        ),
        Heading("Along single directions"),
        Paragraph(
            f"Thin lines are {count}, thick ones their mean. Left: the loss of each training as a "
            "share of what that training gained. Right: the metric. A picture of two directions "
            "can mislead; how far the thin lines lie apart shows by how much."
        ),
        Picture(lines, f"The losses and {metric.name} along {count}"),
        Heading("Numbers"),
        side_table(found),
        Paragraph(
            "Losses are means over the training split without weight decay. An eigenvalue of the "
            "Hessian is a curvature with respect to all parameters, the one of largest magnitude, "
            "with its sign, in the unit of that loss: a loss twice as large has one twice as "
            "large. A true eigenvalue lies no further off than the residual, which is a share of "
            "the value. Kinks, as of an absolute value, are no part of it. Sharpness is the rise "
            "of the loss along random directions, both ways, at "
            f"{first.lines.places[-1] / 2:g}, as a share of what the training gained; it has no "
            "unit. ± is the standard deviation over the directions."
        ),
        Table(("loss", "formula"), tuple((side.name, side.formula) for side in found.sides)),
        Paragraph(
            "Directions are filter-normalised as in Li et al. 2018, Visualizing the Loss Landscape "
            "of Neural Nets, https://arxiv.org/abs/1712.09913; eigenvalues are found by Lanczos's "
            "method with Hessian-vector products."
        ),
        Heading("How to repeat this"),
        Code(repeat_command(settings), "sh"),
        Paragraph(
            "landscape.npz holds all values of the pictures, results.json the table. Made with "
            + ", ".join(f"{name} {value}" for name, value in made_with().items())
            + "."
        ),
    ]


def _results(settings: LandscapeRunSettings, found: Landscapes) -> dict[str, Any]:
    data = dataclasses.asdict(settings)
    return {
        "settings": {name: value for name, value in data.items() if name != "out"},
        "model": found.task.model.name,
        "metric": found.task.metric.name,
        "higher_is_better": found.task.metric.higher_is_better,
        "usual_loss": found.task.task_loss_name,
        "sides": [_side_data(side) for side in found.sides],
        "slice_seconds": round(found.seconds, 3),
        "made_with": made_with(),
    }


_NUMBERS = ("untrained", "trained", "usual", "untrained_metric", "valid", "test")
_PER_LINE = ("rises", "undone", "worsening")


def _side_data(side: Side) -> dict[str, Any]:
    return {
        "loss": side.name,
        "formula": side.formula,
        **{name: finite_or_none(getattr(side, name)) for name in _NUMBERS},
        **{name: [finite_or_none(one) for one in getattr(side, name)] for name in _PER_LINE},
        "top_eigenvalue": _eigenvalue_data(side.curvature),
        "top_eigenvalue_of_usual_loss": _eigenvalue_data(side.usual_curvature),
    }


def _eigenvalue_data(found: Eigenvalues) -> dict[str, Any]:
    return {
        "value": finite_or_none(float(found.values[0])),
        "relative_residual": finite_or_none(float(found.residuals[0])),
        "products": int(found.products),
        "converged": bool(found.converged),
    }


def _arrays(found: Landscapes) -> dict[str, np.ndarray]:
    """Names the arrays of the slices, those of the first loss ``loss_...``."""
    arrays = {"places": found.sides[0].plane.places}
    for name, side in zip(("loss", "against"), found.sides, strict=True):
        arrays |= {
            f"{name}_plane": side.plane.losses[0],
            f"{name}_plane_metric": side.plane.metric,
            f"{name}_lines": side.lines.losses[0],
            f"{name}_lines_metric": side.lines.metric,
        }
    return arrays
