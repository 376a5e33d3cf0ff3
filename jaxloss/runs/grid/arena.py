"""The problems of a comparison with their data, and the rows that meet on them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxloss.errors import InvalidInputError, require
from jaxloss.runs.folder import data_fingerprint
from jaxloss.runs.grid.cells import Row
from jaxloss.runs.grid.contenders import Contender, Unfit, contender, example_of
from jaxloss.runs.grid.paper import PAPER_PROBLEMS
from jaxloss.runs.grid.problems import ProblemSpec
from jaxloss.runs.grid.ranking import JudgedProblem
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.runs.people import require_working_metric
from jaxloss.tasks.registry import load_task
from jaxloss.tasks.task import DistributedTask, PlayedTask, Task


class LoadedProblem(NamedTuple):
    """A problem with its data.

    Attributes:
        spec: as the settings have it.
        task: what is trained.
        data: fingerprint of the splits.
    """

    spec: ProblemSpec
    task: Task
    data: str

    @property
    def judged(self) -> JudgedProblem:
        """The problem as tables show it."""
        metric = self.task.metric
        usual = self.task.task_loss_name
        return JudgedProblem(self.spec.name, metric.name, metric.higher_is_better, usual)

    @property
    def kind(self) -> str:
        """What is predicted; problems of one kind share their tables."""
        if isinstance(self.task, DistributedTask):
            return "equations"
        if isinstance(self.task, PlayedTask):
            return "offline RL"
        kinds = {
            "identity": "regression",
            "softmax": "classification",
            "sigmoid": "classification",
            "anchors": "retrieval",
            "cell_classes": "detection of classes",
            "cell_boxes": "detection of boxes",
            "masks": "salient objects",
        }
        return kinds.get(self.task.view.name, self.task.view.name)


class Arena(NamedTuple):
    """All that cells need.

    Attributes:
        problems: by name, in order.
        rows: all that is compared, the usual losses among them.
        added: rows that the settings do not name: usual losses, which all others are tested with.
        contenders: by row and problem.
    """

    problems: dict[str, LoadedProblem]
    rows: tuple[Row, ...]
    added: tuple[Row, ...]
    contenders: Mapping[tuple[str, str], Contender]


def prepare(settings: GridSettings) -> Arena:
    """Loads all data and prepares all rows; nothing is written.

    Raises:
        InvalidInputError: a problem cannot be loaded, or settings that a person gave for a method
            cannot be used.
    """
    problems = {one.spec.name: one for one in load_problems(settings)}
    known = {row.name for row in settings.rows}
    usual = dict.fromkeys(problem.task.task_loss_name for problem in problems.values())
    added = tuple(Row(name, learned=False) for name in usual if name not in known)
    rows = settings.rows + added
    examples = {name: example_of(problem.task) for name, problem in problems.items()}
    contenders = {
        (row.name, name): contender(row, settings, problem.task, examples[name])
        for name, problem in problems.items()
        for row in rows
    }
    for name, _ in settings.overridden:
        _require_any_use(name, [contenders[name, problem] for problem in problems])
    return Arena(problems, rows, added, contenders)


def _require_any_use(method: str, on_problems: Sequence[Contender]) -> None:
    """Refuses settings that a person gave and with which a method serves no problem at all."""
    reasons = [one.reason for one in on_problems if isinstance(one, Unfit)]
    require(len(reasons) < len(on_problems), f"{method}: {next(iter(reasons), '')}")


def load_problems(settings: GridSettings) -> list[LoadedProblem]:
    """Loads the data of all problems.

    Raises:
        InvalidInputError: says what is missing.
    """
    found: list[LoadedProblem] = []
    for spec in settings.problems:
        try:
            task = load_task(spec.task, spec.settings)
        except InvalidInputError as error:
            if settings.tasks != PAPER_PROBLEMS:
                raise
            raise InvalidInputError(
                f"the grid of the papers needs data that are not here ({error}); prepare the data "
                "sets that --dry-run lists, or name --tasks that are here"
            ) from error
        require_working_metric(task)
        found.append(LoadedProblem(spec, task, data_fingerprint((task,))))
    return found
