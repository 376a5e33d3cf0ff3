"""Offline reinforcement learning as a task: fitted Q trains, its greedy policy is scored."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxloss.errors import require
from jaxloss.losses import zoo
from jaxloss.losses.views import View, view_named
from jaxloss.models.model import Model, Variables
from jaxloss.models.registry import create_model
from jaxloss.tasks.metrics import Metric, guarded
from jaxloss.tasks.options import usual_loss
from jaxloss.tasks.rl.episodes import Environment, Episodes, require_usable
from jaxloss.tasks.rl.network import as_rows, fitted_q_model, stage_values
from jaxloss.tasks.splitting import SplitSettings, split_rows
from jaxloss.tasks.task import Split


def _bellman_fit(
    predictions: Float[Array, "examples horizon"], targets: Float[Array, "examples horizon"]
) -> Float[Array, ""]:
    """What values alone can say, without a policy to play: minus their root mean squared error."""
    return -jnp.sqrt(jnp.mean(jnp.square(predictions - targets)))


POLICY_VALUE = Metric("policy_value", guarded(_bellman_fit), higher_is_better=True)
"""The mean total reward of the greedy policy from the first states of a split. Its ``function``
serves the rejection test, which has outputs but no network."""


@dataclasses.dataclass(frozen=True, eq=False)
class OfflineRLTask:
    """A task whose inner training is fitted Q; fulfils `jaxloss.tasks.task.PlayedTask`.

    An example is an episode, its outputs the values of the actions taken, its targets the rewards;
    the model adds the values of the next states to these wherever a loss is computed, and that
    with the values of all stages at once (`fitted_q_model`). So a loss sees what it sees in any
    regression, and every way to train, tune and race losses serves here as it is. The other
    choices were worse: stages one after the other would need a training loop of their own in each
    of these ways, and a single stage with targets of a reference would not let a loss feel what its
    errors do to the stages before.

    Splits share out the episodes; a score plays from the first states of its split.

    Attributes:
        name: how reports call the task; `load_task` takes it.
        environment: where policies are played.
        network: of one stage: features of an action to its value.
        model: that of all stages.
        train: moves the model's parameters.
        valid: steers the meta-gradient and the fitness.
        test: is seen by the final comparison only.
        view: turns outputs and targets into the variables of a loss.
        metric: the value of the greedy policy.
        task_loss_name: a loss of the zoo, perhaps with parameters, as `jaxloss.zoo.spelled` writes.
    """

    name: str
    environment: Environment
    network: Model
    model: Model
    train: Split
    valid: Split
    test: Split
    view: View
    metric: Metric
    task_loss_name: str

    def with_model(self, model: str) -> "OfflineRLTask":
        """Gives the episodes to another network of each stage; see `offline_rl_task`.

        Raises:
            InvalidInputError: the network is neither linear nor a perceptron.
        """
        network = _stage_network(self.name, model)
        whole = fitted_q_model(network, self.environment)
        return dataclasses.replace(self, network=network, model=whole)

    def task_loss(
        self, outputs: Float[Array, "batch horizon"], targets: Num[Array, "batch horizon"]
    ) -> Float[Array, " batch"]:
        """The usual loss, one value for each episode: the sum over its stages."""
        return zoo.read_task_loss(self.task_loss_name, self.view.name)(outputs, targets)

    def predictions(self, outputs: Float[Array, "examples horizon"]) -> Array:
        """The values of the actions taken, as they are."""
        return outputs

    def score(self, variables: Variables, split: Split) -> Float[Array, ""]:
        """Plays the greedy policy; NaN where a parameter is not finite."""

        def act(stage: Array, state: Array) -> Array:
            values = stage_values(self.network, self.environment, variables, stage, state)
            return jnp.argmax(values)

        starts = split.inputs[:, 0, : self.environment.state_size]
        value = jnp.mean(self.environment.values(act, starts))
        finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(variables)]
        return jnp.where(jnp.all(jnp.stack(finite)), value, jnp.nan)


def offline_rl_task(
    name: str,
    environment: Environment,
    episodes: Episodes,
    model: str = "mlp:50-50",
    task_loss: str = "mse",
    split: SplitSettings | None = None,
) -> OfflineRLTask:
    """Makes the task of recorded episodes.

    Args:
        name: how reports call the task.
        environment: where policies are played.
        episodes: what was recorded.
        model: the network of each stage, ``linear`` or ``mlp:WIDTH-WIDTH-...``.
        task_loss: what `jaxloss.zoo.read` takes.
        split: fractions and seed of the division of the episodes.

    Raises:
        InvalidInputError: the data cannot be learned from or are too few, or the network or the
            usual loss does not fit.
    """
    require_usable(episodes, environment)
    parts = shared_out(episodes, split or SplitSettings())
    return task_of_parts(name, environment, parts, model, task_loss)


def shared_out(episodes: Episodes, split: SplitSettings) -> tuple[Episodes, Episodes, Episodes]:
    """Shares recorded episodes out among training, validation and test."""
    parts = split_rows(None, len(episodes.actions), split)
    train, valid, test = (episodes.rows(part) for part in parts)
    return train, valid, test


def task_of_parts(
    name: str,
    environment: Environment,
    parts: tuple[Episodes, Episodes, Episodes],
    model: str = "mlp:50-50",
    task_loss: str = "mse",
) -> OfflineRLTask:
    """Makes the task of episodes that are shared out already.

    Args:
        name: how reports call the task.
        environment: where policies are played.
        parts: what was recorded for training, validation and test; nothing should be in two.
        model: the network of each stage, ``linear`` or ``mlp:WIDTH-WIDTH-...``.
        task_loss: what `jaxloss.zoo.read` takes.

    Raises:
        InvalidInputError: a part cannot be learned from, or the network or the usual loss does not
            fit.
    """
    for part in parts:
        require_usable(part, environment)
    network = _stage_network(name, model)
    usual = usual_loss(task_loss, "identity")
    train, valid, test = (
        Split(as_rows(part), jnp.asarray(part.rewards, jnp.result_type(float))) for part in parts
    )
    return OfflineRLTask(
        name,
        environment,
        network,
        fitted_q_model(network, environment),
        train,
        valid,
        test,
        view_named("identity"),
        POLICY_VALUE,
        usual,
    )


def _stage_network(name: str, model: str) -> Model:
    require(
        model.partition(":")[0] in ("linear", "mlp"),
        f"{name} has a network that is linear or mlp:WIDTH-WIDTH-... for each stage, "
        f"got model {model!r}",
    )
    return create_model(model, 1)
