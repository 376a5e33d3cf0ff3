"""Seconds for each candidate of TaylorGLO, beside a sequential implementation in PyTorch and DEAP.

A search of jaxloss runs from its key to its last generation, compilation included. Then the same
search starts again from the same key: by as much as its generations are faster now, the first time
compiled. It runs once as published (https://arxiv.org/abs/2002.00059), where every candidate is
trained, and once with jaxloss's rejection test before the training.

The rival (`sequential.taylor`) takes a sample of what the first of these searches asked for, spread
evenly over its generations, through the test and through the training, whatever the test says. Its
time for a candidate is the training's, with the test the test's and the training's times the share
that jaxloss's search trained. What its CMA-ES takes is left out.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

import jax
import numpy as np
import rival
from timing import Cost, timed

from jaxloss.learning import FitnessSettings, RejectionSettings
from jaxloss.search import Info, Search, strategy_search
from jaxloss.search.flat_judging import FlatJudge, FlatVerdicts
from jaxloss.search.taylorglo import TaylorGLOSettings, taylorglo
from jaxloss.tasks import Task, TaskSettings, load_task

Order = Literal["never", "before"]

PUBLISHED: Order = "never"
ORDERS: tuple[Order, ...] = (PUBLISHED, "before")
"""When hopeless losses are rejected: never, as published, or before the training."""


class Searched(NamedTuple):
    """A search that was timed.

    Attributes:
        first: cost of the whole search, compilation included.
        compilation: what of it went into compilation.
        first_generation: wall-clock seconds of the first generation, compilation included.
        asked: all candidates, in order.
        trained, finite: share of them that was trained, and that has a fitness.
        best: fitness of the fittest.
    """

    first: Cost
    compilation: Cost
    first_generation: float
    asked: np.ndarray
    trained: float
    finite: float
    best: float

    def each(self, compilation: bool) -> Cost:
        """Cost of a candidate, compilation included or not."""
        spared = Cost(0.0, 0.0) if compilation else self.compilation
        count = len(self.asked)
        return Cost(*((a - b) / count for a, b in zip(self.first, spared, strict=True)))


class RivalCosts(NamedTuple):
    """What the rival took for each candidate of the sample.

    Attributes:
        test, training: of each candidate.
        threads: how many PyTorch used: one, or as many as there are cores, whichever is faster.
    """

    test: list[Cost]
    training: list[Cost]
    threads: int

    def estimate(self, tested: bool, trained: float) -> rival.Estimate:
        """Estimates the time for a candidate, of which a share is trained."""
        pairs = list(zip(self.test, self.training, strict=True))
        seconds = np.array([tested * a.seconds + trained * b.seconds for a, b in pairs])
        core = np.array([tested * a.core_seconds + trained * b.core_seconds for a, b in pairs])
        error = float(np.std(seconds, ddof=1) / np.sqrt(len(pairs))) if len(pairs) > 1 else 0.0
        return rival.Estimate(float(seconds.mean()), error, float(core.mean()), self.threads)


def rows(
    task: str,
    model: str,
    generations: int,
    repeated: int,
    sample: int,
    steps: tuple[int, int] = (1000, 500),
    population: int = 25,
    seed: int = 0,
) -> list[dict]:
    """Measures one network.

    Args:
        task: name of a bundled task.
        model: the network.
        generations: how many the searches go through.
        repeated: how many of them run a second time, to tell compilation from work.
        sample: how many candidates the rival judges.
        steps: rejection steps and training steps; the paper's by default.
        population: candidates in a generation.
        seed: of searches, sample and rival.
    """
    loaded, counts = load_task(task, TaskSettings(model=model)), rival.Steps(0, *steps)
    searches = {}
    for when in ORDERS:
        jax.clear_caches()  # So that the second search compiles as much as the first.
        settings = TaylorGLOSettings(
            population=population,
            generations=generations,
            rejection=RejectionSettings(when=when, steps=counts.rejection),
            fitness=FitnessSettings(steps=counts.training),
        )
        searches[when] = _searched(loaded, settings, repeated, seed)
    chosen = spread_sample(searches[PUBLISHED].asked, sample, seed)
    against: dict[Order, rival.Estimate] = {}
    if rival.is_installed():
        costs = _rival_costs(loaded, chosen, counts, seed)
        against = {
            when: costs.estimate(when != PUBLISHED, search.trained)
            for when, search in searches.items()
        }
    named = {"task": task, "model": model}
    own = [named | _own_row(when, searches[when], against) for when in ORDERS]
    return own + [
        named
        | {
            "program": f"PyTorch, {one.threads} thread" + (one.threads > 1) * "s",
            "order": when,
            "candidates": len(chosen),
            "trained": searches[when].trained,
            "ms": 1e3 * one.seconds,
            "error": 1e3 * one.error,
            "core_ms": 1e3 * one.core_seconds,
        }
        for when, one in against.items()
    ]


def spread_sample(asked: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draws one candidate from each of as many stretches of the search, all of one length."""
    generator = np.random.default_rng(seed)
    stretches = np.array_split(np.arange(len(asked)), min(count, len(asked)))
    return asked[[generator.choice(stretch) for stretch in stretches]]


def _searched(task: Task, settings: TaylorGLOSettings, repeated: int, seed: int) -> Searched:
    asked: list[np.ndarray] = []
    make = strategy_search.flat_judge

    def noting(*arguments: Any) -> FlatJudge:
        judge = make(*arguments)

        def judged(key: jax.Array, parameters: np.ndarray) -> FlatVerdicts:
            asked.append(parameters)
            return judge(key, parameters)

        return judged

    with patch.object(strategy_search, "flat_judge", noting):
        search = taylorglo(task, settings)
    first = list(_generations(search, seed, settings.generations))
    candidates = np.concatenate(asked)
    costs = [cost for _, cost in first]
    cold = _total(costs[:repeated])
    warm = _total([cost for _, cost in _generations(search, seed, repeated)])
    trained = sum(info.trained for info, _ in first)
    broken = sum(info.dropped["not finite"] for info, _ in first)
    return Searched(
        first=_total(costs),
        compilation=Cost(cold.seconds - warm.seconds, cold.core_seconds - warm.core_seconds),
        first_generation=costs[0].seconds,
        asked=candidates,
        trained=trained / len(candidates),
        finite=(trained - broken) / len(candidates),
        best=first[-1][0].best_fitness,
    )


def _generations(search: Search, seed: int, count: int) -> Iterator[tuple[Info, Cost]]:
    """Runs the first generations; what comes before the first one counts in it."""
    state, before = timed(lambda: search.init(jax.random.key(seed)))
    for _ in range(count):
        (state, info), cost = timed(lambda state=state: search.step(state))
        yield info, _total([before, cost])
        before = Cost(0.0, 0.0)


def _rival_costs(task: Task, candidates: np.ndarray, steps: rival.Steps, seed: int) -> RivalCosts:
    # Only here: the rest runs without these libraries.
    from sequential.libraries import torch
    from sequential.problem import problem_of
    from sequential.settings import SequentialSettings
    from sequential.taylor import TaylorLoss, fitness, gain

    problem = problem_of(task)

    def costs(rows: np.ndarray, threads: int, divisor: int) -> RivalCosts:
        torch.set_num_threads(threads)
        _, rejection, training = (max(1, count // divisor) for count in steps)
        settings = SequentialSettings(rejection_steps=rejection, training_steps=training)
        losses = [TaylorLoss(row) for row in rows]

        def of(part: Callable[..., float]) -> list[Cost]:
            return [timed(partial(part, problem, settings, loss, seed))[1] for loss in losses]

        return RivalCosts(of(gain), of(fitness), threads)

    def pilot(threads: int) -> float:
        few = candidates[: rival.TRIED]
        costs(few, threads, 10)  # Warms up.
        return _total(costs(few, threads, 10).training).seconds

    return costs(candidates, min({1, os.cpu_count() or 1}, key=pilot), 1)


def _own_row(when: Order, search: Searched, against: dict[Order, rival.Estimate]) -> dict[str, Any]:
    cold, warm = search.each(compilation=True), search.each(compilation=False)
    row = {
        "program": "jaxloss",
        "order": when,
        "candidates": len(search.asked),
        "trained": search.trained,
        "finite": search.finite,
        "best": search.best,
        "ms": 1e3 * cold.seconds,
        "ms_compiled": 1e3 * warm.seconds,
        "core_ms": 1e3 * cold.core_seconds,
        "core_ms_compiled": 1e3 * warm.core_seconds,
        "compilation": search.compilation.seconds,
        "first_generation": search.first_generation,
    }
    for name, order in {"published": PUBLISHED, "same": when}.items():
        if order in against:
            row[name] = against[order].seconds / cold.seconds
            row[f"{name}_compiled"] = against[order].seconds / warm.seconds
    return row


def _total(costs: Sequence[Cost]) -> Cost:
    return Cost(sum(cost.seconds for cost in costs), sum(cost.core_seconds for cost in costs))
