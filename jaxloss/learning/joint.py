"""Losses whose shape is trained along with the network, on the same batches by the same optimiser.

OAL, the online adaptive loss that meta-learned PINN losses (https://arxiv.org/abs/2107.05544) are
compared with: Barron's loss, https://arxiv.org/abs/1701.03077, as a likelihood whose α and c are
parameters beside the network's.
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float, Num, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.losses.adaptive import shape_and_scale, start_parameters
from jaxloss.losses.views import View, per_example, view_named
from jaxloss.losses.zoo.adaptive import barron_likelihood
from jaxloss.models.model import Model, Variables
from jaxloss.tasks.metrics import Metric
from jaxloss.tasks.task import PlayedTask, Split, Task

_OWN = 2
"""Parameters of the loss, which stand behind the outputs of the network."""


def _predictions_alone(
    outputs: Float[Array, "batch outputs"], targets: Num[Array, "batch ..."]
) -> tuple[Array, ...]:
    return view_named("identity").see(outputs[:, :-_OWN], targets)


_VIEW = view_named("identity")._replace(see=_predictions_alone)


@dataclass(frozen=True, eq=False)
class JointTask:
    """A task whose network holds the two numbers of Barron's loss among its parameters.

    They are put out beside each prediction, where `online_adaptive` finds them; the score and the
    task loss do not see them. It fulfils `jaxloss.tasks.task.Task`.

    Attributes:
        base: the task itself.

    Raises:
        InvalidInputError: the task does not predict values that are scored by themselves, or its
            network has a companion or bootstraps its targets.
    """

    base: Task

    def __post_init__(self) -> None:
        require(
            self.base.view.name == "identity" and not isinstance(self.base, PlayedTask),
            f"oal is for predicted values, scored as they are; {self.base.name} is not such a task",
        )
        model = self.base.model
        require(
            model.companion is None and model.bootstrap is None,
            f"oal trains a network by its loss alone; {model.name} adds a loss of its own or makes "
            "targets of what it predicts",
        )

    @property
    def name(self) -> str:
        """The name of the task itself."""
        return self.base.name

    @property
    def train(self) -> Split:
        """The training rows of the task itself."""
        return self.base.train

    @property
    def valid(self) -> Split:
        """The validation rows of the task itself."""
        return self.base.valid

    @property
    def test(self) -> Split:
        """The test rows of the task itself."""
        return self.base.test

    @property
    def view(self) -> View:
        """The view of the task itself, on the predictions alone."""
        return _VIEW

    @property
    def metric(self) -> Metric:
        """The metric of the task itself."""
        return self.base.metric

    @property
    def task_loss_name(self) -> str:
        """The usual loss of the task itself."""
        return self.base.task_loss_name

    @property
    def model(self) -> Model:
        """The network with the loss's numbers beside its own."""
        own = self.base.model

        def init(key: PRNGKeyArray, inputs: Float[Array, "batch ..."]) -> Variables:
            variables = own.init(key, inputs)
            start = jnp.asarray(start_parameters(), jnp.result_type(float))
            return {**variables, "params": {"network": variables["params"], "loss": start}}

        def apply(
            variables: Variables,
            inputs: Float[Array, "batch ..."],
            train: bool,
            key: PRNGKeyArray | None,
        ) -> tuple[Float[Array, "batch outputs"], Variables]:
            held = variables["params"]
            outputs, renewed = own.apply(
                {**variables, "params": held["network"]}, inputs, train, key
            )
            beside = jnp.broadcast_to(held["loss"][None, :], (len(outputs), _OWN))
            outputs = jnp.concatenate([outputs, beside.astype(outputs.dtype)], axis=1)
            return outputs, {**renewed, "params": held}

        return Model(init, apply, own.name)

    def task_loss(
        self, outputs: Float[Array, "batch outputs"], targets: Num[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """The usual loss of the predictions."""
        return self.base.task_loss(outputs[:, :-_OWN], targets)

    def predictions(self, outputs: Float[Array, "batch outputs"]) -> Float[Array, "batch ..."]:
        """What the metric takes."""
        return self.base.predictions(outputs[:, :-_OWN])


def online_adaptive(
    outputs: Float[Array, "batch outputs"], targets: Num[Array, "batch ..."]
) -> Float[Array, " batch"]:
    """Computes OAL on the outputs of a `JointTask`: ρ + ln c + ln Z(α), α and c from the outputs.

    Args:
        outputs: predictions, and the two numbers of the loss, equal in all rows.
        targets: one for each prediction.
    """
    predictions, own = outputs[:, :-_OWN], jnp.mean(outputs[:, -_OWN:], axis=0)
    alpha, scale = shape_and_scale(own)
    fitted = targets.reshape(predictions.shape).astype(predictions.dtype)
    return per_example(barron_likelihood(predictions, fitted, alpha, scale))


def trained_shape(variables: Variables) -> tuple[float, float]:
    """Reads α and c of a trained network of a `JointTask`."""
    alpha, scale = shape_and_scale(variables["params"]["loss"])
    return float(alpha), float(scale)
