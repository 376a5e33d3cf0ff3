"""Decision problems with finitely many states, which dynamic programming solves exactly."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxloss.tasks.rl.episodes import Environment, Episodes


class FiniteMDP(NamedTuple):
    """A Markov decision process whose states are numbered from 0.

    Attributes:
        transitions: probability of each next state.
        rewards: mean rewards, from 0 to 1; a reward is 1 with this probability and else 0.
        start: probability of each first state.
        features: what a value function sees of each action in each state.
    """

    transitions: Float[Array, "states actions states"]
    rewards: Float[Array, "states actions"]
    start: Float[Array, " states"]
    features: Float[Array, "states actions features"]


def finite_mdp(
    transitions: Float[np.ndarray, "states actions states"],
    rewards: Float[np.ndarray, "states actions"],
    features: Float[np.ndarray, "states actions features"],
) -> FiniteMDP:
    """Puts a problem on the device; each state is as likely as any other to be the first."""
    kind, states = jnp.result_type(float), len(rewards)
    chances, means, seen = (jnp.asarray(part, kind) for part in (transitions, rewards, features))
    return FiniteMDP(chances, means, jnp.full(states, 1 / states, kind), seen)


Policy = Float[Array, "horizon states actions"]
"""Probability of each action at each stage in each state."""


def optimal_values(
    mdp: FiniteMDP, horizon: int
) -> tuple[Float[Array, "horizon states"], Int[Array, "horizon states"]]:
    """Solves the problem by dynamic programming; returns values and best actions, by stage."""

    def back(following: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
        q = mdp.rewards + mdp.transitions @ following
        values = q.max(axis=1)
        return values, (values, q.argmax(axis=1))

    start = jnp.zeros_like(mdp.start)
    _, (values, actions) = jax.lax.scan(back, start, None, length=horizon, reverse=True)
    return values, actions


def policy_values(mdp: FiniteMDP, policy: Policy) -> Float[Array, "horizon states"]:
    """Computes what a policy is worth at each stage in each state."""

    def back(following: Array, chances: Array) -> tuple[Array, Array]:
        values = jnp.sum(chances * (mdp.rewards + mdp.transitions @ following), axis=1)
        return values, values

    return jax.lax.scan(back, jnp.zeros_like(mdp.start), policy, reverse=True)[1]


def finite_environment(name: str, mdp: FiniteMDP, horizon: int) -> Environment:
    """Lets policies act in a finite problem; a state is described by its number."""
    count, actions = mdp.rewards.shape
    numbers = jnp.arange(count, dtype=mdp.features.dtype)[:, None]

    def features(state: Float[Array, " 1"]) -> Float[Array, "actions features"]:
        return mdp.features[state[0].astype(jnp.int32)]

    def values(act: Callable[[Array, Array], Array], starts: Float[Array, "starts 1"]) -> Array:
        everywhere = jax.vmap(act, (None, 0))
        chosen = jax.vmap(lambda stage: everywhere(stage, numbers))(jnp.arange(horizon))
        policy = jax.nn.one_hot(chosen, actions, dtype=mdp.rewards.dtype)
        return policy_values(mdp, policy)[0][starts[:, 0].astype(jnp.int32)]

    return Environment(name, horizon, actions, 1, features, values, numbers)


def draw_episodes(
    generator: np.random.Generator, mdp: FiniteMDP, policy: Policy, episodes: int
) -> Episodes:
    """Records episodes of a policy."""
    chances, transitions, means = (np.asarray(part) for part in (policy, *mdp[:2]))
    state = _drawn(generator, np.tile(np.asarray(mdp.start), (episodes, 1)))
    parts: list[tuple[np.ndarray, ...]] = []
    for of_stage in chances:
        action = _drawn(generator, of_stage[state])
        reward = generator.random(episodes) < means[state, action]
        following = _drawn(generator, transitions[state, action])
        parts.append((state, action, reward, following))
        state = following
    states, actions, rewards, next_states = (
        jnp.asarray(np.stack(part, axis=1)) for part in zip(*parts, strict=True)
    )
    kind = mdp.features.dtype
    return Episodes(
        states[..., None].astype(kind),
        actions,
        rewards.astype(kind),
        next_states[..., None].astype(kind),
        jnp.ones(actions.shape, bool),
    )


def _drawn(generator: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    """Draws a number for each row of probabilities."""
    below = np.cumsum(chances, axis=1)
    return np.sum(generator.random((len(chances), 1)) * below[:, -1:] >= below, axis=1)


def mostly_best(mdp: FiniteMDP, horizon: int, astray: float) -> Policy:
    """Makes the policy that takes the best action, but with a small chance any action at all."""
    _, best = optimal_values(mdp, horizon)
    actions = mdp.rewards.shape[1]
    chosen = jax.nn.one_hot(best, actions, dtype=mdp.rewards.dtype)
    return (1 - astray) * chosen + astray / actions
