"""Training under a loss that goes on learning: after every step of the network, one of the loss.

AdaLFL's online phase: Raymond et al., "Online Loss Function Learning",
https://arxiv.org/abs/2301.13247, Algorithm 2.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxloss.keys import named_key
from jaxloss.learning.inner import (
    Draws,
    ExampleLoss,
    Learner,
    batch_indices,
    draw,
    take,
    training_step,
)
from jaxloss.learning.optimizers import Optimizer
from jaxloss.learning.unroll import Bind, judged_by
from jaxloss.models.model import Variables
from jaxloss.tasks.task import Split, Task


class OnlineLearner(NamedTuple):
    """What one step of online training changes.

    Attributes:
        learner: the network and its optimiser.
        loss_params: flat parameters of the loss.
        outer_state: of the loss's optimiser.
    """

    learner: Learner
    loss_params: Float[Array, " parameters"]
    outer_state: optax.OptState


class OnlineDraws(NamedTuple):
    """What chance decides about an online training.

    Attributes:
        training: of the network, as in any training.
        judging: indices of the held-out examples that each step of the loss is judged by.
    """

    training: Draws
    judging: Int[Array, "steps batch"]


def draw_online(
    key: PRNGKeyArray,
    task: Task,
    optimizer: Optimizer,
    train: Split,
    valid: Split,
    steps: int,
) -> OnlineDraws:
    """Draws all that an online training needs; network and batches are `draw`'s for this key."""
    # Below 3, folded numbers are the keys that `draw` splits off.
    judging_key = jax.random.fold_in(key, max(steps, 3))
    batch = optimizer.batch_size
    return OnlineDraws(
        draw(key, task.model, optimizer, train, steps),
        batch_indices(judging_key, valid.inputs.shape[0], batch, steps),
    )


def start_online(
    drawn: OnlineDraws, loss_params: Float[Array, " parameters"], learning_rate: float
) -> OnlineLearner:
    """Begins an online training."""
    outer_state = optax.adam(learning_rate).init(loss_params)
    return OnlineLearner(drawn.training.learner, loss_params, outer_state)


def online_stepper(
    task: Task,
    optimizer: Optimizer,
    learning_rate: float,
    bind: Bind,
    drawn: OnlineDraws,
    train: Split,
    valid: Split,
) -> Callable[[OnlineLearner, Int[Array, ""]], OnlineLearner]:
    """Makes ``(learner, number) -> learner``: the step of a training that has this number.

    A step of the loss that is not finite is left out, so that one bad batch cannot end the
    adaptation for good.

    Args:
        task: gives the network and the task loss.
        optimizer: of the network.
        learning_rate: of the loss's Adam.
        bind: makes the loss from its flat parameters.
        drawn: what chance decides.
        train: examples that move the network.
        valid: examples that judge each step and so move the loss.
    """
    inner, outer = optimizer.make(), optax.adam(learning_rate)

    def step(state: OnlineLearner, number: Array) -> OnlineLearner:
        batch = take(train, drawn.training.batches[number])
        held_out = take(valid, drawn.judging[number])
        noise = jax.random.fold_in(drawn.training.noise_key, number)
        judging_noise = named_key(noise, "judging")

        def task_loss(params: Array) -> tuple[Array, Learner]:
            learner = training_step(task.model, inner, bind(params), state.learner, batch, noise)
            judged = judged_by(
                task.model, task.task_loss, learner.variables, held_out, judging_noise
            )
            return judged, learner

        gradient, learner = jax.grad(task_loss, has_aux=True)(state.loss_params)
        updates, outer_state = outer.update(gradient, state.outer_state, state.loss_params)
        renewed = optax.apply_updates(state.loss_params, updates), outer_state
        sound = jnp.all(jnp.isfinite(gradient))
        kept = state.loss_params, state.outer_state
        loss_params, outer_state = jax.tree.map(
            lambda new, old: jnp.where(sound, new, old), renewed, kept
        )
        return OnlineLearner(learner, loss_params, outer_state)

    return step


def train_online(
    drawn: OnlineDraws,
    task: Task,
    optimizer: Optimizer,
    learning_rate: float,
    bind: Callable[[Array], ExampleLoss],
    loss_params: Float[Array, " parameters"],
    train: Split,
    valid: Split,
    observe: Callable[[Variables], Array],
    observations: int,
) -> tuple[Variables, Array, Float[Array, " parameters"]]:
    """Trains a network while its loss learns.

    Returns:
        The trained variables, the records of ``observe`` and the loss's last parameters.
    """
    steps = drawn.judging.shape[0]
    step = online_stepper(task, optimizer, learning_rate, bind, drawn, train, valid)

    def segment(state: OnlineLearner, numbers: Array) -> tuple[OnlineLearner, Array]:
        state, _ = jax.lax.scan(lambda *carried: (step(*carried), None), state, numbers)
        return state, observe(state.learner.variables)

    length = steps // observations
    numbers = jnp.arange(length * observations).reshape(observations, length)
    start = start_online(drawn, loss_params, learning_rate)
    state, records = jax.lax.scan(segment, start, numbers)
    return state.learner.variables, records, state.loss_params
