"""The sequential rival, timed on formulas that a search of jaxloss has met."""

import importlib.util
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from timing import timed

from jaxloss.tasks.task import Task

TRIED = 3
"""Formulas that the numbers of threads are compared on."""


class Steps(NamedTuple):
    """Step counts that both sides go through."""

    meta: int
    rejection: int
    training: int


class Estimate(NamedTuple):
    """What the rival takes for a candidate that is not in the archive.

    Attributes:
        seconds: mean over the sample, by the clock on the wall.
        error: standard error of that mean.
        core_seconds: mean over the sample, all threads together.
        threads: how many PyTorch used: one, or as many as there are cores, whichever is faster.
    """

    seconds: float
    error: float
    core_seconds: float
    threads: int


def is_installed() -> bool:
    """Says whether the rival's libraries are there."""
    return all(importlib.util.find_spec(library) for library in ("torch", "deap"))


def sampled(formulas: Sequence[str], count: int, seed: int) -> list[str]:
    """Draws some of the distinct formulas."""
    distinct = sorted(set(formulas))
    chosen = np.random.default_rng(seed).choice(
        len(distinct), size=min(count, len(distinct)), replace=False
    )
    return [distinct[i] for i in chosen]


def estimates(formulas: Sequence[str], task: Task, steps: Steps, seed: int) -> dict[str, Estimate]:
    """Times the rival on formulas, in the order of the released code and with an early test.

    The first formulas go through a tenth of the steps beforehand: that warms up, and tells the
    number of threads that is faster.

    Args:
        formulas: distinct, in call syntax.
        task: what they are judged on.
        steps: how many of each kind.
        seed: of weights, networks and batches.

    Returns:
        Estimates by when losses are rejected: ``"after"`` local search, as in the released code,
        or ``"both"`` before and after.
    """
    # Only here: the rest runs without these libraries.
    from sequential.search import judge
    from sequential.settings import SequentialSettings

    def settings(part: int) -> SequentialSettings:
        meta, rejection, training = (max(1, count // part) for count in steps)
        return SequentialSettings(
            meta_steps=meta, rejection_steps=rejection, training_steps=training
        )

    def pilot(threads: int) -> float:
        def run() -> object:
            return judge(formulas[:TRIED], task, seed, False, threads, settings(10))

        run()
        return timed(run)[1].seconds

    threads, full = min({1, os.cpu_count() or 1}, key=pilot), settings(1)
    found = {}
    for when, early in (("after", False), ("both", True)):
        judged, cost = timed(lambda early=early: judge(formulas, task, seed, early, threads, full))
        seconds = np.array([candidate.seconds for candidate in judged])
        error = float(np.std(seconds, ddof=1) / np.sqrt(len(seconds))) if len(seconds) > 1 else 0.0
        found[when] = Estimate(
            float(seconds.mean()), error, cost.core_seconds / len(seconds), threads
        )
    return found
