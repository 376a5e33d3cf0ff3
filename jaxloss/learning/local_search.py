"""Local search: a loss's parameters tuned by Adam on meta-gradients.

EvoMAL (https://arxiv.org/abs/2209.08907, Section 4.3, Algorithm 2).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.learning.inner import (
    BaseOptimizerSettings,
    ExampleLoss,
    batch_indices,
    take,
)
from jaxloss.learning.unroll import Bind, meta_loss_along
from jaxloss.models.model import Model
from jaxloss.tasks.task import Split


@dataclass(frozen=True)
class LocalSearchSettings:
    """How the parameters of a loss are tuned; defaults from the released EvoMAL code."""

    meta_steps: int = 250
    """Steps of the outer optimiser, each from a fresh network."""
    inner_steps: int = 1
    """Training steps that each meta-gradient goes through."""
    learning_rate: float = 1e-3
    """Step size of the outer Adam."""
    truncation: int | None = None
    """Inner steps, counted from the last, that each meta-gradient goes through; none: all. Those
    before only train, so they cost no memory, and the meta-gradient is biased."""
    clip_norm: float | None = None
    """Longest meta-gradient; longer ones are shortened to it. None shortens none."""

    def __post_init__(self) -> None:
        require(self.meta_steps >= 0, f"meta_steps must be 0 or more, got {self.meta_steps}")
        require(self.inner_steps >= 1, f"inner_steps must be 1 or more, got {self.inner_steps}")
        require(self.learning_rate > 0, f"learning_rate must be above 0, got {self.learning_rate}")
        require(
            self.truncation is None or self.truncation >= 1,
            f"truncation must be 1 or more, or none, got {self.truncation}",
        )
        require(
            self.clip_norm is None or self.clip_norm > 0,
            f"clip_norm must be above 0, or none, got {self.clip_norm}",
        )

    def outer(self) -> optax.GradientTransformation:
        """Builds the outer optimiser."""
        adam = optax.adam(self.learning_rate)
        if self.clip_norm is None:
            return adam
        return optax.chain(optax.clip_by_global_norm(self.clip_norm), adam)


class TuningDraws(NamedTuple):
    """What chance decides about a local search, all of it drawn before the first step.

    Attributes:
        network_key: of the fresh networks; each meta step folds its number in.
        training: indices of the examples that each inner step trains on.
        judging: indices of the held-out examples of each meta step.
    """

    network_key: PRNGKeyArray
    training: Int[Array, "meta_steps inner_steps batch"]
    judging: Int[Array, "meta_steps batch"]


def draw_tuning(
    key: PRNGKeyArray,
    optimizer: BaseOptimizerSettings,
    settings: LocalSearchSettings,
    train: Split,
    valid: Split,
) -> TuningDraws:
    """Draws what the local searches of all candidates share."""
    network_key, train_key, valid_key = jax.random.split(key, 3)
    steps, inner, batch = settings.meta_steps, settings.inner_steps, optimizer.batch_size
    training = batch_indices(train_key, train.inputs.shape[0], batch, steps * inner)
    judging = batch_indices(valid_key, valid.inputs.shape[0], batch, steps)
    return TuningDraws(network_key, training.reshape(steps, inner, training.shape[1]), judging)


def local_search(
    key: PRNGKeyArray,
    model: Model,
    optimizer: BaseOptimizerSettings,
    settings: LocalSearchSettings,
    task_loss: ExampleLoss,
    bind: Bind,
    train: Split,
    valid: Split,
    loss_params: PyTree,
) -> tuple[PyTree, Float[Array, " meta_steps"]]:
    """Tunes a loss's parameters by Adam on meta-gradients.

    Under ``vmap`` over ``loss_params`` alone, the fresh network, its batches and the forward pass
    of the first inner step are computed once for all candidates.

    Returns:
        The tuned parameters and the meta-loss at each step. A candidate whose meta-gradient stops
        being finite ends with parameters that are not finite, which the filters reject.
    """
    drawn = draw_tuning(key, optimizer, settings, train, valid)
    return tuned_from(drawn, model, optimizer, settings, task_loss, bind, train, valid, loss_params)


def tuned_from(
    drawn: TuningDraws,
    model: Model,
    optimizer: BaseOptimizerSettings,
    settings: LocalSearchSettings,
    task_loss: ExampleLoss,
    bind: Bind,
    train: Split,
    valid: Split,
    loss_params: PyTree,
) -> tuple[PyTree, Float[Array, " meta_steps"]]:
    """Is `local_search` with what chance decides drawn before, by `draw_tuning`."""
    advance = tuner([(model, task_loss)], optimizer, settings, bind)
    numbers = jnp.arange(settings.meta_steps)
    share = TuningShare(drawn, train, valid)
    state, values = advance([share], begin_tuning(settings, loss_params), numbers)
    return state.loss_params, values


class TuningShare(NamedTuple):
    """What the local searches of all candidates share on one task.

    Attributes:
        drawn: what chance decides, by `draw_tuning`.
        train: examples that inner training moves the network by.
        valid: examples that judge the trained network.
    """

    drawn: TuningDraws
    train: Split
    valid: Split


class TunerState(NamedTuple):
    """What one meta step changes.

    Attributes:
        loss_params: the parameters of the loss.
        outer_state: of the outer optimiser.
    """

    loss_params: PyTree
    outer_state: optax.OptState


def begin_tuning(settings: LocalSearchSettings, loss_params: PyTree) -> TunerState:
    """Starts a local search."""
    return TunerState(loss_params, settings.outer().init(loss_params))


Tuner = Callable[
    [Sequence[TuningShare], TunerState, Int[Array, " steps"]],
    tuple[TunerState, Float[Array, " steps"]],
]
"""``(shares, state, numbers) -> (state, meta-losses)``: takes the meta steps of these numbers;
``shares`` has one `TuningShare` for each task."""


def tuner(
    learners: Sequence[tuple[Model, ExampleLoss]],
    optimizer: BaseOptimizerSettings,
    settings: LocalSearchSettings,
    bind: Bind,
) -> Tuner:
    """Makes a local search that can stop and go on between any two meta steps.

    Args:
        learners: for each task its network and its task loss; the meta-loss is their mean
            (EvoMAL's Algorithm 2 sums over tasks; for Adam a factor makes no difference).
        optimizer: of the inner training.
        settings: of the search; ``meta_steps`` is not read.
        bind: makes the loss of the inner training from its parameters.
    """

    def advance(
        shares: Sequence[TuningShare], state: TunerState, numbers: Array
    ) -> tuple[TunerState, Array]:
        def objective(params: PyTree, number: Array) -> Array:
            values = [
                meta_loss_along(
                    jax.random.fold_in(share.drawn.network_key, number),
                    model,
                    optimizer,
                    task_loss,
                    bind,
                    partial(_batch, share, number),
                    settings.inner_steps,
                    take(share.valid, share.drawn.judging[number]),
                    params,
                    settings.truncation,
                )
                for (model, task_loss), share in zip(learners, shares, strict=True)
            ]
            return sum(values[1:], values[0]) / len(values)

        return descended(settings, objective, state, numbers)

    return advance


def descended(
    settings: LocalSearchSettings,
    objective: Callable[[PyTree, Int[Array, ""]], Float[Array, ""]],
    state: TunerState,
    numbers: Int[Array, " steps"],
) -> tuple[TunerState, Float[Array, " steps"]]:
    """Takes the meta steps of these numbers down ``objective(loss_params, number)``.

    Returns:
        The state after them, and the objective before each.
    """
    if numbers.size == 0:  # Even a step that is never taken would be traced, on draws of none.
        return state, jnp.zeros(0)
    outer = settings.outer()

    def step(state: TunerState, number: Array) -> tuple[TunerState, Array]:
        value, gradient = jax.value_and_grad(objective)(state.loss_params, number)
        updates, outer_state = outer.update(gradient, state.outer_state, state.loss_params)
        return TunerState(optax.apply_updates(state.loss_params, updates), outer_state), value

    return jax.lax.scan(step, state, numbers)


def _batch(share: TuningShare, number: Array, inner_step: Array) -> Split:
    return take(share.train, share.drawn.training[number, inner_step])
