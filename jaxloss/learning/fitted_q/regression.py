"""The regression of a stage: the one place of fitted Q where a loss acts."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.learning.fitted_q.q_functions import QFunction
from jaxloss.learning.inner import ExampleLoss

Regression = Callable[
    [
        PRNGKeyArray,
        QFunction,
        Float[Array, "rows features"],
        Float[Array, " rows"],
        Float[Array, " rows"],
        Float[Array, ""] | float,
    ],
    Float[Array, " parameters"],
]
"""``(key, q, features, targets, weights, regularisation) -> parameters``: about the least
``sum(weights * loss(values, targets)) + regularisation * sum(parameters**2)``."""


def ridge() -> Regression:
    """Solves the squared error exactly, for value functions that are linear in the parameters."""

    def regress(
        key: PRNGKeyArray,
        q: QFunction,
        features: Array,
        targets: Array,
        weights: Array,
        regularisation: Array | float,
    ) -> Array:
        slopes = q.gradients(q.init(key, features[0]), features)
        gram = slopes.T @ (weights[:, None] * slopes)
        gram += regularisation * jnp.eye(gram.shape[0], dtype=gram.dtype)
        return jnp.linalg.solve(gram, slopes.T @ (weights * targets))

    return regress


def descent(loss: ExampleLoss, steps: int = 300, learning_rate: float = 0.03) -> Regression:
    """Follows the gradient of any loss, for any value function.

    Args:
        loss: ``(outputs, targets) -> per-example values`` of outputs and targets ``[rows, 1]``.
        steps: of Adam on all rows at once, from fresh parameters (*assumed*).
        learning_rate: of the first step; a half cosine brings it to 0 (*assumed*).

    Raises:
        InvalidInputError: a number is out of range; when it runs: the loss gives no value for
            each row.
    """
    require(steps >= 1, f"steps must be 1 or more, got {steps}")
    require(learning_rate > 0, f"learning_rate must be above 0, got {learning_rate}")
    adam = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))

    def regress(
        key: PRNGKeyArray,
        q: QFunction,
        features: Array,
        targets: Array,
        weights: Array,
        regularisation: Array | float,
    ) -> Array:
        def objective(parameters: Array) -> Array:
            outputs = q.values(parameters, features)[:, None]
            values = loss(outputs, targets[:, None])
            require(
                values.shape == weights.shape,
                f"the loss must give one value for each row, shape {weights.shape}, "
                f"got {values.shape}",
            )
            errors = jnp.sum(weights * values)
            # Divided by the rows: one learning rate for data of any size.
            return (errors + regularisation * jnp.sum(parameters**2)) / len(features)

        def step(state: tuple[Array, optax.OptState], _: None) -> tuple[tuple, None]:
            parameters, moments = state
            updates, moments = adam.update(jax.grad(objective)(parameters), moments)
            return (optax.apply_updates(parameters, updates), moments), None

        start = q.init(key, features[0])
        return jax.lax.scan(step, (start, adam.init(start)), None, length=steps)[0][0]

    return regress
