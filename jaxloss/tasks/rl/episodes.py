"""What offline reinforcement learning learns from: recorded transitions, stage by stage."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxloss.errors import require

_Numbers = Array | np.ndarray


class Episodes(NamedTuple):
    """Transitions of a finite horizon; row ``[k, h]`` is the one of episode k at stage h.

    Attributes:
        states: where an action was taken.
        actions: numbers from 0.
        rewards: what it brought.
        next_states: where it led.
        goes_on: false where the episode ended with the transition, so that nothing follows.
    """

    states: Float[_Numbers, "episodes horizon size"]
    actions: Int[_Numbers, "episodes horizon"]
    rewards: Float[_Numbers, "episodes horizon"]
    next_states: Float[_Numbers, "episodes horizon size"]
    goes_on: Bool[_Numbers, "episodes horizon"]

    @property
    def horizon(self) -> int:
        """Stages of an episode."""
        return self.actions.shape[1]

    def rows(self, chosen: np.ndarray) -> "Episodes":
        """Picks episodes."""
        return Episodes(*(part[chosen] for part in self))


class Environment(NamedTuple):
    """Where a policy acts, with what is known of it.

    Attributes:
        name: how messages call it.
        horizon: stages of an episode.
        actions: how many there are in each state.
        state_size: numbers that describe a state.
        features: ``(state) -> features``: what a value function sees of each action in a state,
            ``[actions, features]``.
        values: ``(act, starts) -> values``: the total reward that is expected from each start,
            exactly or by rollouts, under ``act(stage, state) -> action`` with stages from 0.
        states: every state in the order of its number, where they are finitely many: then a state
            is described by its number.
    """

    name: str
    horizon: int
    actions: int
    state_size: int
    features: Callable[[Float[Array, " size"]], Float[Array, "actions features"]]
    values: Callable[
        [Callable[[Array, Array], Array], Float[Array, "starts size"]], Float[Array, " starts"]
    ]
    states: Float[Array, "states size"] | None = None


def require_horizon(horizon: float, name: str) -> int:
    """Returns a horizon as a whole number.

    Raises:
        InvalidInputError: it is not 1 or more.
    """
    require(
        horizon >= 1 and horizon == int(horizon),
        f"{name}: the horizon must be a whole number of stages, 1 or more, got {horizon:g}",
    )
    return int(horizon)


def require_usable(episodes: Episodes, environment: Environment) -> None:
    """Refuses recorded data that cannot be learned from.

    Raises:
        InvalidInputError: there is no episode or stage, shapes do not fit each other or the
            environment, an action or a state does not exist, or a number is not finite.
    """
    name, shape = environment.name, np.shape(episodes.actions)
    require(
        len(shape) == 2, f"{name}: actions must have shape [episodes, horizon], got shape {shape}"
    )
    require(shape[0] > 0, f"{name}: the data set is empty; at least one episode is needed")
    require_horizon(shape[1], name)
    require(
        shape[1] == environment.horizon,
        f"{name}: the data have {shape[1]} stages, the horizon is {environment.horizon}",
    )
    sized = (*shape, environment.state_size)
    for what, part, expected in (
        ("states", episodes.states, sized),
        ("next_states", episodes.next_states, sized),
        ("rewards", episodes.rewards, shape),
        ("goes_on", episodes.goes_on, shape),
    ):
        require(
            np.shape(part) == expected,
            f"{name}: expected {what} of shape {expected}, got {np.shape(part)}",
        )
        require(bool(np.all(np.isfinite(np.asarray(part)))), f"{name}: {what} are not all finite")
    rewards = np.asarray(episodes.rewards)
    require(
        bool(np.all((rewards >= 0) & (rewards <= 1))),
        f"{name}: rewards must be from 0 to 1, which values are clipped by; the data have some "
        f"from {np.min(rewards):g} to {np.max(rewards):g}: scale them",
    )
    actions = np.asarray(episodes.actions)
    wrong = np.unique(actions[(actions < 0) | (actions >= environment.actions)])
    require(
        not len(wrong),
        f"{name}: actions must be from 0 to {environment.actions - 1}, the data have "
        f"{', '.join(map(str, wrong[:5].tolist()))}",
    )
    if environment.states is not None:
        known = np.asarray(environment.states)
        for what, part in (("states", episodes.states), ("next_states", episodes.next_states)):
            wrong = np.setdiff1d(np.asarray(part), known)
            require(
                not len(wrong),
                f"{name}: {what} must be whole numbers from 0 to {len(known) - 1}, the data have "
                f"{', '.join(f'{number:g}' for number in wrong[:5])}",
            )


class Stages(NamedTuple):
    """Recorded transitions as value functions see them; the leading axis is the stage.

    Attributes:
        features: of the actions that were taken.
        rewards: what they brought.
        next_features: of every action where they led.
        goes_on: 1, or 0 where nothing follows.
    """

    features: Float[Array, "horizon episodes features"]
    rewards: Float[Array, "horizon episodes"]
    next_features: Float[Array, "horizon episodes actions features"]
    goes_on: Float[Array, "horizon episodes"]


def as_stages(environment: Environment, episodes: Episodes) -> Stages:
    """Shows value functions what was recorded; pure, so check data by `require_usable` before."""
    states, actions, rewards, next_states, goes_on = (
        jnp.swapaxes(jnp.asarray(part), 0, 1) for part in episodes
    )
    of_all = jax.vmap(jax.vmap(environment.features))
    taken = jnp.take_along_axis(of_all(states), actions[..., None, None], axis=2)[:, :, 0]
    return Stages(taken, rewards, of_all(next_states), goes_on.astype(taken.dtype))
