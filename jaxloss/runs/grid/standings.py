"""Which tables a comparison has: for each kind of problem and for all, plain and tuned."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxloss.runs.grid.arena import Arena, LoadedProblem
from jaxloss.runs.grid.cells import FinishedCell, Row
from jaxloss.runs.grid.contenders import Unfit
from jaxloss.runs.grid.ranking import JudgedRow, Observation, Standing, observations, stand
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.runs.grid.transfer import USUAL, Transferred, transfer_standing


class Named(NamedTuple):
    """A standing with the name of its files and a title."""

    name: str
    title: str
    standing: Standing


def standings(settings: GridSettings, arena: Arena, cells: Sequence[FinishedCell]) -> list[Named]:
    """Makes the tables of plain trainings, then those of tuned ones.

    Where problems of several kinds were compared, each kind has its own, since hand-made losses
    serve one kind only; learned losses then stand in one more table over all problems.
    """
    kinds = by_kind(arena)
    found: list[Named] = []
    for tuned in (False, True) if settings.budget.tuning else (False,):
        name = "tuned" if tuned else "table"
        how = "tuned trainings" if tuned else "trainings as they are"
        observed = observations(cells, [row.name for row in arena.rows] if tuned else ())
        for kind, problems in kinds.items():
            rows = [_judged(row, tuned) for row in arena.rows if _serves(arena, row, problems)]
            standing = stand([problem.judged for problem in problems], rows, observed)
            many = len(kinds) > 1
            file, title = (f"{name}-{kind}", f"{kind}, {how}") if many else (name, how)
            found.append(Named(file, title[0].upper() + title[1:], standing))
        methods = [row for row in arena.rows if row.learned]
        if len(kinds) > 1 and methods:
            standing = _over_all(arena, methods, observed, tuned)
            found.append(Named(f"{name}-all", f"Learned losses on all problems, {how}", standing))
    return found


def by_kind(arena: Arena) -> dict[str, list[LoadedProblem]]:
    """Groups problems by what they predict."""
    kinds: dict[str, list[LoadedProblem]] = {}
    for problem in arena.problems.values():
        kinds.setdefault(problem.kind, []).append(problem)
    return kinds


def _serves(arena: Arena, row: Row, problems: Iterable[LoadedProblem]) -> bool:
    return any(
        not isinstance(arena.contenders[row.name, problem.spec.name], Unfit) for problem in problems
    )


def _judged(row: Row, tuned: bool) -> JudgedRow:
    return JudgedRow(row.name, row.learned, tuned)


def _over_all(
    arena: Arena, methods: Sequence[Row], observed: Sequence[Observation], tuned: bool
) -> Standing:
    """Compares methods with whatever the usual loss of each problem is."""
    problems = [problem.judged for problem in arena.problems.values()]
    references = {problem.name: problem.reference for problem in problems}
    usual = [one._replace(row=USUAL) for one in observed if references.get(one.problem) == one.row]
    rows = [*(_judged(row, tuned) for row in methods), JudgedRow(USUAL, learned=False, tuned=tuned)]
    problems = [problem._replace(reference=USUAL) for problem in problems]
    return stand(problems, rows, [*observed, *usual])


def transfer_standings(
    arena: Arena, cells: Sequence[FinishedCell], moved: Sequence[Transferred]
) -> list[Named]:
    """Makes a table of transfer for each view that several problems share."""
    views: dict[str, list[LoadedProblem]] = {}
    for problem in arena.problems.values():
        views.setdefault(problem.task.view.name, []).append(problem)
    found: list[Named] = []
    usual = observations(cells, ())
    for problems in views.values():
        names = {problem.spec.name for problem in problems}
        own = [one for one in moved if one.source in names and one.target in names]
        if all(one.source == one.target for one in own):
            continue
        standing = transfer_standing([problem.judged for problem in problems], own, usual)
        kind = problems[0].kind
        several = len([1 for others in views.values() if len(others) > 1]) > 1
        title = "Losses trained on other problems than they were learned on"
        name, title = (f"transfer-{kind}", f"{title}: {kind}") if several else ("transfer", title)
        found.append(Named(name, title, standing))
    return found
