"""How rows stand on every problem and over all of them.

The value of a row at a seed is the mean over that seed's evaluation trainings; one failed training
makes it a failed seed. Means and deviations are over the seeds that did not fail. On a problem, a
row with fewer failed seeds ranks before one with more, then the better mean decides; rows without
any value rank last, together.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.errors import require
from jaxloss.runs.grid.cells import FinishedCell
from jaxloss.runs.grid.rank_statistics import Friedman, critical_difference, friedman, holm, ranks
from jaxloss.runs.statistics import SIGNIFICANCE, Paired, paired, summarise


class JudgedProblem(NamedTuple):
    """A problem as tables show it.

    Attributes:
        name: how it is called.
        metric: what is compared.
        higher_is_better: the metric's direction.
        reference: the row of the usual loss, which all others are tested against.
    """

    name: str
    metric: str
    higher_is_better: bool
    reference: str


class JudgedRow(NamedTuple):
    """A row as tables show it.

    Attributes:
        name: of the method or loss.
        learned: whether its losses are learned.
        tuned: whether its values come from tuned trainings.
        home: the problem that its loss was learned on, in tables of transfer.
    """

    name: str
    learned: bool
    tuned: bool = False
    home: str | None = None


class Observation(NamedTuple):
    """Values of the metric that one row reached on one problem at one seed; None is a failure."""

    row: str
    problem: str
    seed: int
    values: tuple[float | None, ...]
    note: str | None = None


class Entry(NamedTuple):
    """One row on one problem.

    Attributes:
        values: one for each seed that was run, NaN where it failed.
        mean: over the seeds that did not fail; NaN without any.
        deviation: standard deviation over them (n - 1); NaN below two.
        failed: seeds that failed.
        rank: among all rows on the problem, from 1.
        against: the paired comparison with the reference row; None for itself, and where fewer than
            two seeds can be compared.
        p: of that comparison, adjusted for all of the table; NaN without one.
        significant: whether it is below `SIGNIFICANCE` and the row ahead had no failed seed.
        notes: what is to be said about it.
    """

    values: tuple[float, ...]
    mean: float
    deviation: float
    failed: int
    rank: float
    against: Paired | None
    p: float
    significant: bool
    notes: tuple[str, ...]

    @property
    def missing(self) -> bool:
        """Whether there is no value at all, not even a failed one."""
        return not self.values


class Standing(NamedTuple):
    """How all rows stand.

    Attributes:
        problems: in the order given.
        rows: in the order given.
        entries: by row and problem.
        average_ranks: one for each row.
        comparisons: how many tests against the reference the adjustment counted.
        friedman: the test over all problems; None below two problems or three rows.
        critical_difference: of average ranks, by Nemenyi's test; None where there is no Friedman.
        seeds: the most seeds that any entry has.
    """

    problems: tuple[JudgedProblem, ...]
    rows: tuple[JudgedRow, ...]
    entries: dict[tuple[str, str], Entry]
    average_ranks: tuple[float, ...]
    comparisons: int
    friedman: Friedman | None
    critical_difference: float | None
    seeds: int


def observations(cells: Iterable[FinishedCell], tuned: Collection[str]) -> list[Observation]:
    """Takes the test values of finished cells.

    Args:
        cells: what came of the comparison.
        tuned: names of the rows that are judged by their tuned trainings.
    """
    return [
        Observation(
            cell.row.name,
            cell.problem.name,
            cell.seed,
            result.tuned_test if cell.row.name in tuned else result.test,
            result.note,
        )
        for cell, result in cells
    ]


def stand(
    problems: Sequence[JudgedProblem],
    rows: Sequence[JudgedRow],
    observed: Iterable[Observation],
) -> Standing:
    """Compares rows on each problem and over all.

    Args:
        problems: what rows were judged on.
        rows: what is compared; names are unique.
        observed: what was reached; entries about other rows or problems are left out.

    Raises:
        InvalidInputError: there is no row or problem, or two have one name.
    """
    for kind, names in (
        ("row", [row.name for row in rows]),
        ("problem", [problem.name for problem in problems]),
    ):
        require(bool(names), f"a table needs at least one {kind}")
        require(len(set(names)) == len(names), f"a table names a {kind} twice: {names}")
    values, notes = _by_place(observed)
    entries: dict[tuple[str, str], Entry] = {}
    table = np.zeros((len(problems), len(rows)))
    for number, problem in enumerate(problems):
        keys = [_key(values.get((row.name, problem.name), {}), problem) for row in rows]
        table[number] = ranks(keys)
        reference = values.get((problem.reference, problem.name), {})
        for row, rank in zip(rows, table[number], strict=True):
            place = row.name, problem.name
            own = values.get(place, {})
            against = None if row.name == problem.reference else _against(own, reference, problem)
            entries[place] = _entry(own, float(rank), against, notes.get(place, ()))
    entries, comparisons = _adjusted(entries)
    tested = len(problems) >= 2 and len(rows) >= 3
    return Standing(
        tuple(problems),
        tuple(rows),
        entries,
        tuple(map(float, table.mean(axis=0))),
        comparisons,
        friedman(table) if tested else None,
        critical_difference(len(rows), len(problems)) if tested else None,
        max(len(entry.values) for entry in entries.values()),
    )


def seed_value(values: Sequence[float | None]) -> float:
    """Averages over one seed's evaluation trainings; NaN if one of them failed."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(finite)) if finite and len(finite) == len(values) else math.nan


_BySeed = dict[int, float]


def _by_place(
    observed: Iterable[Observation],
) -> tuple[dict[tuple[str, str], _BySeed], dict[tuple[str, str], tuple[str, ...]]]:
    values: dict[tuple[str, str], _BySeed] = {}
    notes: dict[tuple[str, str], tuple[str, ...]] = {}
    for one in observed:
        place = one.row, one.problem
        if one.values:
            values.setdefault(place, {})[one.seed] = seed_value(one.values)
        if one.note and one.note not in notes.get(place, ()):
            notes[place] = (*notes.get(place, ()), one.note)
    return values, notes


def _key(by_seed: _BySeed, problem: JudgedProblem) -> tuple[bool, int, float]:
    """Orders rows on a problem: any value at all, then fewer failed seeds, then the mean.

    Means of the same counted errors differ in their last digits; they tie.
    """
    summary = summarise(np.array(list(by_seed.values())))
    mean = float(f"{summary.mean:.6g}")
    signed = -mean if problem.higher_is_better else mean
    return not by_seed, summary.failed, math.inf if math.isnan(signed) else signed


def _against(own: _BySeed, reference: _BySeed, problem: JudgedProblem) -> Paired | None:
    seeds = sorted(own.keys() & reference.keys())
    if len(seeds) < 2:
        return None
    return paired(_array(reference, seeds), _array(own, seeds), problem.higher_is_better)


def _array(by_seed: Mapping[int, float], seeds: Sequence[int]) -> Float[np.ndarray, " seeds"]:
    return np.array([by_seed[seed] for seed in seeds], np.float64)


def _entry(own: _BySeed, rank: float, against: Paired | None, notes: tuple[str, ...]) -> Entry:
    found = tuple(own[seed] for seed in sorted(own))
    mean, deviation, failed = summarise(np.array(found))
    return Entry(found, mean, deviation, failed, rank, against, math.nan, False, notes)


def _adjusted(
    entries: dict[tuple[str, str], Entry],
) -> tuple[dict[tuple[str, str], Entry], int]:
    """Adjusts p for all comparisons of the table, and counts them."""
    raw = np.array([entry.against.p if entry.against else math.nan for entry in entries.values()])
    adjusted = {
        place: entry._replace(
            p=float(p),
            significant=bool(p < SIGNIFICANCE and entry.against and entry.against.clear),
        )
        for (place, entry), p in zip(entries.items(), holm(raw), strict=True)
    }
    return adjusted, int(np.sum(~np.isnan(raw)))
