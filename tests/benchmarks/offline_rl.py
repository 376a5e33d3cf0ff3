"""What pessimism is worth where data cover little: PFQL and VAFQL beside fitted Q and PEVI.

All methods meet twice on the same problems. First with numbers chosen by hand on others, one
regularisation for all. Then each with its own, tuned on other problems, over the same
regularisations; those with a bonus take the size with the best policies among the sizes that kept
their promise there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxloss.learning.fitted_q import (
    descent,
    estimated_and_true,
    fitted_q,
    linear_q,
    network_q,
    pevi,
    pfql,
    ridge,
    vafql,
)
from jaxloss.losses import LearnedLoss
from jaxloss.losses.zoo_form import zoo_form
from jaxloss.models import create_model
from jaxloss.tasks.rl import Environment, Episodes, as_stages, finite_data, finite_environment
from jaxloss.tasks.rl.cartpole import HORIZON, cartpole_environment, record_cartpole, staged
from jaxloss.tasks.rl.finite import FiniteMDP, optimal_values
from jaxloss.tasks.rl.steps import Steps

REGULARISATIONS = (0.01, 0.1, 1.0, 10.0)
BONUSES = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
FIXED = (0.1, 1.0)
"""Regularisation and bonus chosen by hand, on other problems; the tests have the same."""
KEPT = 0.95
"""Share of starts in which a pessimistic value must not be above the true one."""
STARTS = 20
"""First positions of the pole that a policy is judged from."""
FIRST_TUNING_SEED = 1000
DESCENT_STEPS = 200
"""Of each regression of a network."""
ROUNDING = 1e-4
"""Values of single precision that differ by less are taken for equal."""


class Draws(NamedTuple):
    """Problems with their data; the leading axis is the seed.

    Attributes:
        mdp: finite problems; None where the problem is always the same.
        episodes: what was recorded.
        starts: where policies are judged from.
    """

    mdp: FiniteMDP | None
    episodes: Episodes
    starts: Float[Array, "seeds starts size"]


class Judged(NamedTuple):
    """What a method reached on each problem.

    Attributes:
        value: mean true value of the policy over the starts.
        kept: share of starts whose estimate is not above the truth.
    """

    value: Float[np.ndarray, " seeds"]
    kept: Float[np.ndarray, " seeds"]


def drawn(problem: str, episodes: int, seeds: range) -> Draws:
    """Draws problems and data."""

    def stack(parts: list[PyTree]) -> PyTree:
        return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(one) for one in leaves]), *parts)

    if problem == "cartpole":
        data = [
            recorded_pole(record_cartpole("mixed", episodes, HORIZON, seed), episodes, seed)
            for seed in seeds
        ]
        places = [
            np.random.default_rng(seed).uniform(-0.05, 0.05, (STARTS, 4)).astype(np.float32)
            for seed in seeds
        ]
        return Draws(None, stack(data), jnp.asarray(np.stack(places)))
    found = [finite_data(problem, seed, episodes) for seed in seeds]
    starts = jnp.stack([jnp.arange(len(mdp.start), dtype=float)[:, None] for mdp, _, _ in found])
    return Draws(stack([one[0] for one in found]), stack([one[2] for one in found]), starts)


def recorded_pole(recorded: list[Steps], count: int, seed: int) -> Episodes:
    """Stages the two halves of the recorded episodes apart, so that they share no transition."""
    generator, half = np.random.default_rng(seed), len(recorded) // 2
    halves = [
        staged(generator, part, rows, HORIZON)
        for part, rows in ((recorded[:half], count // 2), (recorded[half:], count - count // 2))
    ]
    return Episodes(*(jnp.concatenate(parts) for parts in zip(*halves, strict=True)))


def environment_of(problem: str, mdp: FiniteMDP | None, horizon: int) -> Environment:
    """Makes the environment of one problem."""
    if mdp is None:
        return cartpole_environment(horizon)
    return finite_environment(problem, mdp, horizon)


def runner(problem: str, network: str, method: str) -> Callable[[Draws, float, float], Judged]:
    """Makes ``(draws, regularisation, beta) -> judged`` of a method, all seeds at once."""
    exact, squared = network == "linear", LearnedLoss(zoo_form("mse", "identity"), (), "identity")
    q = linear_q() if exact else network_q(create_model(network, 1))
    regress = ridge() if exact else descent(squared, DESCENT_STEPS)
    key = jax.random.key(0)

    def one(draws: Draws, regularisation: Array, beta: Array) -> tuple[Array, Array]:
        environment = environment_of(problem, draws.mdp, draws.episodes.horizon)
        stages = as_stages(environment, draws.episodes)
        half = stages.rewards.shape[1] // 2
        first, second = (
            jax.tree.map(lambda leaf, part=part: leaf[:, part], stages)
            for part in (slice(half), slice(half, None))
        )
        fitted = {
            "fitted Q": lambda: fitted_q(key, q, regress, stages, regularisation),
            "PEVI": lambda: pevi(stages, regularisation, beta),
            "PFQL": lambda: pfql(key, q, regress, stages, regularisation, beta),
            "VAFQL": lambda: vafql(key, q, regress, first, second, regularisation, beta),
        }[method]()
        estimate, truth = estimated_and_true(environment, q, fitted, draws.starts)
        return truth.mean(), jnp.mean(estimate <= truth + ROUNDING)

    run = jax.jit(jax.vmap(one, (0, None, None)))
    return lambda *inputs: Judged(*map(np.asarray, run(*inputs)))


def tuned(run: Callable[..., Judged], draws: Draws, bonuses: tuple[float, ...]) -> tuple:
    """Finds the regularisation and the bonus with the best policies among those that promise."""
    grid = [(one, beta) for one in REGULARISATIONS for beta in bonuses]
    found = [run(draws, *numbers) for numbers in grid]
    promising = [float(one.kept.mean()) >= KEPT or bonuses == (0.0,) for one in found]
    scores = [
        (fits, one.value.mean() if fits else one.kept.mean())
        for fits, one in zip(promising, found, strict=True)
    ]
    return grid[max(range(len(grid)), key=lambda number: scores[number])]


def rows(
    problem: str, network: str = "linear", episodes: int = 60, seeds: int = 10
) -> list[dict[str, Any]]:
    """Measures all methods on one problem.

    Args:
        problem: ``"tabular"``, ``"linear_mdp"`` or ``"cartpole"``.
        network: the value function of a stage; ``"linear"`` is fitted exactly.
        episodes: recorded; transitions for each stage of the pole.
        seeds: problems to judge on, and as many others to tune on.
    """
    trial = drawn(problem, episodes, range(seeds))
    tuning = drawn(problem, episodes, range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + seeds))
    best = _best(trial)
    methods = ["fitted Q", "PFQL"]
    if network == "linear":
        methods = ["fitted Q", "PEVI", "PFQL", "VAFQL"]
    table: list[dict[str, Any]] = []
    rivals: dict[str, Judged] = {}
    for method in methods:
        run, plain = runner(problem, network, method), method == "fitted Q"
        numbers = {"fixed": FIXED, "tuned": tuned(run, tuning, (0.0,) if plain else BONUSES)}
        for how, (regularisation, beta) in numbers.items():
            judged = run(trial, regularisation, beta)
            gain = judged.value - rivals.setdefault(how, judged).value
            table.append(
                {
                    "problem": problem,
                    "network": network,
                    "numbers": how,
                    "method": method,
                    "regularisation": regularisation,
                    "beta": None if plain else beta,
                    "value": float(judged.value.mean()),
                    "deviation": float(judged.value.std(ddof=1)),
                    "best": best,
                    "at_least": None if plain else f"{np.sum(gain >= -ROUNDING)} of {seeds}",
                    "above": None if plain else f"{np.sum(gain > ROUNDING)} of {seeds}",
                    "kept": float(judged.kept.mean()),
                }
            )
    table.sort(key=lambda row: row["numbers"])
    return table


def _best(draws: Draws) -> float:
    """Computes what the best policies are worth; a pole can always be kept standing."""
    horizon = draws.episodes.actions.shape[-1]
    if draws.mdp is None:
        return float(horizon)
    return float(jax.vmap(lambda mdp: optimal_values(mdp, horizon)[0][0].mean())(draws.mdp).mean())
