"""Meta-gradients: how the task loss after inner training depends on a loss's parameters.

Unrolled differentiation as in EvoMAL (https://arxiv.org/abs/2209.08907, Section 4.3). Truncated:
the K-step reverse mode of Shaban et al. 2019, "Truncated Back-propagation for Bilevel Optimization"
(https://arxiv.org/abs/1810.10667).
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.learning.inner import (
    BaseOptimizerSettings,
    ExampleLoss,
    Learner,
    accompanied,
    fresh_learner,
    take,
    targets_of,
    training_step,
)
from jaxloss.learning.segments import rematerialised_scan
from jaxloss.models.model import Model, Variables
from jaxloss.tasks.task import Split

Bind = Callable[[PyTree], ExampleLoss]
"""``(loss_params) -> loss``: what a loss with these parameters is."""


def meta_loss(
    key: PRNGKeyArray,
    model: Model,
    optimizer: BaseOptimizerSettings,
    task_loss: ExampleLoss,
    bind: Bind,
    batches: Split,
    held_out: Split,
    loss_params: PyTree,
    truncation: int | None = None,
) -> Float[Array, ""]:
    """Computes the mean task loss on held-out examples after inner training of a fresh network.

    Inner steps are rematerialised in segments, so that what is kept for the meta-gradient grows
    with the square root of their number. Networks with batch statistics use those of the batch
    (*assumed*: the running ones are still those of a fresh network).

    Args:
        key: draws the network and its dropout.
        model: the network.
        optimizer: of the inner training.
        task_loss: what the trained network is judged by.
        bind: makes the loss of the inner training from its parameters.
        batches: one batch for each inner step, shape ``[steps, batch, ...]``.
        held_out: the batch that judges.
        loss_params: what the meta-gradient is taken with respect to.
        truncation: how many inner steps, the last ones, the meta-gradient goes through, 1 or more;
            all where there are fewer, or with none.
    """
    steps = batches.inputs.shape[0]
    return meta_loss_along(
        key,
        model,
        optimizer,
        task_loss,
        bind,
        partial(take, batches),
        steps,
        held_out,
        loss_params,
        truncation,
    )


def meta_loss_along(
    key: PRNGKeyArray,
    model: Model,
    optimizer: BaseOptimizerSettings,
    task_loss: ExampleLoss,
    bind: Bind,
    batch_of: Callable[[Array], Split],
    steps: int,
    held_out: Split,
    loss_params: PyTree,
    truncation: int | None,
) -> Float[Array, ""]:
    """Is `meta_loss` with each batch made when its step needs it, so that no copy is kept.

    ``batch_of`` makes the batch of an inner step from its number, of which there are ``steps``.
    """
    start_key, noise_key = jax.random.split(key)
    transformation = optimizer.make()

    def step_by(loss_params: PyTree) -> Callable[[Learner, Array], Learner]:
        loss = bind(loss_params)

        def step(learner: Learner, number: Array) -> Learner:
            noise = jax.random.fold_in(noise_key, number)
            return training_step(model, transformation, loss, learner, batch_of(number), noise)

        return step

    only_training = 0 if truncation is None else max(steps - truncation, 0)
    step = step_by(loss_params)
    early = step_by(jax.lax.stop_gradient(loss_params)) if only_training else step
    # The first step stands outside the scans: there, what does not depend on the loss is not yet
    # mixed with what does, and a population shares it.
    learner = early(fresh_learner(start_key, model, transformation, held_out), jnp.int32(0))
    remembered_from = max(only_training, 1)
    if remembered_from > 1:
        forward = jnp.arange(1, remembered_from)
        learner, _ = jax.lax.scan(lambda *carried: (early(*carried), None), learner, forward)
    if steps > remembered_from:
        learner = rematerialised_scan(step, learner, jnp.arange(remembered_from, steps))
    noise = jax.random.fold_in(noise_key, steps)
    return judged_by(model, task_loss, learner.variables, held_out, noise)


def judged_by(
    model: Model,
    task_loss: ExampleLoss,
    variables: Variables,
    held_out: Split,
    noise: PRNGKeyArray,
) -> Float[Array, ""]:
    """Computes the mean task loss of a trained network on the batch that judges it.

    Targets that the network bootstraps are its own, so that derivatives are those of the value;
    only a training step takes them for data.
    """
    outputs, _ = model.apply(variables, held_out.inputs, True, noise)
    targets = targets_of(model, variables, held_out)
    return jnp.mean(accompanied(model, task_loss)(outputs, targets))
