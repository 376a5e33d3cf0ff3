"""What a run writes down: one line a generation, the front, the losses and the results."""

import json
import platform
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jaxlib.version

from jaxloss.learning.trials import Finalist
from jaxloss.runs.comparison import Comparison, comparison_data, finite_or_none
from jaxloss.runs.folder import RunFolder, write_atomically, write_json
from jaxloss.search.search import FrontEntry, Info


class GenerationRecord(NamedTuple):
    """One line of ``generations.jsonl``.

    Attributes:
        generation: its number, from 1.
        best_fitness: lowest fitness so far; None while nothing survived.
        formula: the loss that has it.
        size: nodes of its tree.
        candidates: trees of this generation.
        trained: how many of them were trained.
        dropped: how many each filter dropped.
        seconds: what the generation took.
    """

    generation: int
    best_fitness: float | None
    formula: str | None
    size: int | None
    candidates: int
    trained: int
    dropped: dict[str, int]
    seconds: float


def generation_record(info: Info, seconds: float) -> GenerationRecord:
    """Describes a step for people."""
    best = info.best
    return GenerationRecord(
        info.generation + 1,
        finite_or_none(info.best_fitness),
        None if best is None else best.formula(),
        None if best is None else best.form.expression((1.0,) * len(best.parameters)).size,
        info.candidates,
        info.trained,
        dict(info.dropped),
        round(seconds, 4),
    )


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
    folder: RunFolder, finalists: list[Finalist], comparison: Comparison | None
) -> None:
    """Writes what the finalists and the last comparison reached."""
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
        "comparison": None if comparison is None else comparison_data(comparison),
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
