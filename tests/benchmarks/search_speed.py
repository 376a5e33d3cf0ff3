"""Seconds for each candidate of a search, beside a sequential implementation in PyTorch and DEAP.

A search of jaxloss runs from its key to its last generation, compilation included. Then the same
search starts again from the same key: by as much as its generations are faster now, the first time
compiled. Both orders of the filters are searched: ``both``, jaxloss's own, and ``after``, that of
the code released with https://arxiv.org/abs/2209.08907.

The rival (`sequential`) judges a random sample of the distinct formulas that the search in the
first of these orders has met. What it takes for them is multiplied by the share of candidates that
are not in the archive, as the search counted it: that is its time for a candidate of such a search.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import rival
from timing import Cost, timed

from jaxloss.learning import FitnessSettings, RejectionSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search import EvoMALSettings, Info, Search, evomal
from jaxloss.search.evolution import alphabet_of
from jaxloss.tasks import Task, TaskSettings, load_task

Order = Literal["both", "after"]

ORDERS: tuple[Order, ...] = ("both", "after")
"""When hopeless losses are rejected: before and after local search, or after it alone."""

RELEASED: Order = "after"
"""The order of the released code."""


class Searched(NamedTuple):
    """A search that was timed.

    Attributes:
        first: cost of each generation, what comes before the first one counted in it.
        again: cost of the generations that ran a second time.
        new: share of the candidates that were not in the archive.
        trained: share of the candidates that went all the way.
        formulas: all that it met, in call syntax.
        candidates: how many trees it judged.
    """

    first: list[Cost]
    again: list[Cost]
    new: float
    trained: float
    formulas: list[str]
    candidates: int

    @property
    def compilation(self) -> float:
        """Wall-clock seconds that went into compilation."""
        return _total(self.first[: len(self.again)]).seconds - _total(self.again).seconds

    @property
    def each(self) -> Cost:
        """Cost of a candidate, compilation included."""
        total = _total(self.first)
        return Cost(total.seconds / self.candidates, total.core_seconds / self.candidates)


def rows(
    task: str,
    model: str,
    generations: int,
    repeated: int,
    sample: int,
    steps: tuple[int, int, int] = (250, 1000, 500),
    population: int = 25,
    orders: Sequence[Order] = ORDERS,
    seed: int = 0,
) -> list[dict]:
    """Measures one network.

    Args:
        task: name of a bundled task.
        model: the network.
        generations: how many the search goes through.
        repeated: how many of them run a second time, to tell compilation from work; 2 or more,
            because what varies the trees is compiled for the second one.
        sample: how many formulas the rival judges; 0 for no rival.
        steps: meta steps, rejection steps and training steps; the paper's by default.
        population: trees in a generation.
        orders: of the filters; the rival judges what the search with the first one meets.
        seed: of searches, sample and rival.
    """
    loaded, counts = load_task(task, TaskSettings(model=model)), rival.Steps(*steps)
    searches = {}
    for when in orders:
        jax.clear_caches()  # So that the second search compiles as much as the first.
        settings = _settings(counts, population, generations, when)
        searches[when] = _searched(loaded, settings, repeated, seed)
    chosen = rival.sampled(searches[orders[0]].formulas, sample, seed)
    judges = bool(chosen) and rival.is_installed()
    against = rival.estimates(chosen, loaded, counts, seed) if judges else {}
    named = {"task": task, "model": model}
    own = [named | _own_row(when, searches[when], against) for when in orders]
    share = searches[orders[0]].new
    return own + [
        named
        | {
            "program": f"PyTorch, {one.threads} thread" + (one.threads > 1) * "s",
            "order": when,
            "candidates": len(chosen),
            "new": share,
            "ms": 1e3 * share * one.seconds,
            "error": 1e3 * share * one.error,
            "core_ms": 1e3 * share * one.core_seconds,
        }
        for when, one in against.items()
    ]


def _settings(steps: rival.Steps, population: int, generations: int, when: Order) -> EvoMALSettings:
    return EvoMALSettings(
        population=population,
        generations=generations,
        rejection=RejectionSettings(when=when, steps=steps.rejection),
        local_search=LocalSearchSettings(meta_steps=steps.meta),
        fitness=FitnessSettings(steps=steps.training),
    )


def _searched(task: Task, settings: EvoMALSettings, repeated: int, seed: int) -> Searched:
    search, alphabet = evomal(task, settings), alphabet_of(task, settings)
    generations = list(_generations(search, seed, settings.generations))
    again = [cost for *_, cost in _generations(search, seed, repeated)]
    formulas = [str(alphabet.decode(row)) for trees, _, _ in generations for row in trees]
    archived = sum(info.dropped["archive"] for _, info, _ in generations)
    trained = sum(info.trained for _, info, _ in generations)
    return Searched(
        first=[cost for *_, cost in generations],
        again=again,
        new=1 - archived / len(formulas),
        trained=trained / len(formulas),
        formulas=formulas,
        candidates=len(formulas),
    )


def _generations(search: Search, seed: int, count: int) -> Iterator[tuple[np.ndarray, Info, Cost]]:
    """Runs the first generations; yields the trees, the information and the cost of each."""
    state, before = timed(lambda: search.init(jax.random.key(seed)))
    for _ in range(count):
        (state, info), cost = timed(lambda state=state: search.step(state))
        yield np.asarray(state.genomes), info, _total([before, cost])
        before = Cost(0.0, 0.0)


def _own_row(when: str, search: Searched, against: dict[str, rival.Estimate]) -> dict[str, Any]:
    row = {
        "program": "jaxloss",
        "order": when,
        "candidates": search.candidates,
        "new": search.new,
        "trained": search.trained,
        "ms": 1e3 * search.each.seconds,
        "ms_compiled": 1e3 * (search.each.seconds - search.compilation / search.candidates),
        "compilation": search.compilation,
        "first_generation": search.first[0].seconds,
        "core_ms": 1e3 * search.each.core_seconds,
    }
    for name, order in (("released", RELEASED), ("same", when)):
        if order in against:
            row[name] = search.new * against[order].seconds / search.each.seconds
    return row


def _total(costs: list[Cost]) -> Cost:
    return Cost(sum(cost.seconds for cost in costs), sum(cost.core_seconds for cost in costs))
