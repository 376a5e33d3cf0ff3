"""How long a step of each program takes a whole population of random trees, on any device."""

import jax
import numpy as np
from population_runs import REJECTION, TRAINING, TUNING, programs
from timing import timed

from jaxloss.learning import FitnessSettings, RejectionSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search import EvoMALSettings, evomal
from jaxloss.search.evolution import alphabet_of
from jaxloss.tasks import TaskSettings, load_task

REPEATED = 3
"""Runs of a compiled program, of which the fastest counts."""


def rows(
    candidates: int,
    chunk: int,
    model: str = "mlp:50-50",
    task: str = "diabetes",
    steps: tuple[int, int, int] = (200, 40, 200),
) -> list[dict]:
    """Sends the first generation of a search through all programs, whatever they find.

    Args:
        candidates: how many trees.
        chunk: how many of them a device takes in one call.
        model: the network.
        task: name of a bundled task.
        steps: of the rejection test, of local search and of training.

    Returns:
        One row: milliseconds of a step of each program, all calls together, and the seconds by
        which first runs took longer, compilation.
    """
    counts: dict[str, int] = dict(zip((REJECTION, TUNING, TRAINING), steps, strict=True))
    settings = EvoMALSettings(
        population=candidates,
        chunk=chunk,
        rejection=RejectionSettings(steps=counts[REJECTION]),
        local_search=LocalSearchSettings(meta_steps=counts[TUNING]),
        fitness=FitnessSettings(steps=counts[TRAINING]),
    )
    loaded = load_task(task, TaskSettings(model=model))
    genomes = evomal(loaded, settings).init(jax.random.key(0)).genomes
    alphabet = alphabet_of(loaded, settings)
    formulas = [str(alphabet.decode(row)) for row in np.asarray(genomes)]
    runs = programs(loaded, settings, formulas)
    first = {name: timed(run)[1].seconds for name, run in runs.items()}
    again = {
        name: min(timed(run)[1].seconds for _ in range(REPEATED)) for name, run in runs.items()
    }
    return [
        {
            "task": task,
            "model": model,
            "candidates": candidates,
            "chunk": chunk,
            "compilation": sum(first.values()) - sum(again.values()),
            **{name: 1e3 * again[name] / counts[name] for name in runs},
        }
    ]
