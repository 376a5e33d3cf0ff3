"""Fitted Q and its pessimistic kin, against independent solutions in plain numpy."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.fitted_q import (
    FittedQ,
    action_values,
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
from jaxloss.models import create_model
from jaxloss.tasks.rl import Stages, as_stages, finite_data, finite_environment

KEY = jax.random.key(0)
REGULARISATION, BETA = 0.3, 0.7
HORIZON, EPISODES, ACTIONS, FEATURES = 4, 15, 3, 5


def random_stages(seed: int) -> Stages:
    """Data without any structure, in double precision."""
    generator = np.random.default_rng(seed)
    features = generator.uniform(size=(HORIZON, EPISODES, FEATURES))
    upcoming = generator.uniform(size=(HORIZON, EPISODES, ACTIONS, FEATURES))
    rewards = generator.uniform(size=(HORIZON, EPISODES))
    goes_on = (generator.random((HORIZON, EPISODES)) < 0.8).astype(float)
    return Stages(*(jnp.asarray(part) for part in (features, rewards, upcoming, goes_on)))


def plain_values(
    features: np.ndarray, weights: np.ndarray, inverse: np.ndarray, most: float
) -> np.ndarray:
    """One action after the other: clipped inner product minus the bonus."""
    values = np.empty(features.shape[:-1])
    for place in np.ndindex(*values.shape):
        one = features[place]
        values[place] = one @ weights - BETA * np.sqrt(one @ inverse @ one)
    return np.clip(values, 0.0, most)


def plain_pevi(stages: Stages) -> list[tuple[np.ndarray, np.ndarray]]:
    """Jin et al. 2021 (https://arxiv.org/abs/2012.15085), Algorithm 2, written a second time."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for stage in reversed(range(HORIZON)):
        features, rewards, upcoming, goes_on = (np.asarray(part[stage]) for part in stages)
        following = np.zeros(EPISODES)
        if found:
            values = plain_values(upcoming, *found[-1], HORIZON - stage - 1)
            following = values.max(axis=1) * goes_on
        gram = REGULARISATION * np.eye(FEATURES)
        moment = np.zeros(FEATURES)
        for row in range(EPISODES):
            gram += np.outer(features[row], features[row])
            moment += features[row] * (rewards[row] + following[row])
        inverse = np.linalg.inv(gram)
        found.append((inverse @ moment, inverse))
    return found[::-1]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("method", ["pfql", "pevi"])
def test_linear_pfql_equals_pevi(method: str):
    stages, q = random_stages(0), linear_q()
    if method == "pfql":
        fitted = jax.jit(lambda: pfql(KEY, q, ridge(), stages, REGULARISATION, BETA))()
    else:
        fitted = jax.jit(lambda: pevi(stages, REGULARISATION, BETA))()
    assert fitted.uncertainty is not None
    for stage, (weights, inverse) in enumerate(plain_pevi(stages)):
        np.testing.assert_allclose(fitted.parameters[stage], weights, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(
            fitted.uncertainty[stage], BETA**2 * inverse, rtol=1e-9, atol=1e-11
        )
        expected = plain_values(
            np.asarray(stages.next_features[0]), weights, inverse, HORIZON - stage
        )
        values = action_values(q, fitted, jnp.int32(stage), stages.next_features[0])
        np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("float64")
def test_one_hot_features_give_the_bonus_of_counts():
    _, environment, episodes = finite_data("tabular", 3, 40)
    stages, q = as_stages(environment, episodes), linear_q()
    fitted = jax.jit(lambda: pfql(KEY, q, ridge(), stages, REGULARISATION, BETA))()
    assert fitted.uncertainty is not None
    states, actions = np.asarray(episodes.states)[..., 0].astype(int), np.asarray(episodes.actions)
    for stage in range(environment.horizon):
        counts = np.zeros((8, 4))
        np.add.at(counts, (states[:, stage], actions[:, stage]), 1)
        assert counts.min() == 0 < counts.max()
        bonus = np.sqrt(np.diagonal(fitted.uncertainty[stage])).reshape(8, 4)
        np.testing.assert_allclose(bonus, BETA / np.sqrt(counts + REGULARISATION), rtol=1e-9)


def problems(seeds: range) -> tuple:
    found = [finite_data("tabular", seed, 60) for seed in seeds]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *((one[0], one[2]) for one in found))


class Outcome(NamedTuple):
    estimates: np.ndarray
    values: np.ndarray


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """Fitted Q and PFQL on ten problems, with numbers that were fixed before any of them."""
    q = linear_q()

    def one(mdp, episodes):
        environment = finite_environment("tabular", mdp, 6)
        stages = as_stages(environment, episodes)
        fits = fitted_q(KEY, q, ridge(), stages, 0.1), pfql(KEY, q, ridge(), stages, 0.1, 1.0)
        return [estimated_and_true(environment, q, fit, jnp.arange(8.0)[:, None]) for fit in fits]

    found = jax.jit(jax.vmap(one))(*problems(range(10)))
    return {
        name: Outcome(*map(np.asarray, pair))
        for name, pair in zip(("fitted Q", "PFQL"), found, strict=True)
    }


def test_pessimistic_estimates_are_seldom_above_the_truth(outcomes: dict[str, Outcome]):
    def kept(outcome: Outcome) -> float:
        return float(np.mean(outcome.estimates <= outcome.values + 1e-4))

    assert kept(outcomes["PFQL"]) >= 0.95
    assert kept(outcomes["fitted Q"]) < 0.5


def test_pessimism_helps_where_data_cover_little(outcomes: dict[str, Outcome]):
    pessimistic, plain = (outcomes[name].values.mean(axis=1) for name in ("PFQL", "fitted Q"))
    assert np.sum(pessimistic >= plain) >= 8


@pytest.mark.usefixtures("float64")
def test_vafql_is_pfql_where_no_variance_is_above_one():
    stages, q = random_stages(0), linear_q()
    short = Stages(*(part[-2:] for part in stages))
    weighted = jax.jit(lambda: vafql(KEY, q, ridge(), short, short, REGULARISATION, BETA))()
    plain = jax.jit(lambda: pfql(KEY, q, ridge(), short, REGULARISATION, BETA))()
    np.testing.assert_allclose(weighted.parameters, plain.parameters, rtol=1e-12)


@pytest.mark.usefixtures("float64")
def test_vafql_weighs_by_the_inverse_variance():
    """Two stages, one feature: the second is worth 0 or 9 at random, the first leads to either."""
    count, horizon = 8, 10
    values = np.tile([0.0, 9.0], count // 2)
    features = np.ones((horizon, count, 1))
    rewards = np.zeros((horizon, count))
    rewards[0] = np.linspace(0.0, 1.0, count)
    # All later stages pay 1 in the states that are told by feature 1, and nothing else.
    upcoming = np.zeros((horizon, count, 1, 1))
    upcoming[0, :, 0, 0] = values / 9.0
    upcoming[1:] = 1.0
    rewards[1:] = 1.0
    stages = Stages(*(jnp.asarray(part) for part in (features, rewards, upcoming, rewards * 0 + 1)))
    q, regularisation = linear_q(), 1e-9
    fitted = jax.jit(lambda: vafql(KEY, q, ridge(), stages, stages, regularisation, 1.0))()
    assert fitted.uncertainty is not None
    # By hand: the next value is 0 or 9 less a vanishing bonus, of variance 81 / 4 about; the bonus
    # of the stage after is 1 / sqrt(8), of each later one likewise, nine in all.
    later = 9.0 - 9 / np.sqrt(8)
    variance = later**2 / 4
    matrix = count / variance + regularisation
    np.testing.assert_allclose(fitted.uncertainty[0, 0, 0], 1 / matrix, rtol=1e-6)


def test_descent_finds_what_ridge_solves():
    stages = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), random_stages(1))

    def squared(outputs, targets):
        return jnp.sum(jnp.square(outputs - targets), axis=-1)

    exact = jax.jit(lambda: fitted_q(KEY, linear_q(), ridge(), stages, REGULARISATION))()
    regress = descent(squared, 2000, 0.05)
    followed = jax.jit(lambda: fitted_q(KEY, linear_q(), regress, stages, REGULARISATION))()
    np.testing.assert_allclose(followed.parameters, exact.parameters, atol=2e-3)


def test_any_loss_and_network_will_do():
    stages = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), random_stages(2))
    q = network_q(create_model("mlp:3", 1))

    def asymmetric(outputs, targets):
        errors = outputs - targets
        return jnp.sum(jnp.where(errors > 0, 9.0, 1.0) * jnp.square(errors), axis=-1)

    def mean_values(loss) -> jax.Array:
        fitted: FittedQ = pfql(KEY, q, descent(loss, 100), stages, 0.1, 0.0)
        return q.values(fitted.parameters[-1], stages.features[-1]).mean()

    low = jax.jit(lambda: mean_values(asymmetric))()
    plain = jax.jit(lambda: mean_values(lambda f, y: jnp.sum(jnp.square(f - y), axis=-1)))()
    assert low < plain - 0.05, "a loss that punishes what is too high keeps values low"


@pytest.mark.parametrize(
    ("rows", "numbers", "words"),
    [
        ((slice(0, 0), slice(None)), (0.1, 1.0), "horizon of the data set must be 1 or more"),
        ((slice(None), slice(0, 0)), (0.1, 1.0), "data set is empty"),
        ((slice(None), slice(None)), (0.0, 1.0), "regularisation must be above 0, got 0.0"),
        ((slice(None), slice(None)), (0.1, -1.0), "beta must be 0 or more, got -1.0"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_any_training(rows, numbers, words):
    stages = Stages(*(part[rows] for part in random_stages(0)))
    with pytest.raises(InvalidInputError, match=words):
        pfql(KEY, linear_q(), ridge(), stages, *numbers)
    with pytest.raises(InvalidInputError, match=words):
        pevi(stages, *numbers)


def test_a_loss_must_give_a_value_for_each_row():
    # Weights of shape [rows] times values of shape [rows, 1] would make [rows, rows].
    regress = descent(lambda outputs, targets: jnp.square(outputs - targets), 10)
    with pytest.raises(InvalidInputError, match=r"one value for each row, shape \(\d+,\), got"):
        fitted_q(KEY, linear_q(), regress, random_stages(0), REGULARISATION)
