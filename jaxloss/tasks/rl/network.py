"""Value functions of all stages as one network, so that fitted Q is an inner training."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.models.model import Model, Variables
from jaxloss.tasks.rl.episodes import Environment, Episodes


def as_rows(episodes: Episodes) -> Float[Array, "episodes horizon numbers"]:
    """Writes each transition as numbers: state, action, next state, and 1 where it goes on."""
    kind = jnp.result_type(float)
    columns = (
        episodes.states,
        episodes.actions[..., None],
        episodes.next_states,
        episodes.goes_on[..., None],
    )
    return jnp.concatenate([jnp.asarray(column).astype(kind) for column in columns], axis=-1)


def fitted_q_model(network: Model, environment: Environment) -> Model:
    """Stacks a network for each stage; all of them are trained at once.

    An example is an episode, ``[horizon, numbers]`` as `as_rows` writes it; outputs are the values
    of its actions, ``[batch, horizon]``, and targets its rewards, to which ``bootstrap`` adds the
    clipped value of the best next action. The regression of a stage depends on the next stage
    alone and that of the last on none, so that the stages settle from the last to the first on what
    fitted Q iteration finds one after the other.

    Args:
        network: takes the features of an action, ``[batch, features]``, and gives its value.
        environment: gives features, horizon and actions.
    """
    size, horizon = environment.state_size, environment.horizon
    of_all = jax.vmap(environment.features)

    def init(key: PRNGKeyArray, inputs: Float[Array, "batch horizon numbers"]) -> Variables:
        example = environment.features(inputs[0, 0, :size])[:1]
        return jax.vmap(lambda key: network.init(key, example))(jax.random.split(key, horizon))

    def at_stage(
        variables: Variables, states: Array, train: bool, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch actions"], Variables]:
        # Where states are few, each is valued once and not each time that it was seen.
        seen = states if environment.states is None else environment.states
        features = of_all(seen)
        flat = features.reshape(-1, features.shape[-1])
        values, renewed = network.apply(variables, flat, train, key)
        table = values.reshape(features.shape[:2])
        known = environment.states is not None
        return (table[states[:, 0].astype(jnp.int32)] if known else table), renewed

    def apply(
        variables: Variables, inputs: Array, train: bool, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch horizon"], Variables]:
        def stage(variables: Variables, rows: Array, number: Array) -> tuple[Array, PyTree]:
            own = None if key is None else jax.random.fold_in(key, number)
            values, renewed = at_stage(variables, rows[:, :size], train, own)
            actions = rows[:, size].astype(jnp.int32)
            return jnp.take_along_axis(values, actions[:, None], axis=1)[:, 0], renewed

        return jax.vmap(stage, (0, 1, 0), (1, 0))(variables, inputs, jnp.arange(horizon))

    def bootstrap(
        variables: Variables, inputs: Array, rewards: Float[Array, "batch horizon"]
    ) -> Float[Array, "batch horizon"]:
        def stage(variables: Variables, states: Array) -> Array:
            return at_stage(variables, states, False, None)[0].max(axis=1)

        next_stage = jax.tree.map(lambda leaf: jnp.roll(leaf, -1, axis=0), variables)
        best = jax.vmap(stage, (0, 1), 1)(next_stage, inputs[..., size + 1 : -1])
        # After the last stage comes none: there the bound is 0.
        most = jnp.arange(horizon - 1, -1, -1, dtype=best.dtype)
        return rewards + jnp.clip(best, 0.0, most[None]) * inputs[..., -1]

    return Model(init, apply, network.name, bootstrap, stacked=True)


def stage_values(
    network: Model,
    environment: Environment,
    variables: Variables,
    stage: Array,
    state: Float[Array, " size"],
) -> Float[Array, " actions"]:
    """Computes the value of each action in a state at a stage."""
    own = jax.tree.map(lambda leaf: leaf[stage], variables)
    return network.apply(own, environment.features(state), False, None)[0][:, 0]
