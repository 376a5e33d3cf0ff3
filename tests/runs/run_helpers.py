"""A method that costs nothing beside the real ones, and what many tests use."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from rich.console import Console

from jaxloss import LearnedLoss, TreeForm, parse
from jaxloss.learning.finalists import Finalist, task_loss_of
from jaxloss.learning.trials import Trials, TrialSettings
from jaxloss.losses import zoo_form
from jaxloss.runs.comparison import Comparison
from jaxloss.runs.loop import RunResult
from jaxloss.runs.settings import RunSettings
from jaxloss.runs.statistics import paired
from jaxloss.search.search import FrontEntry, Info, Search
from jaxloss.search.settings import GeneticSettings
from jaxloss.search.several import as_tasks
from jaxloss.tasks import Task

CACHE_SETTINGS = {
    "jax_compilation_cache_dir": None,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


@dataclass(frozen=True, kw_only=True)
class DrawSettings(GeneticSettings):
    """Settings of the method below."""

    task_loss_wins: bool = False
    """Whether the task loss is the best finalist."""


class DrawState(NamedTuple):
    key: PRNGKeyArray
    generation: np.int32
    best: Float[np.ndarray, ""]
    history: Float[np.ndarray, " generations"]
    nothing: Float[np.ndarray, "generations 0"]


def draw(tasks: Task | Sequence[Task], settings: DrawSettings) -> Search:
    """Draws one number a generation; the smallest is the weight of the loss that it has learned."""
    task = as_tasks(tasks)[0]

    def loss(weight: float) -> LearnedLoss:
        form = TreeForm(parse("square(sub(f, y))"))
        return LearnedLoss(form, (1.0 + abs(weight), 1.0, 1.0), task.view.name)

    def init(key: PRNGKeyArray) -> DrawState:
        steps = settings.generations
        empty = np.zeros((steps, 0), np.float32)
        return DrawState(
            key, np.int32(0), np.array(np.inf, np.float32), np.zeros(steps, np.float32), empty
        )

    def step(state: DrawState) -> tuple[DrawState, Info]:
        key, draw_key = jax.random.split(state.key)
        number: Array = jax.random.normal(draw_key)
        history = state.history.copy()
        history[state.generation] = number
        best = np.minimum(state.best, np.asarray(number))
        after = DrawState(key, state.generation + np.int32(1), best, history, state.nothing)
        dropped = {"archive": 1, "not finite": 0}
        info = Info(int(state.generation), float(best), loss(float(best)), 4, 3, dropped, 30)
        return after, info

    def finalists(state: DrawState) -> list[Finalist]:
        learned = Finalist(loss(float(state.best)), np.array([1.0, 2.0]), learned=True)
        usual = Finalist(task_loss_of(task), np.array([1.5, 1.5]), learned=False)
        return [usual, learned] if settings.task_loss_wins else [learned, usual]

    def front(state: DrawState) -> list[FrontEntry]:
        return [FrontEntry(loss(float(state.best)), 4, float(state.best))]

    def best(state: DrawState) -> LearnedLoss:
        return finalists(state)[0].loss

    return Search(init, step, best, front, finalists, settings.generations, settings.population)


QUICK_TRIAL = TrialSettings(steps=10, finalists=1, finalist_seeds=2, seeds=3)


class Finished(NamedTuple):
    settings: RunSettings
    result: RunResult
    printed: str


def made_up_comparison(
    usual: Sequence[float], learned: Sequence[float], formula: str = "abs(f - y)"
) -> Comparison:
    """A comparison by an error, the same on both splits and all the way."""

    def trials(values: Sequence[float]) -> Trials:
        ends = np.array(values)
        return Trials(ends, ends, np.stack([ends, ends], axis=1))

    sides = trials(usual), trials(learned)
    found = paired(sides[0].test, sides[1].test, higher_is_better=False)
    tree = parse(formula)
    loss = LearnedLoss(TreeForm(tree), (1.0,) * (tree.size - 1), "identity")
    usual_loss = LearnedLoss(zoo_form("mse", "identity"), (), "identity")
    return Comparison(
        "diabetes, linear", "mse", False, usual_loss, loss, *sides, found, found, steps=2
    )


def quiet() -> Console:
    """A console that nobody reads."""
    return Console(file=io.StringIO(), width=200)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


PATIENCE = 120
"""Seconds after which a process counts as stuck."""


def start(words: list[str], cache: Path) -> subprocess.Popen:
    """Starts a command in a process of its own, which shares the compiled programs."""
    settings = {**CACHE_SETTINGS, "jax_compilation_cache_dir": cache}
    environment = {
        **os.environ,
        **{name.upper(): str(value) for name, value in settings.items()},
        "PYTHONPATH": os.getcwd(),
    }
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_when(
    process: subprocess.Popen,
    condition: Callable[[], bool],
    by: signal.Signals = signal.SIGKILL,
) -> None:
    """Kills a process, by default so that it can do nothing about it."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(by)
    assert process.wait(PATIENCE) == -by
    assert process.stdout is not None
    process.stdout.close()


def free_port() -> int:
    """Finds a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]
