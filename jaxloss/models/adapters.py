"""Makes a `Model` from what people already have: flax linen, flax nnx, or two functions."""

import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import InvalidInputError, require
from jaxloss.models.model import Model, Variables
from jaxloss.models.nnx_adapter import from_nnx

_FORMS = (
    "a Model, a flax linen Module, a function of nnx.Rngs that returns a flax nnx Module, "
    "or a pair (init, apply)"
)

_OTHER_FLAGS = ("training", "is_training", "deterministic", "use_running_average")
"""What people call the argument that tells training from evaluation, if not ``train``."""


def adapt(thing: Any, name: str) -> Model:
    """Makes a `Model` from any of the usual forms of a network.

    Args:
        thing: a `Model` (returned as it is), a flax linen ``Module`` (see `from_linen`), a
            function ``rngs -> nnx.Module`` or an nnx class (see `from_nnx`), a pair
            ``(init, apply)`` or an object with these two (see `from_functions`).
        name: how reports call the network.

    Returns:
        The network as pure functions that work under ``jit``, ``vmap`` and ``grad``.

    Raises:
        InvalidInputError: ``thing`` is none of these.
    """
    if isinstance(thing, Model):
        return thing
    if isinstance(thing, nn.Module):
        return from_linen(thing, name)
    if isinstance(thing, type) and issubclass(thing, nn.Module):
        raise InvalidInputError(
            f"model {name!r} is the linen class {thing.__name__}; give an instance of it"
        )
    if isinstance(thing, tuple | list) and len(thing) == 2 and all(map(callable, thing)):
        return from_functions(thing[0], thing[1], name)
    init, apply = getattr(thing, "init", None), getattr(thing, "apply", None)
    if callable(init) and callable(apply):
        return from_functions(init, apply, name)
    if callable(thing):
        try:
            return from_nnx(thing, name)
        except InvalidInputError as error:
            raise InvalidInputError(f"{error}; a model can be {_FORMS}") from error
    raise InvalidInputError(f"model {name!r} is a {type(thing).__name__}; expected {_FORMS}")


def from_linen(module: nn.Module, name: str) -> Model:
    """Makes a `Model` from a flax linen module.

    ``train`` is handed on if the module's ``__call__`` takes an argument of that name. All
    collections but ``"params"`` (batch statistics) are renewed in training, and used unchanged
    otherwise. The key, when there is one, becomes the ``"dropout"`` stream.

    Args:
        module: a linen module whose ``__call__`` takes ``inputs`` first.
        name: how reports call the network.

    Raises:
        InvalidInputError: the module can train under an argument of another name only.
    """
    arguments = inspect.signature(type(module).__call__).parameters
    takes_train = "train" in arguments
    others = [flag for flag in _OTHER_FLAGS if flag in arguments]
    require(
        takes_train or not others,
        f"model {name!r}: its __call__ takes {', '.join(map(repr, others))}, which would keep its "
        "default in training too; rename it train (true in training), or give a pair (init, apply)",
    )

    def init(key: PRNGKeyArray, inputs: Float[Array, "batch ..."]) -> Variables:
        parameter_key, dropout_key = jax.random.split(key)
        settings: dict[str, Any] = {"train": False} if takes_train else {}
        variables = module.init(
            {"params": parameter_key, "dropout": dropout_key}, inputs, **settings
        )
        return {"params": {}, **variables}

    def apply(
        variables: Variables,
        inputs: Float[Array, "batch ..."],
        train: bool,
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "batch outputs"], Variables]:
        settings: dict[str, Any] = {"train": train} if takes_train else {}
        streams = None if key is None else {"dropout": key}
        statistics = [collection for collection in variables if collection != "params"]
        if not (train and statistics):
            outputs: Any = module.apply(variables, inputs, rngs=streams, **settings)
            return outputs, variables
        outputs, renewed = module.apply(
            variables, inputs, rngs=streams, mutable=statistics, **settings
        )
        return outputs, {**variables, **renewed}

    return Model(init, apply, name)


def from_functions(init: Callable[..., Any], apply: Callable[..., Any], name: str) -> Model:
    """Makes a `Model` from two functions.

    Args:
        init: ``init(key, inputs) -> variables``, as in haiku and linen. What has no ``"params"``
            entry is taken as the parameters themselves. (stax's ``init(key, shape)`` needs a
            ``lambda key, inputs: init(key, inputs.shape)[1]`` around it.)
        apply: one of two forms, told apart by its signature. ``apply(params, inputs) -> outputs``
            is the short one, for networks without statistics: it is handed what ``init`` returned.
            ``apply(variables, inputs, train, key) -> (outputs, variables)`` is the full one: four
            arguments that must be given, or the third and fourth called ``train`` and ``key``; it
            is handed the variables, with their ``"params"`` entry.
        name: how reports call the network.

    Raises:
        InvalidInputError: the signature of ``apply`` is of neither form.
    """
    takes_all = _takes_train_and_key(apply, name)

    def model_init(key: PRNGKeyArray, inputs: Float[Array, "batch ..."]) -> Variables:
        made = init(key, inputs)
        return dict(made) if _has_params(made) else {"params": made}

    def short_apply(
        variables: Variables,
        inputs: Float[Array, "batch ..."],
        train: bool,
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "batch outputs"], Variables]:
        del train, key
        # Only the shape of what init makes tells whether apply knows of a "params" entry.
        wrapped = not _has_params(jax.eval_shape(init, jax.random.key(0), inputs))
        return apply(variables["params"] if wrapped else variables, inputs), variables

    return Model(model_init, apply if takes_all else short_apply, name)


def _has_params(made: Any) -> bool:
    return hasattr(made, "keys") and "params" in made


def _takes_train_and_key(apply: Callable[..., Any], name: str) -> bool:
    """Tells the full form of apply (four arguments) from the short form (two)."""
    try:
        parameters = inspect.signature(apply).parameters.values()
    except ValueError:  # Some functions written in C have no signature.
        return False
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    names = [parameter.name for parameter in positional]
    required = sum(parameter.default is parameter.empty for parameter in positional)
    if names[2:4] == ["train", "key"] or required == 4:
        return True
    any_number = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    fits_two = required <= 2 and (len(positional) >= 2 or any_number)
    # haiku's apply(params, rng, *inputs) would take the inputs for its key.
    expects_key = names[1:2] in (["rng"], ["key"])
    require(
        fits_two and not expects_key,
        f"model {name!r}: apply takes ({', '.join(names)}); expected apply(params, inputs) or "
        "apply(variables, inputs, train, key) (for haiku, use without_apply_rng)",
    )
    return False
