"""Pessimistic value iteration for linear problems, the rival that PFQL generalises.

Jin, Yang & Wang, "Is Pessimism Provably Efficient for Offline RL?",
https://arxiv.org/abs/2012.15085, Algorithm 2: matrices of features, no gradient and no descent.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.learning.fitted_q.backward import FittedQ, Number, require_usable
from jaxloss.tasks.rl.episodes import Stages


def pevi(stages: Stages, regularisation: Number, beta: Number) -> FittedQ:
    """Fits linear value functions of all stages with pessimism.

    Args:
        stages: what was recorded.
        regularisation: weighs the squared parameters; above 0.
        beta: size of the bonus, 0 or more.

    Returns:
        What `linear_q` makes values of.

    Raises:
        InvalidInputError: there are no data, or a number is out of range.
    """
    require_usable(stages, None, regularisation, beta)
    horizon, _, size = stages.features.shape

    def stage(later: FittedQ, data: tuple[Array, Stages]) -> tuple[FittedQ, FittedQ]:
        number, own = data
        upcoming = own.next_features @ later.parameters - _norms(own.next_features, later)
        most = (horizon - 1 - number).astype(upcoming.dtype)
        value = jnp.clip(upcoming, 0.0, most).max(axis=1) * own.goes_on
        gram = own.features.T @ own.features + regularisation * jnp.eye(size)
        inverse = jnp.linalg.inv(gram)
        weights = inverse @ (own.features.T @ (own.rewards + value))
        return (fitted := FittedQ(weights, beta**2 * inverse)), fitted

    nothing: Float[Array, " features"] = jnp.zeros_like(stages.features[0, 0])
    after = FittedQ(nothing, jnp.outer(nothing, nothing))
    return jax.lax.scan(stage, after, (jnp.arange(horizon), stages), reverse=True)[1]


def _norms(features: Float[Array, "rows actions features"], later: FittedQ) -> Array:
    squares = jnp.einsum("kai,ij,kaj->ka", features, later.uncertainty, features)
    return jnp.sqrt(jnp.maximum(squares, 0.0))
