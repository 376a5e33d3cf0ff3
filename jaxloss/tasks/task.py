"""What a loss is judged on: the protocol that every task fulfils."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Num, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.losses.views import View
from jaxloss.models.model import Model, Variables
from jaxloss.tasks.metrics import Metric


class Split(NamedTuple):
    """Examples that stay on the device: ``inputs[i]`` belongs to ``targets[i]``."""

    inputs: Float[Array, "examples ..."]
    targets: Num[Array, "examples ..."]


@runtime_checkable
class Task(Protocol):
    """A problem with a model, three disjoint splits, what the loss sees, and how it is scored."""

    @property
    def name(self) -> str:
        """How reports and run folders call the task."""
        ...

    @property
    def model(self) -> Model:
        """The network that is trained."""
        ...

    @property
    def train(self) -> Split:
        """Moves the model's parameters."""
        ...

    @property
    def valid(self) -> Split:
        """Steers the meta-gradient and the fitness."""
        ...

    @property
    def test(self) -> Split:
        """Is seen by the final comparison only."""
        ...

    @property
    def view(self) -> View:
        """Turns outputs and targets into the variables of a loss."""
        ...

    @property
    def metric(self) -> Metric:
        """What a person wants to be good; need not be differentiable."""
        ...

    @property
    def task_loss_name(self) -> str:
        """How reports call the usual loss of this kind of task."""
        ...

    def task_loss(
        self, outputs: Float[Array, "batch outputs"], targets: Num[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """The usual differentiable loss, one value for each example; drives the meta-gradient."""
        ...

    def predictions(self, outputs: Float[Array, "batch outputs"]) -> Float[Array, "batch ..."]:
        """What the metric takes: class probabilities, or values or boxes as the targets are."""
        ...


@runtime_checkable
class ReusableTask(Task, Protocol):
    """A task whose data can be given to another network."""

    def with_model(self, model: Any) -> "ReusableTask":
        """Makes the task that differs in its network only, after it was found to fit."""
        ...


@runtime_checkable
class DistributedTask(Task, Protocol):
    """A task that is one problem of a distribution; others of it are drawn inside ``jit``.

    The problems differ in a parameter and in what their rows hold; network, view and losses are the
    same for all.
    """

    def draw_problem(self, key: PRNGKeyArray) -> Float[Array, ""]:
        """Draws the parameter of a problem."""
        ...

    def draw_batch(
        self, key: PRNGKeyArray, parameter: Float[Array, ""], examples: int, judging: bool = False
    ) -> Split:
        """Draws examples of the problem of this parameter, afresh for every key.

        They are to train with or, where ``judging``, to judge what was trained: only targets that
        are spoilt on purpose may differ.
        """
        ...


@runtime_checkable
class PlayedTask(Task, Protocol):
    """A task whose metric needs the trained network itself, not only its outputs on a split.

    The metric's own function then serves only where outputs have no network, as in the rejection
    test.
    """

    def score(self, variables: Variables, split: Split) -> Float[Array, ""]:
        """Computes the metric of a trained network, NaN if it is not finite."""
        ...


def require_alike(tasks: Sequence[Task]) -> None:
    """Refuses tasks that no one loss could serve, or no one number could judge together.

    Raises:
        InvalidInputError: there is no task, or the view or the metric of one differs from the first
            one's.
    """
    require(len(tasks) > 0, "expected at least one task")
    first = tasks[0]
    for task in tasks[1:]:
        require(
            task.view.name == first.view.name,
            f"tasks of one search must show their losses the same view: {first.name!r} shows "
            f"{first.view.name!r}, but {task.name!r} shows {task.view.name!r}; choose tasks of "
            "one kind",
        )
        metrics = [(one.metric.name, one.metric.higher_is_better) for one in (first, task)]
        require(
            metrics[0] == metrics[1],
            "tasks of one search need one metric, of which fitness is the mean: "
            f"{first.name!r} has {metrics[0][0]}, but {task.name!r} has {metrics[1][0]}; choose "
            "one with --metric, or other tasks",
        )
