"""The library's programs for a population of random trees: time, memory, results."""

import hashlib
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import jax
import jobs
import numpy as np
from timing import Call, taking_turns, timed

from jaxloss.learning import FitnessSettings, RejectionSettings, population
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.losses.ways import Way
from jaxloss.search import EvoMALSettings
from jaxloss.search.programs import candidate_programs, tuning_program
from jaxloss.symbols import Alphabet, parse
from jaxloss.symbols.variation import VariationSettings
from jaxloss.tasks import Split, Task, TaskSettings, load_task, supervised_task

REJECTION, TUNING, TRAINING = "rejection test", "local search", "partial training"
BINARY, UNARY = ("add", "sub", "mul", "div"), ("square", "abs", "tanh", "log", "sqrt")
TERMINALS = ("f", "y", "1", "-1")


def rows(
    candidates: int = 25,
    nodes: int = 64,
    outputs: int | None = None,
    model: str = "mlp:50-50",
    way: Way = "interpreted",
    meta_steps: int = 10,
    rejection_steps: int = 40,
    training_steps: int = 20,
    seconds: float = 2.0,
) -> list[dict]:
    """Runs a population through all programs, whatever they find, and times them.

    Args:
        candidates: how many trees.
        nodes: of each tree, and the most that a tree may have.
        outputs: of the networks, on made-up data; by default the task is diabetes, with one.
        model: the network.
        way: how trees are run.
        meta_steps: of local search.
        rejection_steps: of the rejection test.
        training_steps: of partial training.
        seconds: how long the programs take turns.

    Returns:
        One row: the arguments, the cost of each program, the most memory that a compiled program
        and this process took, and digests of the results.
    """
    settings = EvoMALSettings(
        population=candidates,
        max_nodes=nodes,
        way=way,
        rejection=RejectionSettings(steps=rejection_steps),
        local_search=LocalSearchSettings(meta_steps=meta_steps),
        fitness=FitnessSettings(steps=training_steps),
        variation=VariationSettings(initial_height=(1, 2)),  # That a few nodes suffice.
    )
    task = _task(outputs, model)
    formulas = _formulas(candidates, nodes)
    needed: list[int] = []

    def noted(compiled: Any) -> int | None:
        found = needed_bytes(compiled)
        needed.append(found or 0)
        return found

    needed_bytes = population.needed_bytes
    with patch.object(population, "needed_bytes", noted):
        runs = programs(task, settings, formulas)
        results, cold = timed(lambda: {name: run() for name, run in runs.items()})
    costs = taking_turns({name: Call(run) for name, run in runs.items()}, seconds, least=2)
    total = sum(cost.seconds for cost in costs.values())
    return [
        {
            "way": way,
            "candidates": candidates,
            "nodes": nodes,
            "outputs": outputs or 1,
            "training_steps": training_steps,
            "seconds": total,
            "core_seconds": sum(cost.core_seconds for cost in costs.values()),
            "compilation": cold.seconds - total,
            **{name: cost.seconds for name, cost in costs.items()},
            "program_megabytes": max(needed) / 2**20 if needed else None,
            "peak_megabytes": jobs.peak_bytes() / 2**20,
            "digests": {name: _digest(result) for name, result in results.items()},
        }
    ]


def programs(
    task: Task, settings: EvoMALSettings, formulas: list[str]
) -> dict[str, Callable[[], np.ndarray]]:
    """Makes calls of the programs that a search runs, by name; the first call of each compiles."""
    alphabet, key = Alphabet(capacity=settings.max_nodes), jax.random.key(0)
    made = candidate_programs(task, settings, settings.local_search, alphabet)
    tune = tuning_program([task], settings, settings.local_search, alphabet)
    genomes = np.stack([alphabet.encode(parse(formula)) for formula in formulas])
    candidates = genomes, np.asarray(made.describe(key, genomes)[1])
    examples = Split(*(part[: settings.rejection.examples] for part in task.train))
    splits = task.train, task.valid
    return {
        REJECTION: lambda: made.improve((key, examples), candidates),
        TUNING: lambda: tune((key, [splits]), candidates),
        TRAINING: lambda: made.train((key, *splits), candidates),
    }


def _task(outputs: int | None, model: str) -> Task:
    if outputs is None:
        return load_task("diabetes", TaskSettings(model=model))
    inputs = np.random.default_rng(0).normal(size=(440, 10))
    mixing = np.random.default_rng(1).normal(size=(10, outputs))
    return supervised_task("made up", inputs, np.tanh(inputs @ mixing), "regression", model=model)


def _formulas(count: int, nodes: int) -> list[str]:
    """Draws trees of just as many nodes."""
    generator = np.random.default_rng(0)

    def tree(left: int) -> str:
        if left == 1:
            return TERMINALS[generator.integers(len(TERMINALS))]
        if left == 2 or generator.random() < 0.2:
            return f"{UNARY[generator.integers(len(UNARY))]}({tree(left - 1)})"
        first = int(generator.integers(1, left - 1))
        name = BINARY[generator.integers(len(BINARY))]
        return f"{name}({tree(first)}, {tree(left - 1 - first)})"

    return [tree(nodes) for _ in range(count)]


def _digest(result: np.ndarray) -> str:
    return hashlib.sha256(np.asarray(result).tobytes()).hexdigest()[:12]
