"""Makes a `Model` from a flax nnx module: its state goes out and in again at each call."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import InvalidInputError, require
from jaxloss.models.model import Model, Variables


def from_nnx(factory: Callable[..., Any], name: str) -> Model:
    """Makes a `Model` from a function that builds a flax nnx module.

    The module is built abstractly once, for its structure. Its ``nnx.Param`` become ``"params"``,
    random streams are renewed from the key of each call, and all other variables (batch
    statistics) become ``"statistics"``. Training and evaluation are ``module.train()`` and
    ``module.eval()``.

    Args:
        factory: ``rngs -> nnx.Module``, or an nnx class whose constructor takes only ``rngs``.
        name: how reports call the network.

    Raises:
        InvalidInputError: the factory fails or returns something else than an nnx module.
    """
    from flax import nnx

    if isinstance(factory, nnx.Module):
        raise InvalidInputError(
            f"model {name!r} is an nnx module that is already initialised; give a function "
            "rngs -> module, so that each training can start from its own key"
        )

    def build(key: PRNGKeyArray) -> Any:
        by_name = "rngs" in inspect.signature(factory).parameters
        rngs = nnx.Rngs(key)
        return factory(rngs=rngs) if by_name else factory(rngs)

    try:
        abstract = nnx.eval_shape(lambda: build(jax.random.key(0)))
    # The factory is the person's own code and can fail in any way.
    except Exception as error:
        raise InvalidInputError(
            f"model {name!r}: called as a function of nnx.Rngs it failed "
            f"({type(error).__name__}: {error})"
        ) from error
    if not isinstance(abstract, nnx.Module):
        raise InvalidInputError(
            f"model {name!r}: the function of nnx.Rngs did not return an nnx module"
        )
    kinds = (nnx.Param, nnx.RngState, ...)
    structures = {}
    for train in (True, False):
        (abstract.train if train else abstract.eval)()
        structures[train] = nnx.split(abstract, *kinds)

    def init(key: PRNGKeyArray, inputs: Float[Array, "batch ..."]) -> Variables:
        del inputs
        _, params, _, statistics = nnx.split(build(key), *kinds)
        return {
            "params": nnx.to_pure_dict(params),
            "statistics": nnx.to_pure_dict(statistics),
        }

    def apply(
        variables: Variables,
        inputs: Float[Array, "batch ..."],
        train: bool,
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "batch outputs"], Variables]:
        graph, params, streams, statistics = structures[bool(train)]
        require(
            key is not None or not train or not jax.tree.leaves(streams),
            f"model {name!r} draws random numbers in training (dropout): give apply a key",
        )
        module = nnx.merge(
            graph,
            _filled(params, variables["params"]),
            _streams_from(streams, jax.random.key(0) if key is None else key),
            _filled(statistics, variables["statistics"]),
        )
        outputs = module(inputs)
        if not train:
            return outputs, variables
        _, _, _, renewed = nnx.split(module, *kinds)
        return outputs, {**variables, "statistics": nnx.to_pure_dict(renewed)}

    return Model(init, apply, name)


def _filled(structure: Any, values: Any) -> Any:
    """Puts the values of a plain dictionary into a state of the same paths."""
    from flax import nnx

    state = jax.tree.map(lambda leaf: leaf, structure)
    nnx.replace_by_pure_dict(state, values)
    return state


def _streams_from(structure: Any, key: PRNGKeyArray) -> Any:
    """Starts all random streams of a module anew: each with its own key and a count of zero."""
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    leaves, shape = jax.tree.flatten(structure)
    fresh = [
        jax.random.fold_in(key, position)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else jnp.zeros(leaf.shape, leaf.dtype)
        for position, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(shape, fresh)
