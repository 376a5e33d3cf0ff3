from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import BaseOptimizerSettings, fresh_learner, training_step
from jaxloss.learning.local_search import LocalSearchSettings, local_search
from jaxloss.learning.unroll import meta_loss
from jaxloss.losses import assemble, compile_expression, interpret
from jaxloss.models import Model, from_functions, from_linen
from jaxloss.symbols import Alphabet, parse
from jaxloss.tasks import Split

ALPHABET = Alphabet(capacity=12)
# Smooth but for abs, whose kink no example touches.
TREE = parse("add(square(sub(f, y)), tanh(mul(abs(f), y)))")
OPTIMIZER = BaseOptimizerSettings(learning_rate=0.1, momentum=0.9, weight_decay=0.01, batch_size=5)


def squared_error(outputs: Any, targets: Any) -> Any:
    return jnp.square(outputs[:, 0] - targets)


def compiled(weights: Any) -> Callable:
    apply = compile_expression(TREE).apply
    own = weights[: TREE.size - 1]
    return lambda outputs, targets: apply(own, outputs[:, 0], targets)


def interpreted(weights: Any) -> Callable:
    program = assemble(ALPHABET, jnp.asarray(ALPHABET.encode(TREE)))
    return lambda outputs, targets: interpret(ALPHABET, program, weights, outputs[:, 0], targets)


def split(seed: int, rows: int = 12) -> Split:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(rows, 3))
    return Split(jnp.asarray(inputs), jnp.asarray(np.sin(inputs @ np.array([1.0, -2.0, 0.5]))))


def network() -> Model:
    def init(key: Any, inputs: Any) -> Any:
        first, second = jax.random.split(key)
        shape = (inputs.shape[1], 4)
        return jax.random.normal(first, shape) / 2, jax.random.normal(second, (4, 1)) / 2

    def apply(params: Any, inputs: Any) -> Any:
        return jnp.tanh(inputs @ params[0]) @ params[1]

    return from_functions(init, apply, "two layers")


def batches(seed: int, steps: int) -> Split:
    rows = split(seed, steps * 5)
    return Split(rows.inputs.reshape(steps, 5, 3), rows.targets.reshape(steps, 5))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("inner_steps", [1, 3, 22])
@pytest.mark.parametrize("bind", [compiled, interpreted])
def test_meta_gradients_agree_with_finite_differences(bind: Callable, inner_steps: int):
    training, held_out = batches(0, inner_steps), split(1)

    def objective(weights: Any) -> Any:
        key = jax.random.key(0)
        return meta_loss(
            key, network(), OPTIMIZER, squared_error, bind, training, held_out, weights
        )

    value_of = jax.jit(objective)
    weights = 1.0 + 0.2 * jax.random.normal(jax.random.key(1), (ALPHABET.capacity - 1,))
    edges = TREE.size - 1
    moves = 1e-5 * np.eye(len(weights))[:edges]
    differences = [(value_of(weights + m) - value_of(weights - m)) / 2e-5 for m in moves]
    gradient = np.asarray(jax.jit(jax.grad(objective))(weights))
    assert gradient.dtype == np.float64
    assert not np.any(gradient[edges:])
    error = np.linalg.norm(gradient[:edges] - differences) / np.linalg.norm(differences)
    assert error < 1e-6
    assert np.all(np.abs(gradient[:edges]) > 0)


def by_hand(weights: Any, training: Split, held_out: Split, truncation: int) -> Any:
    """Meta-loss of a plain loop through whose last steps alone gradients flow."""
    start_key, noise_key = jax.random.split(jax.random.key(0))
    optimizer, steps = OPTIMIZER.make(), len(training.inputs)
    learner = fresh_learner(start_key, network(), optimizer, held_out)
    for number in range(steps):
        if number == steps - truncation:
            learner = jax.lax.stop_gradient(learner)
        batch = Split(training.inputs[number], training.targets[number])
        noise = jax.random.fold_in(noise_key, number)
        learner = training_step(network(), optimizer, compiled(weights), learner, batch, noise)
    outputs, _ = network().apply(learner.variables, held_out.inputs, True, None)
    return jnp.mean(squared_error(outputs, held_out.targets))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("bind", "inner_steps", "truncation"),
    [(compiled, 4, 1), (compiled, 4, 3), (compiled, 4, 9), (interpreted, 20, 18)],
)
def test_truncated_meta_gradients_are_those_of_a_loop_cut_by_hand(
    bind: Callable, inner_steps: int, truncation: int
):
    training, held_out = batches(0, inner_steps), split(1)
    weights = 1.0 + 0.2 * jax.random.normal(jax.random.key(1), (ALPHABET.capacity - 1,))

    def objective(weights: Any, truncation: int | None) -> Any:
        return meta_loss(
            jax.random.key(0),
            network(),
            OPTIMIZER,
            squared_error,
            bind,
            training,
            held_out,
            weights,
            truncation,
        )

    derive = jax.jit(jax.value_and_grad(objective), static_argnums=1)
    value, gradient = derive(weights, truncation)
    expected_value, expected = jax.value_and_grad(by_hand)(weights, training, held_out, truncation)
    np.testing.assert_allclose(value, expected_value, rtol=1e-9)
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-10)
    whole_value, whole = derive(weights, None)
    np.testing.assert_allclose(value, whole_value, rtol=1e-12)
    same = np.allclose(gradient, whole, rtol=1e-6)
    assert same == (truncation >= inner_steps)


class NormalisedNetwork(nn.Module):
    @nn.compact
    def __call__(self, inputs: Any, train: bool) -> Any:
        hidden = nn.Dense(5)(inputs)
        hidden = nn.BatchNorm(use_running_average=not train)(hidden)
        return nn.Dense(1)(nn.tanh(hidden))


def test_no_meta_step_changes_nothing():
    settings, weights = LocalSearchSettings(meta_steps=0), jnp.ones(TREE.size - 1)
    tuned, values = local_search(
        jax.random.key(0),
        network(),
        OPTIMIZER,
        settings,
        squared_error,
        compiled,
        split(0),
        split(1),
        weights,
    )
    np.testing.assert_array_equal(tuned, weights)
    assert values.shape == (0,)


def test_networks_with_batch_statistics_have_meta_gradients():
    model = from_linen(NormalisedNetwork(), "normalised")
    training, held_out = batches(0, 3), split(1)

    def objective(weights: Any) -> Any:
        key = jax.random.key(0)
        return meta_loss(
            key, model, OPTIMIZER, squared_error, compiled, training, held_out, weights
        )

    value_of, edges = jax.jit(objective), TREE.size - 1
    weights = jnp.ones(edges)
    gradient = np.asarray(jax.jit(jax.grad(objective))(weights))
    move = np.asarray(gradient / np.linalg.norm(gradient) * 1e-2, np.float32)
    difference = (value_of(weights + move) - value_of(weights - move)) / 2e-2
    np.testing.assert_allclose(difference, np.linalg.norm(gradient), rtol=0.02)


SETTINGS = LocalSearchSettings(meta_steps=60, inner_steps=1, learning_rate=0.05)


@pytest.fixture(scope="module")
def search_alone() -> Callable:
    rows = [split(seed, 40) for seed in (0, 1)]

    def run(weights: Any) -> Any:
        return local_search(
            jax.random.key(3),
            network(),
            OPTIMIZER,
            SETTINGS,
            squared_error,
            interpreted,
            rows[0],
            rows[1],
            weights,
        )

    return run


@pytest.fixture(scope="module")
def candidates() -> Any:
    return 1.0 + 0.1 * jax.random.normal(jax.random.key(2), (3, ALPHABET.capacity - 1))


@pytest.fixture(scope="module")
def searched_alone(search_alone: Callable, candidates: Any) -> list[Any]:
    run = jax.jit(search_alone)
    return [run(weights) for weights in candidates]


def test_local_search_lowers_the_meta_loss_of_networks_never_seen(
    searched_alone: list[Any], candidates: Any
):
    training, held_out = batches(0, 1), split(1)

    @jax.jit
    @jax.vmap
    def mean_over_networks(weights: Any) -> Any:
        def one(key: Any) -> Any:
            return meta_loss(
                key, network(), OPTIMIZER, squared_error, compiled, training, held_out, weights
            )

        return jnp.mean(jax.vmap(one)(jax.random.split(jax.random.key(99), 100)))

    before = mean_over_networks(candidates)
    after = mean_over_networks(jnp.stack([tuned for tuned, _ in searched_alone]))
    assert np.all(after < 0.99 * before)
    assert all(values.shape == (60,) for _, values in searched_alone)


def test_candidates_together_are_tuned_as_one_by_one(
    search_alone: Callable, searched_alone: list[Any], candidates: Any
):
    tuned, values = jax.jit(jax.vmap(search_alone))(candidates)
    for i, (own, own_values) in enumerate(searched_alone):
        np.testing.assert_allclose(tuned[i], own, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(values[i], own_values, rtol=1e-3, atol=1e-4)


def test_weights_that_the_tree_does_not_read_are_left_alone(
    searched_alone: list[Any], candidates: Any
):
    edges = TREE.size - 1
    for (tuned, _), start in zip(searched_alone, candidates, strict=True):
        np.testing.assert_array_equal(tuned[edges:], start[edges:])
        assert np.all(np.abs(tuned[:edges] - start[:edges]) > 1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"meta_steps": -1}, "meta_steps must be 0 or more, got -1"),
        ({"inner_steps": 0}, "inner_steps must be 1 or more, got 0"),
        ({"learning_rate": -1e-3}, "learning_rate must be above 0"),
        ({"truncation": 0}, "truncation must be 1 or more, or none, got 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        LocalSearchSettings(**settings)
