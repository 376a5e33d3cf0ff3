"""Meta-learned PINN losses: a loss for a whole distribution of equations.

Psaros, Kawaguchi and Karniadakis, "Meta-learning PINN loss functions",
https://arxiv.org/abs/2107.05544. Each outer step draws an equation and a fresh network, trains it
for some steps under the loss on points drawn afresh, and takes a meta-gradient of the plain task
loss on fresh points: no reference solution is needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import (
    LocalSearchSettings,
    TunerState,
    begin_tuning,
    descended,
)
from jaxloss.learning.unroll import Bind, meta_loss_along
from jaxloss.losses.adaptive import AdaptiveForm
from jaxloss.losses.family import LossFamily
from jaxloss.losses.forms import Form
from jaxloss.losses.network import pinn_network
from jaxloss.search.candidate import Splits, TuningWay
from jaxloss.search.meta_training import MetaSettings, meta_training
from jaxloss.search.search import Search
from jaxloss.search.several import as_tasks
from jaxloss.tasks.task import DistributedTask, Task

Family = Literal["lal", "ffn"]

EXAMPLES_OF_PENALTY = 64
"""Pairs of predictions and targets that the penalty's means are taken over (*assumed*)."""


def pinn_optimizer() -> BaseOptimizerSettings:
    """Gives the inner optimiser: Adam with the paper's step size; batch and β are *assumed*."""
    return BaseOptimizerSettings(learning_rate=1e-3, weight_decay=0.0, rule="adam")


@dataclass(frozen=True, kw_only=True)
class MetaPINNSettings(MetaSettings):
    """Settings of meta-learned PINN losses; the defaults are the paper's unless *assumed*."""

    family: Family = "lal"
    """What is learned: lal, Barron's loss with its shape and scale; or ffn, a network 2-40-40-1."""
    optimizer: BaseOptimizerSettings = field(default_factory=pinn_optimizer)
    """Of the inner training."""
    tuning: LocalSearchSettings = field(
        default_factory=lambda: LocalSearchSettings(
            meta_steps=10_000, inner_steps=20, clip_norm=1.0
        )
    )
    """The outer steps; the paper has 10 to 50 inner ones, and the norm is *assumed*."""
    spread: float = 0.0
    """Standard deviation of the parameters around the start of lal, for populations of more than
    one (*assumed*; the paper has one loss)."""
    penalty: float = 1.0
    """Weight of what keeps ffn stationary at no error and only there (*assumed*)."""
    least_slope: float = 1e-2
    """Squared slope below which ffn is penalised where there is an error."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.family not in get_args(Family):
            raise unknown_name("family", self.family, get_args(Family))
        for name in ("spread", "penalty", "least_slope"):
            value = getattr(self, name)
            require(value >= 0, f"{name} must be 0 or more, got {value}")


def meta_pinn(tasks: Task | Sequence[Task], settings: MetaPINNSettings | None = None) -> Search:
    """Makes a search for a loss of a distribution of equations.

    Args:
        tasks: one task, or several, each of a distribution; losses are scored on the tasks as they
            are and tuned on draws of their distributions.
        settings: the paper's by default.

    Raises:
        InvalidInputError: a task is not of a distribution, or the tasks do not fit each other.
    """
    settings = settings or MetaPINNSettings()
    together = as_tasks(tasks)
    variables = together[0].view.variables
    form: Form = AdaptiveForm(variables) if settings.family == "lal" else pinn_network(variables)
    family, spread = form.family(), settings.spread if settings.family == "lal" else 0.0

    def fresh(key: PRNGKeyArray) -> Float[Array, " parameters"]:
        start = family.init(key)
        return start + spread * jax.random.normal(key, start.shape, start.dtype)

    def penalty(key: PRNGKeyArray, parameters: Array) -> Array:
        return settings.penalty * property_penalty(key, family, settings.least_slope, parameters)

    penalised = penalty if settings.family == "ffn" and settings.penalty > 0 else None
    way = drawn_way(
        [_distributed(task) for task in together], settings.optimizer, settings.tuning, penalised
    )
    return meta_training("meta_pinn", together, settings, form, way, fresh)


def _distributed(task: Task) -> DistributedTask:
    if isinstance(task, DistributedTask):
        return task
    raise InvalidInputError(
        f"meta_pinn learns on a distribution of equations, and {task.name!r} is one problem; "
        "choose tasks such as pde:burgers, or another method"
    )


def drawn_way(
    tasks: Sequence[DistributedTask],
    optimizer: BaseOptimizerSettings,
    settings: LocalSearchSettings,
    penalty: Callable[[PRNGKeyArray, PyTree], Float[Array, ""]] | None = None,
) -> TuningWay:
    """Makes the tuning of losses on draws of distributions.

    Args:
        tasks: the distributions; the meta-loss is the mean over them.
        optimizer: of the inner training.
        settings: of the outer steps.
        penalty: ``(key, loss_params) -> value`` that is added to the meta-loss.
    """

    def draw(key: PRNGKeyArray, _: Splits) -> PRNGKeyArray:
        return key

    def advance(
        key: PRNGKeyArray, _: Splits, numbers: Array, bind: Bind, state: TunerState
    ) -> TunerState:
        def objective(params: PyTree, number: Array) -> Array:
            own_key = jax.random.fold_in(key, number)
            values = [
                drawn_meta_loss(
                    jax.random.fold_in(own_key, place), task, optimizer, settings, bind, params
                )
                for place, task in enumerate(tasks)
            ]
            value = sum(values[1:], values[0]) / len(values)
            if penalty is None:
                return value
            return value + penalty(jax.random.fold_in(own_key, len(tasks)), params)

        return descended(settings, objective, state, numbers)[0]

    def tune(shared: tuple[PRNGKeyArray, Splits], bind: Bind, parameters: Array) -> Array:
        numbers = jnp.arange(settings.meta_steps)
        return advance(*shared, numbers, bind, begin_tuning(settings, parameters)).loss_params

    return TuningWay(draw, partial(begin_tuning, settings), advance, tune)


def drawn_meta_loss(
    key: PRNGKeyArray,
    task: DistributedTask,
    optimizer: BaseOptimizerSettings,
    settings: LocalSearchSettings,
    bind: Bind,
    loss_params: PyTree,
) -> Float[Array, ""]:
    """Computes the task loss after training a fresh network on a problem that is drawn.

    Args:
        key: draws the problem, the network and all points.
        task: the distribution; its task loss on fresh training rows judges.
        optimizer: of the inner training.
        settings: how many inner steps there are, and which the meta-gradient goes through.
        bind: makes the loss of the inner training from its parameters.
        loss_params: what the meta-gradient is taken with respect to.
    """
    problem_key, network_key, batch_key = jax.random.split(key, 3)
    parameter, rows = task.draw_problem(problem_key), optimizer.batch_size
    steps = settings.inner_steps
    return meta_loss_along(
        network_key,
        task.model,
        optimizer,
        task.task_loss,
        bind,
        lambda step: task.draw_batch(jax.random.fold_in(batch_key, step), parameter, rows),
        steps,
        task.draw_batch(jax.random.fold_in(batch_key, steps), parameter, rows, judging=True),
        loss_params,
        settings.truncation,
    )


def property_penalty(
    key: PRNGKeyArray, family: LossFamily, least_slope: float, loss_params: PyTree
) -> Float[Array, ""]:
    """Computes how far a loss is from resting where, and only where, there is no error.

    ``E‖∇_q ℓ(q,q)‖² + E_{q≠q'} max(0, c − ‖∇_q ℓ(q,q')‖²)``; q and q' are standard normal, which is
    *assumed*.

    Args:
        key: draws predictions q and targets q'.
        family: of the loss, elementwise in a prediction and a target.
        least_slope: c.
        loss_params: of the loss.
    """

    def squared_slopes(predictions: Array, targets: Array) -> Array:
        def total(predictions: Array) -> Array:
            return jnp.sum(family.apply(loss_params, predictions, targets))

        return jnp.square(jax.grad(total)(predictions))

    predictions, targets = jax.random.normal(key, (2, EXAMPLES_OF_PENALTY))
    apart = jnp.maximum(0.0, least_slope - squared_slopes(predictions, targets))
    return jnp.mean(squared_slopes(predictions, predictions)) + jnp.mean(apart)
