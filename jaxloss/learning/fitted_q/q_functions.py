"""Value functions of one stage: any differentiable function of parameters and features."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.models.model import Model


class QFunction(NamedTuple):
    """A value function with flat parameters.

    Attributes:
        init: ``(key, features) -> parameters``.
        apply: ``(parameters, features) -> value`` of one action, its features ``[features]``.
    """

    init: Callable[[PRNGKeyArray, Float[Array, " features"]], Float[Array, " parameters"]]
    apply: Callable[[Float[Array, " parameters"], Float[Array, " features"]], Float[Array, ""]]

    def gradients(
        self, parameters: Float[Array, " parameters"], features: Float[Array, "*rows features"]
    ) -> Float[Array, "*rows parameters"]:
        """Differentiates the value of each row of features by the parameters."""
        flat = features.reshape(-1, features.shape[-1])
        found = jax.vmap(jax.grad(self.apply), (None, 0))(parameters, flat)
        return found.reshape(*features.shape[:-1], -1)

    def values(
        self, parameters: Float[Array, " parameters"], features: Float[Array, "*rows features"]
    ) -> Float[Array, "*rows"]:
        """Computes the value of each row of features."""
        flat = features.reshape(-1, features.shape[-1])
        found = jax.vmap(self.apply, (None, 0))(parameters, flat)
        return found.reshape(features.shape[:-1])


def linear_q() -> QFunction:
    """Makes the inner product of features and parameters, which start at 0."""
    return QFunction(lambda _, features: jnp.zeros_like(features), jnp.dot)


def network_q(model: Model) -> QFunction:
    """Makes the value function of a network with one output and no statistics."""

    def init(key: PRNGKeyArray, features: Array) -> Array:
        return ravel_pytree(model.init(key, features[None])["params"])[0]

    def apply(parameters: Array, features: Array) -> Array:
        shapes = jax.eval_shape(model.init, jax.random.key(0), features[None])["params"]
        _, unravel = ravel_pytree(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes))
        variables = {"params": unravel(parameters)}
        return model.apply(variables, features[None], False, None)[0][0, 0]

    return QFunction(init, apply)
