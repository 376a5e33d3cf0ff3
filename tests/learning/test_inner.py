from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import (
    BaseOptimizerSettings,
    batch_indices,
    fresh_learner,
    predict,
    train,
    training_step,
)
from jaxloss.models import from_functions
from jaxloss.tasks import Split

GENERATOR = np.random.default_rng(0)
RULE: dict[str, Any] = {"rule": "adm"}
SPLIT = Split(
    jnp.asarray(GENERATOR.normal(size=(10, 3)), jnp.float32),
    jnp.asarray(GENERATOR.normal(size=10), jnp.float32),
)
START = jnp.array([[0.5], [-1.0], [0.25]])
LINEAR = from_functions(lambda *_: START, lambda params, inputs: inputs @ params, "linear")


def squared_error(outputs: Any, targets: Any) -> Any:
    return jnp.square(outputs[:, 0] - targets)


@settings(max_examples=8)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 9), st.integers(0, 3))
def test_each_example_comes_once_in_an_epoch(examples: int, batch: int, steps: int, seed: int):
    indices = np.asarray(batch_indices(jax.random.key(seed), examples, batch, steps))
    assert indices.shape == (steps, min(batch, examples))
    stream = indices.reshape(-1)
    for start in range(0, len(stream), examples):
        epoch = stream[start : start + examples]
        assert len(set(epoch.tolist())) == len(epoch)
        assert set(epoch.tolist()) <= set(range(examples))


def test_epochs_and_keys_are_shuffled_anew():
    first, second = np.asarray(batch_indices(jax.random.key(0), 30, 30, 2))
    assert np.any(first != second)
    assert np.any(first != np.asarray(batch_indices(jax.random.key(1), 30, 30, 2))[0])


def by_hand(settings: BaseOptimizerSettings, batches: np.ndarray) -> np.ndarray:
    """Nesterov's SGD as in PyTorch and optax, in numpy, for squared error on a linear model."""
    weights, velocity = np.asarray(START, float), np.zeros((3, 1))
    inputs, targets = np.asarray(SPLIT.inputs, float), np.asarray(SPLIT.targets, float)
    for batch in batches:
        residuals = inputs[batch] @ weights - targets[batch, None]
        slope = 2 * inputs[batch].T @ residuals / len(batch) + settings.weight_decay * weights
        velocity = slope + settings.momentum * velocity
        weights = weights - settings.learning_rate * (slope + settings.momentum * velocity)
    return weights


def test_adam_agrees_with_optax():
    """Golden values: optax's own Adam, on a gradient to which the weight decay is added."""
    settings = BaseOptimizerSettings(0.05, 0.8, weight_decay=0.1, batch_size=4, rule="adam")
    key = jax.random.key(7)
    variables, _ = train(key, LINEAR, settings, squared_error, SPLIT, 3)
    adam, weights = optax.adam(0.05, b1=0.8), START
    state = adam.init(weights)
    for batch in batch_indices(jax.random.split(key, 3)[1], 10, 4, 3):
        residuals = SPLIT.inputs[batch] @ weights - SPLIT.targets[batch][:, None]
        slope = 2 * SPLIT.inputs[batch].T @ residuals / 4 + 0.1 * weights
        updates: Any
        updates, state = adam.update(slope, state)
        weights = weights + updates
    np.testing.assert_allclose(variables["params"], weights, rtol=1e-4, atol=1e-6)


def test_unknown_rules_are_refused():
    with pytest.raises(InvalidInputError, match="unknown rule of the optimizer 'adm'"):
        BaseOptimizerSettings(**RULE)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_training_agrees_with_a_loop_by_hand(momentum: float):
    settings = BaseOptimizerSettings(0.05, momentum, weight_decay=0.1, batch_size=4)
    key = jax.random.key(7)
    variables, _ = train(key, LINEAR, settings, squared_error, SPLIT, 3)
    batches = np.asarray(batch_indices(jax.random.split(key, 3)[1], 10, 4, 3))
    np.testing.assert_allclose(variables["params"], by_hand(settings, batches), rtol=1e-5)


def test_one_nesterov_step_is_worth_one_point_nine_steps():
    # The velocity starts at 0: v = g, and the step is lr · (g + 0.9 v) = 1.9 · lr · g.
    settings = BaseOptimizerSettings(0.01, 0.9, weight_decay=0.0)
    optimizer = settings.make()
    learner = fresh_learner(jax.random.key(0), LINEAR, optimizer, SPLIT)
    stepped = training_step(LINEAR, optimizer, squared_error, learner, SPLIT, jax.random.key(1))

    def mean(params: Any) -> Any:
        return jnp.mean(squared_error(SPLIT.inputs @ params, SPLIT.targets))

    moved = stepped.variables["params"] - START
    np.testing.assert_allclose(moved, -1.9 * 0.01 * jax.grad(mean)(START), rtol=1e-4)


def test_observations_are_evenly_spaced_and_the_last_is_at_the_end():
    settings = BaseOptimizerSettings(0.05, batch_size=4)

    def run(steps: int, observations: int) -> tuple[Any, Any]:
        key = jax.random.key(0)
        return train(
            key,
            LINEAR,
            settings,
            squared_error,
            SPLIT,
            steps,
            observe=lambda variables: variables["params"],
            observations=observations,
        )

    variables, records = run(6, 3)
    assert records.shape == (3, 3, 1)
    np.testing.assert_array_equal(records[-1], variables["params"])
    np.testing.assert_allclose(records[0], run(2, 1)[0]["params"], rtol=1e-6)


def test_prediction_in_blocks_is_prediction_at_once():
    inputs = jnp.asarray(GENERATOR.normal(size=(11, 3)), jnp.float32)
    blocks = predict(LINEAR, {"params": START}, inputs, at_once=4)
    np.testing.assert_allclose(blocks, inputs @ START, rtol=1e-6)
    assert blocks.shape == predict(LINEAR, {"params": START}, inputs).shape


def test_without_momentum_it_is_plain_descent():
    slopes = {"w": jnp.array([1.0, -2.0])}
    plain = BaseOptimizerSettings(0.1, 0.0, weight_decay=0.0).make()
    updates, _ = plain.update(slopes, plain.init(slopes), slopes)
    (moved,) = jax.tree.leaves(optax.apply_updates(slopes, updates))
    np.testing.assert_allclose(moved, [0.9, -1.8], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\)"),
        ({"momentum": -0.1}, r"momentum must be in \[0, 1\)"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more"),
        ({"batch_size": 0}, "batch_size must be 1 or more"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        BaseOptimizerSettings(**settings)
