"""What a run writes down: one line a generation, the front, the losses and the results."""

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np

from jaxloss.learning.finalists import Finalist
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.comparison import Comparison, comparison_data, finite_or_none
from jaxloss.runs.folder import RunFolder, write_atomically, write_json
from jaxloss.search.search import FrontEntry, Info


class GenerationRecord(NamedTuple):
    """One line of ``generations.jsonl``.

    Attributes:
        generation: its number, from 1.
        best_fitness: lowest fitness so far; None while nothing survived.
        formula: the loss that has it, or how it is described if it is no formula.
        size: nodes of its tree, or how many parameters it has where it is no tree.
        candidates: losses of this generation.
        trained: how many of them were trained.
        dropped: how many each filter dropped.
        training_steps: steps of inner training that were taken.
        curve: values of a loss that is no formula, at `CURVE_PLACES`, a row for each target; None
            for a formula, and for views without places. Values that are not finite are None.
        seconds: what the generation took.
    """

    generation: int
    best_fitness: float | None
    formula: str | None
    size: int | None
    candidates: int
    trained: int
    dropped: dict[str, int]
    training_steps: int
    curve: list[list[float | None]] | None
    seconds: float


def generation_record(info: Info, seconds: float) -> GenerationRecord:
    """Describes a step for people."""
    best = info.best
    return GenerationRecord(
        info.generation + 1,
        finite_or_none(info.best_fitness),
        None if best is None else best.formula(),
        None if best is None else best.form.size,
        info.candidates,
        info.trained,
        dict(info.dropped),
        info.training_steps,
        None if best is None or best.is_symbolic else _curve(best),
        round(seconds, 4),
    )


_CHANCES = (tuple(np.linspace(0.01, 0.99, 25).tolist()), (1.0, 0.0))

CURVE_PLACES = {
    "identity": (tuple(np.linspace(-3.0, 3.0, 25).tolist()), (0.0,)),
    **dict.fromkeys(("softmax", "sigmoid", "masks"), _CHANCES),
    "anchors": (tuple(np.linspace(0.0, 8.0, 25).tolist()), (1.0, 0.0)),
}
"""Where a loss that is no formula is written down: predictions, and targets, for each view."""


def _curve(loss: LearnedLoss) -> list[list[float | None]] | None:
    """Computes a loss over the predictions, a row for each target."""
    if loss.view not in CURVE_PLACES:
        return None
    places, targets = CURVE_PLACES[loss.view]
    f, y = np.meshgrid(np.array(places, np.float32), np.array(targets, np.float32))
    values = loss.family.apply(jnp.asarray(loss.parameters), jnp.asarray(f), jnp.asarray(y))
    return [
        [finite_or_none(float(f"{value:.6g}")) for value in row]
        for row in np.asarray(values).tolist()
    ]


def append_record(path: Path, record: GenerationRecord) -> None:
    """Adds a line. A line that a killed process left unfinished is cut off by `keep_records`."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record._asdict()) + "\n")


def read_records(path: Path) -> list[GenerationRecord]:
    """Reads the lines in order, up to the first that is not whole."""
    records: list[GenerationRecord] = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            records.append(GenerationRecord(**json.loads(line)))
        except (ValueError, TypeError):
            break
    return records


def keep_records(path: Path, generations: int) -> list[GenerationRecord]:
    """Cuts the file to the generations that a resumed run has behind it."""
    kept = [record for record in read_records(path) if record.generation <= generations]
    text = "".join(json.dumps(record._asdict()) + "\n" for record in kept)
    if path.exists():
        write_atomically(path, text)
    return kept


def write_front(path: Path, front: list[FrontEntry]) -> None:
    """Writes the losses that no smaller one beats."""
    entries = [
        {
            "size": entry.size,
            "fitness": entry.fitness,
            "formula": entry.loss.formula(),
            "loss": json.loads(entry.loss.to_json()),
        }
        for entry in front
    ]
    write_json(path, entries)


def write_results(
    folder: RunFolder, finalists: list[Finalist], comparisons: Sequence[Comparison]
) -> None:
    """Writes what the finalists and the last comparisons reached."""
    data = {
        "winner": "learned loss" if finalists[0].learned else "task loss",
        "finalists": [
            {
                "formula": finalist.loss.formula(),
                "learned": finalist.learned,
                "mean_fitness": finite_or_none(finalist.mean),
                "fitness": [finite_or_none(value) for value in finalist.fitness.tolist()],
            }
            for finalist in finalists
        ],
        "comparisons": [comparison_data(comparison) for comparison in comparisons],
        "made_with": made_with(),
    }
    write_json(folder.results, data)


def made_with() -> dict[str, Any]:
    """Names the versions and the device that results come from."""
    return {
        "jaxloss": jaxloss_version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.version.__version__,
        "python": platform.python_version(),
        "device": str(jax.devices()[0].device_kind),
        "devices": jax.device_count(),
        "machine": platform.machine(),
    }


def jaxloss_version() -> str:
    """Reads the version that was installed."""
    from importlib import metadata

    try:
        return metadata.version("jaxloss")
    except metadata.PackageNotFoundError:
        return "0 (not installed)"
