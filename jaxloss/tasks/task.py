"""What a loss is judged on: the protocol that every task fulfils."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Num

from jaxloss.losses.views import View
from jaxloss.models.model import Model
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
        """What the metric takes: class probabilities, or values in the shape of the targets."""
        ...
