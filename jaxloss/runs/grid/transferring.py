"""Trains losses that were learned on one problem on the others; no such training is repeated."""

import dataclasses
import json
import time
from typing import NamedTuple

from rich.console import Console

from jaxloss.learning.compilation import make_room
from jaxloss.learning.trials import trial_runner
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.views import shows
from jaxloss.runs.grid.arena import Arena, LoadedProblem
from jaxloss.runs.grid.cells import Cell, CellResult, Identity, revision_of, search_digest
from jaxloss.runs.grid.evaluating import evaluated, values
from jaxloss.runs.grid.learning import NOTHING_LEARNED
from jaxloss.runs.grid.progress import activity, result_text, say_line
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.runs.grid.store import find_cells, write_cell
from jaxloss.runs.grid.transfer import NOT_STORED, NOTHING_MOVED, Transferred
from jaxloss.runs.people import own_code_errors
from jaxloss.runs.records import made_with
from jaxloss.runs.settings import task_stem
from jaxloss.runs.words import duration, plural


class Move(NamedTuple):
    """A learned loss and another problem."""

    source: Cell
    loss: LearnedLoss
    target: LoadedProblem
    identity: Identity


def moves(
    settings: GridSettings,
    arena: Arena,
    identities: dict[Cell, Identity],
    done: dict[Cell, CellResult],
) -> list[Move]:
    """Finds every learned loss and every other problem that can show it what it sees."""
    found: list[Move] = []
    for cell, result in done.items():
        if result.loss is None or result.note == NOTHING_LEARNED:
            continue
        loss = LearnedLoss.from_json(json.dumps(result.loss))
        for name, target in arena.problems.items():
            if name != cell.problem.name and shows(target.task.view.name, loss.view):
                identity = _identity(settings, cell, identities[cell], target)
                found.append(Move(cell, loss, target, identity))
    return found


def _identity(
    settings: GridSettings, cell: Cell, source: Identity, target: LoadedProblem
) -> Identity:
    return {
        "revision": revision_of(cell.row),
        "row": f"{cell.row.name}-from-{task_stem(cell.problem.task)}",
        # How the loss was judged at home has no part in what it reaches elsewhere.
        "source": search_digest(source),
        "task": target.spec.task,
        "problem": dataclasses.asdict(target.spec.settings),
        "seed": cell.seed,
        "trainings": settings.budget.trainings,
        "steps": settings.budget.steps,
        "optimizer": dataclasses.asdict(settings.optimizer),
        "data": target.data,
    }


def transfers(
    settings: GridSettings,
    arena: Arena,
    identities: dict[Cell, Identity],
    done: dict[Cell, CellResult],
    console: Console,
    report_only: bool,
) -> list[Transferred]:
    """Trains every learned loss on the other problems, with plain trainings.

    Returns:
        What they reached there, and at home.
    """
    planned = moves(settings, arena, identities, done)
    reuse = find_cells(settings.folder, [move.identity for move in planned])
    missing = sum(result is None for result in reuse.results)
    if missing and not report_only:
        say_line(console, f"transfer: training learned losses {plural(missing, 'time')} elsewhere")
    reached = [
        Transferred(cell.row.name, cell.problem.name, cell.problem.name, cell.seed, result.test)
        for cell, result in done.items()
        if result.loss is not None and result.note != NOTHING_LEARNED
    ]
    for number, (move, stored) in enumerate(zip(planned, reuse.results, strict=True)):
        if stored is None and report_only:
            continue
        result = stored or _trained(settings, move, f"{number + 1}/{len(planned)}", console)
        source, target = move.source.problem.name, move.target.spec.name
        reached.append(
            Transferred(move.source.row.name, source, target, move.source.seed, result.test)
        )
    without = sum(_missing(cell, result) == NOT_STORED for cell, result in done.items())
    if without:
        say_line(
            console,
            f"transfer: {plural(without, 'learned loss', 'learned losses')} stay at home, since "
            "their cells came without them",
        )
    return reached + _gaps(done, reached)


def _missing(cell: Cell, result: CellResult) -> str | None:
    """Says why a cell of a method has no loss to move, if so."""
    if result.note == NOTHING_LEARNED:
        return NOTHING_MOVED
    return NOT_STORED if cell.row.learned and result.loss is None else None


def _gaps(done: dict[Cell, CellResult], reached: list[Transferred]) -> list[Transferred]:
    """Says why seeds are missing that had nothing to move, where other seeds had something."""
    places = dict.fromkeys((one.method, one.source, one.target) for one in reached)
    return [
        Transferred(method, source, target, cell.seed, (), note)
        for cell, result in done.items()
        if (note := _missing(cell, result)) is not None
        for method, source, target in places
        if (cell.row.name, cell.problem.name) == (method, source)
    ]


def _trained(settings: GridSettings, move: Move, place: str, console: Console) -> CellResult:
    """Trains with a loss on the other problem and writes what came of it."""
    started = time.perf_counter()
    task, budget = move.target.task, settings.budget
    source = move.source
    title = (
        f"transfer {place}: {source.row.name} from {source.problem.name} to "
        f"{move.target.spec.name}, seed {source.seed}"
    )
    make_room()
    with activity(console, title), own_code_errors(task):
        runner = trial_runner(task, settings.optimizer, budget.steps)
        trials = evaluated(runner, move.loss, source.seed, budget)
    result = CellResult(
        test=values(trials.test),
        valid=values(trials.valid),
        seconds=round(time.perf_counter() - started, 3),
    )
    write_cell(settings.folder, move.identity, result, made_with())
    text = result_text(task.metric.name, result)
    say_line(console, f"{title}: {text}, {duration(result.seconds)}")
    return result
