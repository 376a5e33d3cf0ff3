"""A pole on a cart: recorded from gymnasium, played again by the same equations inside ``jit``.

The problem of Barto, Sutton & Anderson 1983 with the constants of gymnasium's CartPole-v1
(https://gymnasium.farama.org/environments/classic_control/cart_pole/).
"""

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.tasks.rl.episodes import Environment, Episodes
from jaxloss.tasks.rl.steps import Steps, joined

ACTIONS, SIZE = 2, 4
HORIZON = 20
"""Stages; the pole falls after 9 steps at the earliest, of a random policy after some 20
(*assumed*)."""

Behaviour = Literal["random", "controller", "mixed"]
"""What pushes the cart while data are recorded; mixed takes turns, episode by episode."""

ASTRAY = 0.1
"""Chance that the controller pushes at random (*assumed*)."""

_GRAVITY, _CART, _POLE, _HALF, _FORCE, _SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
_FARTHEST, _STEEPEST = 2.4, 12 * 2 * math.pi / 360
_SCALES = (2.4, 2.0, 0.2, 2.0)
"""About the largest place (m), speed (m/s), angle (rad) and its speed (rad/s) seen (*assumed*)."""


def push(state: Float[Array, " 4"], action: Array) -> tuple[Float[Array, " 4"], Bool[Array, ""]]:
    """Moves cart and pole by one step; returns the state and whether the pole still stands."""
    _, speed, angle, turning = state
    total = _CART + _POLE
    force = jnp.where(action == 1, _FORCE, -_FORCE)
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    shared = (force + _POLE * _HALF * turning**2 * sine) / total
    leverage = _HALF * (4 / 3 - _POLE * cosine**2 / total)
    bend = (_GRAVITY * sine - cosine * shared) / leverage
    pull = shared - _POLE * _HALF * bend * cosine / total
    moved = state + _SECONDS * jnp.stack([speed, pull, turning, bend])
    stands = (jnp.abs(moved[0]) <= _FARTHEST) & (jnp.abs(moved[2]) <= _STEEPEST)
    return moved, stands


def features(state: Float[Array, " 4"]) -> Float[Array, "2 30"]:
    """Shows a value function the scaled state and its products, apart for each action."""
    scaled = state / jnp.array(_SCALES, state.dtype)
    products = jnp.outer(scaled, scaled)[jnp.triu_indices(SIZE)]
    seen = jnp.concatenate([jnp.ones(1, state.dtype), scaled, products])
    return jnp.kron(jnp.eye(ACTIONS, dtype=state.dtype), seen[None])


def cartpole_environment(horizon: int) -> Environment:
    """Lets policies push the cart; the reward is 1 for each step, as long as the pole stands."""

    def play(act: Callable[[Array, Array], Array], start: Array) -> Array:
        def step(carried: tuple[Array, Array], stage: Array) -> tuple[tuple[Array, Array], Array]:
            state, playing = carried
            moved, stands = push(state, act(stage, state))
            return (moved, playing & stands), playing.astype(state.dtype)

        begin = start, jnp.array(True)
        return jax.lax.scan(step, begin, jnp.arange(horizon))[1].sum()

    def values(act: Callable[[Array, Array], Array], starts: Array) -> Array:
        return jax.vmap(lambda start: play(act, start))(starts)

    return Environment("cartpole", horizon, ACTIONS, SIZE, features, values)


def record_cartpole(behaviour: Behaviour, episodes: int, horizon: int, seed: int) -> list[Steps]:
    """Records episodes of gymnasium's CartPole-v1.

    Args:
        behaviour: what pushes the cart.
        episodes: how many.
        horizon: the longest that an episode lasts.
        seed: of first states and pushes.

    Raises:
        InvalidInputError: gymnasium is not installed, or there is no such behaviour.
    """
    if behaviour not in get_args(Behaviour):
        raise unknown_name("behaviour", behaviour, get_args(Behaviour))
    try:
        gymnasium: Any = importlib.import_module("gymnasium")
    except ModuleNotFoundError as error:
        raise InvalidInputError(
            "rl:cartpole records its data with gymnasium: pip install 'jaxloss[rl]'"
        ) from error
    environment = gymnasium.make("CartPole-v1").unwrapped
    generator = np.random.default_rng(seed)
    found: list[Steps] = []
    for number in range(episodes):
        steered = behaviour == "controller" or (behaviour == "mixed" and number % 2 == 1)
        state, _ = environment.reset(seed=seed * 1_000_003 + number)
        states, actions, ended = [state], [], False
        while len(actions) < horizon and not ended:
            action = int(generator.integers(ACTIONS))
            if steered and generator.random() >= ASTRAY:
                # The side to which the pole is falling.
                action = int(state[2] + 0.5 * state[3] > 0)
            state, _, ended, _, _ = environment.step(action)
            states.append(state)
            actions.append(action)
        found.append(Steps(np.array(states), np.array(actions), np.ones(len(actions)), bool(ended)))
    environment.close()
    return found


def staged(
    generator: np.random.Generator, episodes: Sequence[Steps], count: int, horizon: int
) -> Episodes:
    """Draws transitions for every stage from recorded episodes of any length.

    How the pole moves does not depend on the stage, so any transition serves any of them; stage 0
    takes first transitions alone, since only there episodes begin. Transitions are drawn with
    replacement, so what is to be disjoint is staged apart.

    Args:
        generator: draws.
        episodes: what was recorded.
        count: transitions for each stage.
        horizon: how many stages.

    Raises:
        InvalidInputError: nothing was recorded.
    """
    require(
        sum(len(one.actions) for one in episodes) > 0,
        "cartpole: the data set is empty; at least one episode is needed",
    )
    pool = joined(episodes)
    lengths = [len(one.actions) for one in episodes if len(one.actions)]
    firsts = np.cumsum([0, *lengths[:-1]])
    chosen = generator.integers(len(pool.actions), size=(count, horizon))
    chosen[:, 0] = generator.permutation(np.resize(firsts, count))
    return Episodes(*(jnp.asarray(part[chosen]) for part in pool))
