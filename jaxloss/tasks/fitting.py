"""Refuses networks that do not fit a task, before any of them is trained."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from jaxloss.errors import InvalidInputError, require
from jaxloss.models.model import Model, Variables
from jaxloss.models.registry import as_model


def fitting_model(thing: Any, inputs: Float[Array, "rows ..."], outputs: int) -> Model:
    """Makes the network that a person names or gives, for inputs and a number of outputs.

    Args:
        thing: what `jaxloss.models.registry.as_model` takes.
        inputs: examples that the network is to take.
        outputs: how many it is to give for each.

    Raises:
        InvalidInputError: it cannot be made, does not take such inputs or gives other outputs.
    """
    model = as_model(thing, outputs)
    made = output_shape(model, inputs)
    fitting = [(2, outputs)] + ([(2,)] if outputs == 1 else [])
    require(
        made in fitting,
        f"model {model.name!r} gives outputs of shape {made} for a batch of 2; "
        f"expected {fitting[0]}",
    )
    return model


def output_shape(model: Model, inputs: Float[Array, "rows ..."]) -> tuple[int, ...]:
    """Traces the network on a batch of 2, so that it fails here and not in the midst of a search.

    Returns:
        The shape of its outputs, in evaluation as in training.

    Raises:
        InvalidInputError: it does not take such inputs, gives outputs of another shape in training,
            or then renews its variables by such that do not fit in their place.
    """
    batch = jax.ShapeDtypeStruct((2, *inputs.shape[1:]), inputs.dtype)

    def traced(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return jax.eval_shape(function, *arguments)
        except InvalidInputError:
            raise
        # The network may be the person's own code and can fail in any way.
        except Exception as error:
            raise InvalidInputError(
                f"model {model.name!r} does not take inputs of shape {batch.shape}{what} "
                f"({type(error).__name__}: {error})"
            ) from error

    def start(batch: Array) -> Variables:
        return model.init(jax.random.key(0), batch)

    def evaluate(variables: Variables, batch: Array) -> Array:
        return model.apply(variables, batch, False, None)[0]

    def learn(variables: Variables, batch: Array) -> tuple[Array, Variables]:
        outputs, renewed = model.apply(variables, batch, True, jax.random.key(0))
        return outputs, renewed

    variables = traced("", start, batch)
    outputs = traced("", evaluate, variables, batch)
    learned, renewed = traced(" in training", learn, variables, batch)
    require(
        learned.shape == outputs.shape,
        f"model {model.name!r} gives outputs of shape {learned.shape} in training and of shape "
        f"{outputs.shape} otherwise; expected the same",
    )
    _require_same_kind(model.name, variables, renewed)
    return outputs.shape


def _require_same_kind(name: str, variables: Variables, renewed: Variables) -> None:
    """Refuses statistics that training turns into others than a further step can go on with."""
    (before, structure), (after, other) = _described(variables), _described(renewed)
    changed = [
        f"{part}: {before.get(part, 'nothing')} becomes {after.get(part, 'nothing')}"
        for part in before | after
        if before.get(part) != after.get(part)
    ]
    require(
        not changed and structure == other,
        f"model {name!r} must renew its variables in training by others of the same shapes, types "
        f"and structure ({'; '.join(changed) or f'{structure} becomes {other}'})",
    )


def _described(variables: Variables) -> tuple[dict[str, str], Any]:
    """Writes the kind of all that is carried along; the parameters are set by each step itself."""
    held = {name: part for name, part in variables.items() if name != "params"}
    leaves, structure = jax.tree_util.tree_flatten_with_path(held)
    parts = {jax.tree_util.keystr(path): f"{leaf.dtype}{leaf.shape}" for path, leaf in leaves}
    return parts, structure
