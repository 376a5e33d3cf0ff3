"""Fitted Q over a finite horizon, and its pessimistic kin PFQL and VAFQL.

Yin, Wang & Wang, "Offline Reinforcement Learning with Differentiable Function Approximation is
Provably Efficient", https://arxiv.org/abs/2210.00750, Algorithms 1 and 2. Rewards are from 0 to 1.
Everything is pure: seeds, and numbers such as the size of the bonus, are a ``vmap`` away.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.learning.fitted_q.q_functions import QFunction
from jaxloss.learning.fitted_q.regression import Regression
from jaxloss.tasks.rl.episodes import Environment, Stages

Number = Float[Array, ""] | float


class FittedQ(NamedTuple):
    """Value functions of all stages, the first one first.

    Attributes:
        parameters: of each stage.
        uncertainty: squared size of the bonus times the inverse of the gradients' matrix, of each
            stage; None without pessimism.
    """

    parameters: Float[Array, "horizon parameters"]
    uncertainty: Float[Array, "horizon parameters parameters"] | None


def fitted_q(
    key: PRNGKeyArray, q: QFunction, regress: Regression, stages: Stages, regularisation: Number
) -> FittedQ:
    """Fits the stages from the last to the first and takes estimates for true.

    Args:
        key: starts the regressions.
        q: the value function of a stage.
        regress: fits it, with whatever loss.
        stages: what was recorded.
        regularisation: weighs the squared parameters; above 0.

    Raises:
        InvalidInputError: there is no stage or no recorded episode, or a number is out of range.
    """
    return _backward(key, q, regress, stages, regularisation, None, None)


def pfql(
    key: PRNGKeyArray,
    q: QFunction,
    regress: Regression,
    stages: Stages,
    regularisation: Number,
    beta: Number,
) -> FittedQ:
    """Is `fitted_q` with pessimism: values are lowered by how little the data tell of them.

    The bonus of an action is ``beta * sqrt(g' S^-1 g)`` with the gradient ``g`` of its value and
    ``S`` the sum of the recorded gradients' outer products plus ``regularisation`` times one.

    Args:
        key: starts the regressions.
        q: the value function of a stage.
        regress: fits it, with whatever loss.
        stages: what was recorded.
        regularisation: weighs the squared parameters; above 0.
        beta: size of the bonus, 0 or more; the paper leaves it open.

    Raises:
        InvalidInputError: there is no stage or no recorded episode, or a number is out of range.
    """
    return _backward(key, q, regress, stages, regularisation, beta, None)


def vafql(
    key: PRNGKeyArray,
    q: QFunction,
    regress: Regression,
    stages: Stages,
    held_out: Stages,
    regularisation: Number,
    beta: Number,
) -> FittedQ:
    """Is `pfql` with recorded transitions weighted by the inverse variance of what follows them.

    The variance of the next value is estimated on other data, as the second moment minus the square
    of the first; below 1 it counts as 1.

    Args:
        key: starts the regressions.
        q: the value function of a stage.
        regress: fits it, with whatever loss.
        stages: what values are fitted to.
        held_out: what variances are estimated on.
        regularisation: weighs the squared parameters; above 0.
        beta: size of the bonus, 0 or more; the paper leaves it open.

    Raises:
        InvalidInputError: there is no stage or no recorded episode, or a number is out of range.
    """
    return _backward(key, q, regress, stages, regularisation, beta, held_out)


def action_values(
    q: QFunction,
    fitted: FittedQ,
    stage: Int[Array, ""],
    features: Float[Array, "*rows actions features"],
) -> Float[Array, "*rows actions"]:
    """Computes clipped values of actions, lowered by the bonus if there is one."""
    own = jax.tree.map(lambda leaf: leaf[stage], fitted)
    return _clipped(q, own, features, fitted.parameters.shape[0] - stage)


def greedy(
    environment: Environment, q: QFunction, fitted: FittedQ
) -> Callable[[Int[Array, ""], Float[Array, " size"]], Int[Array, ""]]:
    """Makes ``(stage, state) -> action``: the one of the largest value."""

    def act(stage: Array, state: Array) -> Array:
        return jnp.argmax(action_values(q, fitted, stage, environment.features(state)))

    return act


def estimated_and_true(
    environment: Environment, q: QFunction, fitted: FittedQ, starts: Float[Array, "starts size"]
) -> tuple[Float[Array, " starts"], Float[Array, " starts"]]:
    """Computes what the greedy policy is thought to be worth from each start, and what it is."""

    def estimate(start: Array) -> Array:
        values = action_values(q, fitted, jnp.int32(0), environment.features(start))
        return values.max()

    return jax.vmap(estimate)(starts), environment.values(greedy(environment, q, fitted), starts)


def _clipped(q: QFunction, own: FittedQ, features: Array, most: Array) -> Array:
    values = q.values(own.parameters, features)
    if own.uncertainty is not None:
        slopes = q.gradients(own.parameters, features)
        squares = jnp.einsum("...i,ij,...j->...", slopes, own.uncertainty, slopes)
        # Rounding can leave a square of almost 0 below it.
        values -= jnp.sqrt(jnp.maximum(squares, 0.0))
    return jnp.clip(values, 0.0, most.astype(values.dtype))


def _backward(
    key: PRNGKeyArray,
    q: QFunction,
    regress: Regression,
    stages: Stages,
    regularisation: Number,
    beta: Number | None,
    held_out: Stages | None,
) -> FittedQ:
    require_usable(stages, held_out, regularisation, beta)
    horizon = stages.rewards.shape[0]

    def stage(later: FittedQ, data: tuple) -> tuple[FittedQ, FittedQ]:
        number, own, other = data
        most = horizon - 1 - number
        fit_key, *moment_keys = jax.random.split(jax.random.fold_in(key, number), 3)

        def following(of: Stages) -> Array:
            return _clipped(q, later, of.next_features, most).max(axis=1) * of.goes_on

        weights = jnp.ones_like(own.rewards)
        if other is not None:
            bounds = most.astype(weights.dtype) ** jnp.array([1, 2])
            mean, second = (
                _moment(moment_keys[power - 1], q, regress, own, other, regularisation, bound)(
                    following(other) ** power
                )
                for power, bound in ((1, bounds[0]), (2, bounds[1]))
            )
            weights = 1 / jnp.maximum(1.0, second - mean**2)
        targets = own.rewards + following(own)
        parameters = regress(fit_key, q, own.features, targets, weights, regularisation)
        if beta is None:
            return (fitted := FittedQ(parameters, None)), fitted
        slopes = q.gradients(parameters, own.features)
        one = jnp.eye(parameters.shape[0], dtype=slopes.dtype)
        matrix = slopes.T @ (weights[:, None] * slopes) + regularisation * one
        inverse = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), one)
        return (fitted := FittedQ(parameters, beta**2 * inverse)), fitted

    # After the last stage comes none: any values are clipped to 0 there.
    start = q.init(key, stages.features[0, 0])
    after = FittedQ(start, None if beta is None else jnp.zeros((start.shape[0],) * 2, start.dtype))
    data = jnp.arange(horizon), stages, held_out
    return jax.lax.scan(stage, after, data, reverse=True)[1]


def _moment(
    key: PRNGKeyArray,
    q: QFunction,
    regress: Regression,
    own: Stages,
    other: Stages,
    regularisation: Number,
    most: Array,
) -> Callable[[Array], Array]:
    """Makes ``(targets on other data) -> predictions on own data``, from 0 to ``most``."""

    def predicted(targets: Array) -> Array:
        ones = jnp.ones_like(targets)
        parameters = regress(key, q, other.features, targets, ones, regularisation)
        return jnp.clip(q.values(parameters, own.features), 0.0, most)

    return predicted


def require_usable(
    stages: Stages, held_out: Stages | None, regularisation: Number, beta: Number | None
) -> None:
    """Raises `InvalidInputError` if there are no data, or a number is out of range."""
    for what, data in (("data set", stages), ("held-out data set", held_out)):
        if data is not None:
            horizon, episodes = data.rewards.shape
            require(horizon >= 1, f"the horizon of the {what} must be 1 or more, got {horizon}")
            require(episodes >= 1, f"the {what} is empty; at least one episode is needed")
    if held_out is not None:
        ours, theirs = stages.rewards.shape[0], held_out.rewards.shape[0]
        require(ours == theirs, f"the held-out data have {theirs} stages, the others {ours}")
    # What only the running program knows, nobody can check.
    if not isinstance(regularisation, jax.Array):
        require(regularisation > 0, f"regularisation must be above 0, got {regularisation}")
    if beta is not None and not isinstance(beta, jax.Array):
        require(beta >= 0, f"beta must be 0 or more, got {beta}")
