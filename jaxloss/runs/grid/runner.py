"""Runs the cells of a comparison, problem by problem, and never one twice."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from jaxloss.errors import require
from jaxloss.learning.compilation import make_room
from jaxloss.learning.trials import trial_runner
from jaxloss.losses.tunable import fixed
from jaxloss.runs.grid.arena import Arena, LoadedProblem, prepare
from jaxloss.runs.grid.cells import Cell, CellResult, FinishedCell, Identity, cell_identity
from jaxloss.runs.grid.contenders import HandMade, Searching, Unfit
from jaxloss.runs.grid.evaluating import evaluated, tuned, tuned_data, values
from jaxloss.runs.grid.learning import Learned, learn, remembered
from jaxloss.runs.grid.outcome import write_outcome
from jaxloss.runs.grid.overview import overview
from jaxloss.runs.grid.progress import Clock, Say, activity, cell_line, cell_name, say_line
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.runs.grid.store import find_cells, locked, write_cell
from jaxloss.runs.grid.transfer import Transferred
from jaxloss.runs.grid.transferring import transfers
from jaxloss.runs.people import own_code_errors
from jaxloss.runs.records import made_with
from jaxloss.runs.words import plural


class GridResult(NamedTuple):
    """What a comparison came to.

    Attributes:
        folder: where its files lie.
        cells: all that are finished, in the order of the settings, unfit rows among them.
        report: path of the report.
    """

    folder: Path
    cells: tuple[FinishedCell, ...]
    report: Path


def run_cell(
    cell: Cell,
    contender: HandMade | Searching,
    problem: LoadedProblem,
    settings: GridSettings,
    say: Say,
    known: CellResult | None = None,
) -> CellResult:
    """Learns the cell's loss, if it is to be learned and not known, and judges it.

    Args:
        cell: the cell.
        contender: its row on its problem.
        problem: its problem.
        settings: the comparison.
        say: told what is being done.
        known: what came of a cell with the same search.
    """
    started = time.perf_counter()
    task, budget, optimizer = problem.task, settings.budget, settings.optimizer
    learned: Learned | None = None
    if isinstance(contender, Searching):
        limit = budget.search_steps
        learned = (
            learn(contender.search, contender.settings, task, cell.seed, limit, say)
            if known is None
            else remembered(known)
        )
        loss, tunable = learned.loss, fixed(learned.loss)
    else:
        loss, tunable, task = contender
    say("evaluating")
    plain = evaluated(trial_runner(task, optimizer, budget.steps), loss, cell.seed, budget)
    result = CellResult(test=values(plain.test), valid=values(plain.valid))
    if budget.tuning:
        say("tuning")
        best = tuned(task, optimizer, tunable, cell.seed, budget)
        result = result._replace(
            tuned_test=values(best.trials.test),
            tuned_valid=values(best.trials.valid),
            tuned_training=tuned_data(best.training),
            tuning_steps=best.training.training_steps,
        )
    if learned is not None:
        result = result._replace(
            loss=json.loads(learned.loss.to_json()),
            formula=learned.loss.formula(),
            training_steps=learned.training_steps,
            note=learned.note,
        )
    return result._replace(seconds=round(time.perf_counter() - started, 3))


def run_grid(
    settings: GridSettings, console: Console | None = None, report_only: bool = False
) -> GridResult:
    """Runs the cells that are missing, and writes tables, pictures and a report.

    A finished cell is written at once; stopped at any moment, the same settings go on from there.

    Args:
        settings: the comparison.
        console: where progress is shown; standard output by default.
        report_only: whether to run nothing and report on what is there.

    Raises:
        InvalidInputError: data, settings or the folder cannot be used; then nothing has been
            written.
    """
    console = console or Console()
    check_folder(settings.folder)
    require(
        not report_only or (settings.folder / "cells").is_dir(),
        f"{settings.folder} holds no comparison to report on",
    )
    arena = prepare(settings)
    identities = _identities(settings, arena)
    with locked(settings.folder):
        reuse = find_cells(settings.folder, identities.values())
        for trouble in reuse.troubles:
            say_line(console, trouble)
        done = _there(identities, reuse.results)
        known = _there(identities, reuse.searches)
        for line in overview(settings, arena, len(identities), len(done)):
            say_line(console, line)
        if not report_only:
            if known:
                searches = plural(len(known), "search", "searches")
                say_line(console, f"known    {searches}; their losses are only judged anew")
            _run_missing(settings, arena, identities, done, known, console)
        require(bool(done), f"no cell of this comparison is finished in {settings.folder}")
        moved: list[Transferred] = []
        if settings.transfer:
            moved = transfers(settings, arena, identities, done, console, report_only)
        report = write_outcome(settings, arena, _finished(settings, arena, done), moved, console)
    return GridResult(settings.folder, tuple(_finished(settings, arena, done)), report)


def check_folder(folder: Path) -> None:
    """Refuses a folder that holds something else than a comparison; changes nothing.

    Raises:
        InvalidInputError: says so.
    """
    require(folder.is_dir() or not folder.exists(), f"{folder} is a file; name a folder with --out")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    require(
        not names - {".lock"} or "cells" in names,
        f"{folder} holds something else than a comparison; name another folder with --out",
    )


def _identities(settings: GridSettings, arena: Arena) -> dict[Cell, Identity]:
    """Describes every cell that can be run."""
    identities: dict[Cell, Identity] = {}
    for cell in settings.cells(arena.added):
        contender = arena.contenders[cell.row.name, cell.problem.name]
        if isinstance(contender, Unfit):
            continue
        identities[cell] = cell_identity(
            cell,
            contender.settings if isinstance(contender, Searching) else None,
            settings.budget,
            arena.problems[cell.problem.name].data,
            settings.optimizer,
            contender.tunable.parameters if isinstance(contender, HandMade) else (),
        )
    return identities


def _there(cells: Iterable[Cell], results: Iterable[CellResult | None]) -> dict[Cell, CellResult]:
    return {cell: found for cell, found in zip(cells, results, strict=True) if found is not None}


def _run_missing(
    settings: GridSettings,
    arena: Arena,
    identities: dict[Cell, Identity],
    done: dict[Cell, CellResult],
    known: dict[Cell, CellResult],
    console: Console,
) -> None:
    """Runs cells that are not done, writes each and adds it to ``done``."""
    missing = [cell for cell in identities if cell not in done]
    clock = Clock()
    for number, cell in enumerate(missing):
        problem = arena.problems[cell.problem.name]
        contender = arena.contenders[cell.row.name, cell.problem.name]
        if isinstance(contender, Unfit):
            continue
        make_room()
        place = f"{len(identities) - len(missing) + number + 1}/{len(identities)}"
        with (
            activity(console, f"cell {place}: {cell_name(cell)}") as say,
            own_code_errors(problem.task),
        ):
            result = run_cell(cell, contender, problem, settings, say, known.get(cell))
        write_cell(settings.folder, identities[cell], result, made_with())
        done[cell] = result
        clock.add(cell, result.seconds)
        left = clock.left(missing[number + 1 :])
        metric = problem.task.metric.name
        say_line(console, cell_line(place, cell, metric, result, left))


def _finished(
    settings: GridSettings, arena: Arena, done: dict[Cell, CellResult]
) -> list[FinishedCell]:
    """Lists what is finished, with a note alone where a row cannot serve the problem."""
    cells: list[FinishedCell] = []
    for cell in settings.cells(arena.added):
        contender = arena.contenders[cell.row.name, cell.problem.name]
        if isinstance(contender, Unfit):
            cells.append(FinishedCell(cell, CellResult(note=contender.reason)))
        elif cell in done:
            cells.append(FinishedCell(cell, done[cell]))
    return cells
