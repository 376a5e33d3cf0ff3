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


class _Judging(NamedTuple):
    """One way of judging all rows.

    Attributes:
        name: of its files.
        title: says which trainings are tuned.
        tuned: names of the rows that are.
    """

    name: str
    title: str
    tuned: frozenset[str]


def standings(settings: GridSettings, arena: Arena, cells: Sequence[FinishedCell]) -> list[Named]:
    """Makes the tables of learned losses as they are, then those where all trainings are tuned.

    Hand-made losses are tuned in both, since a search has had as much; how far that alone goes is
    shown by the usual loss as it is, which stands beside them. Where problems of several kinds were
    compared, each kind has its own tables, since hand-made losses serve one kind only; learned
    losses then stand in one more table over all problems.
    """
    kinds = by_kind(arena)
    found: list[Named] = []
    for judging in _judgings(settings, arena):
        observed = observations(cells, judging.tuned)
        observed += _untuned_usual(arena, cells) if judging.tuned else []
        for kind, problems in kinds.items():
            rows = _rows(arena, judging, problems)
            standing = stand([problem.judged for problem in problems], rows, observed)
            many = len(kinds) > 1
            file = _of_kind(judging.name, kind) if many else judging.name
            title = f"{kind}: {judging.title}" if many else judging.title
            found.append(Named(file, title[0].upper() + title[1:], standing))
        methods = [row for row in arena.rows if row.learned]
        if len(kinds) > 1 and methods:
            standing = _over_all(arena, methods, observed, judging)
            title = f"Learned losses on all problems: {judging.title}"
            found.append(Named(f"{judging.name}-all", title, standing))
    return found


def _of_kind(name: str, kind: str) -> str:
    """Names files of one kind of problems; Markdown's links end at a space."""
    return f"{name}-{kind}".replace(" ", "-")


def _judgings(settings: GridSettings, arena: Arena) -> list[_Judging]:
    if not settings.budget.tuning:
        return [_Judging("table", "trainings as they are", frozenset())]
    hand_made = frozenset(row.name for row in arena.rows if not row.learned)
    everyone = frozenset(row.name for row in arena.rows)
    return [
        _Judging("table", "hand-made losses tuned, learned ones as they are", hand_made),
        _Judging("tuned", "all trainings tuned", everyone),
    ]


def _untuned(name: str) -> str:
    return f"{name}, untuned"


def _untuned_usual(arena: Arena, cells: Sequence[FinishedCell]) -> list[Observation]:
    """Takes what the usual losses reach as they are, under names of their own."""
    references = {one.spec.name: one.judged.reference for one in arena.problems.values()}
    return [
        one._replace(row=_untuned(one.row))
        for one in observations(cells, ())
        if references.get(one.problem) == one.row
    ]


def _rows(arena: Arena, judging: _Judging, problems: Sequence[LoadedProblem]) -> list[JudgedRow]:
    rows = [
        JudgedRow(row.name, row.learned, row.name in judging.tuned)
        for row in arena.rows
        if _serves(arena, row, problems)
    ]
    usual = dict.fromkeys(problem.judged.reference for problem in problems)
    extra = [JudgedRow(_untuned(name), learned=False) for name in usual] if judging.tuned else []
    return [*rows, *extra]


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


def _over_all(
    arena: Arena, methods: Sequence[Row], observed: Sequence[Observation], judging: _Judging
) -> Standing:
    """Compares methods with whatever the usual loss of each problem is."""
    problems = [problem.judged for problem in arena.problems.values()]
    references = {problem.name: problem.reference for problem in problems}
    usual: list[Observation] = []
    for one in observed:
        reference = references[one.problem]
        names = {reference: USUAL, _untuned(reference): _untuned(USUAL)}
        if one.row in names:
            usual.append(one._replace(row=names[one.row]))
    tuned = bool(judging.tuned)
    rows = [JudgedRow(row.name, True, row.name in judging.tuned) for row in methods]
    rows.append(JudgedRow(USUAL, learned=False, tuned=tuned))
    rows += [JudgedRow(_untuned(USUAL), learned=False)] if tuned else []
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
        name = _of_kind("transfer", kind) if several else "transfer"
        found.append(Named(name, f"{title}: {kind}" if several else title, standing))
    return found
