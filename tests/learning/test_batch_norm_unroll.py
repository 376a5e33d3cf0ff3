from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.inner import BaseOptimizerSettings, Learner, predict, train, training_step
from jaxloss.learning.unroll import meta_loss
from jaxloss.models import from_linen
from jaxloss.models.convolution import classify, convolve, normalise
from jaxloss.tasks import Split

OPTIMIZER = BaseOptimizerSettings(learning_rate=0.1, momentum=0.9, weight_decay=0.01, batch_size=4)


class NormalisedNetwork(nn.Module):
    """The layers of the paper's networks, with an activation that is smooth, for differences."""

    @nn.compact
    def __call__(self, inputs: Any, train: bool) -> Any:
        hidden = nn.tanh(normalise(convolve(inputs, 3), train))
        hidden = nn.tanh(normalise(convolve(hidden, 2, stride=2), train))
        return classify(hidden, 1)


MODEL = from_linen(NormalisedNetwork(), "normalised")


def squared_error(outputs: Any, targets: Any) -> Any:
    return jnp.square(outputs[:, 0] - targets)


def bind(weights: Any) -> Callable:
    """Makes a smooth loss of three weights that all matter."""

    def loss(outputs: Any, targets: Any) -> Any:
        difference = weights[0] * outputs[:, 0] - weights[1] * targets
        return jnp.square(difference) + jnp.tanh(weights[2] * outputs[:, 0] * targets)

    return loss


def split(seed: int, *axes: int) -> Split:
    generator = np.random.default_rng(seed)
    inputs = 1 + generator.normal(size=(*axes, 4, 4, 2))
    return Split(jnp.asarray(inputs), jnp.asarray(np.sin(inputs[..., 0].sum((-1, -2)))))


@pytest.mark.usefixtures("float64")
def test_a_training_step_renews_running_statistics_by_the_momentum_rule():
    batch, optimizer = split(0, 4), OPTIMIZER.make()
    variables = MODEL.init(jax.random.key(0), batch.inputs)
    # From elsewhere than 0 and 1, so that the share of the old shows.
    started = jax.tree.map(lambda leaf: leaf + 0.7, variables["batch_stats"])
    variables = {**variables, "batch_stats": started}
    learner = Learner(variables, optimizer.init(variables["params"]))
    step = jax.jit(lambda *state: training_step(MODEL, optimizer, squared_error, *state))
    stepped = step(learner, batch, jax.random.key(1)).variables

    # The first layer's features by NumPy: 3x3 windows of the images with a border of zeros.
    padded = np.pad(np.asarray(batch.inputs), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    kernel = np.asarray(variables["params"]["Conv_0"]["kernel"])
    features = np.einsum("bhwcij,ijco->bhwo", windows, kernel)
    expected = {
        "mean": 0.9 * 0.7 + 0.1 * features.mean((0, 1, 2)),
        "var": 0.9 * 1.7 + 0.1 * features.var((0, 1, 2)),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(
            stepped["batch_stats"]["BatchNorm_0"][name], value, rtol=1e-12, err_msg=name
        )
    assert np.any(stepped["params"]["Conv_0"]["kernel"] != kernel)
    assert stepped["batch_stats"]["BatchNorm_1"]["mean"].dtype == np.float64


@pytest.mark.usefixtures("float64")
def test_evaluation_after_training_uses_the_running_statistics():
    examples = split(0, 12)
    trained, _ = jax.jit(
        lambda key: train(key, MODEL, OPTIMIZER, squared_error, examples, steps=5)
    )(jax.random.key(0))
    statistics = trained["batch_stats"]["BatchNorm_0"]
    assert np.all(statistics["mean"] != 0)
    together = predict(MODEL, trained, examples.inputs)
    # What an example gets depends on no other example, however they are run.
    np.testing.assert_allclose(
        predict(MODEL, trained, examples.inputs[3:4]), together[3:4], rtol=1e-10
    )

    def by_hand(inputs: Any) -> Any:
        hidden = inputs
        for layer, stride in enumerate((1, 2)):
            kernel = trained["params"][f"Conv_{layer}"]["kernel"]
            own = trained["params"][f"BatchNorm_{layer}"]
            seen = trained["batch_stats"][f"BatchNorm_{layer}"]
            hidden = jax.lax.conv_general_dilated(
                jnp.asarray(hidden),
                kernel,
                (stride, stride),
                ((1, 1), (1, 1)),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            hidden = np.asarray(hidden)
            hidden = (hidden - np.asarray(seen["mean"])) / np.sqrt(np.asarray(seen["var"]) + 1e-5)
            hidden = np.tanh(hidden * np.asarray(own["scale"]) + np.asarray(own["bias"]))
        dense = trained["params"]["Dense_0"]
        return hidden.mean((1, 2)) @ np.asarray(dense["kernel"]) + np.asarray(dense["bias"])

    with jax.numpy_rank_promotion("allow"):
        np.testing.assert_allclose(together, by_hand(examples.inputs), rtol=1e-9)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_meta_gradients_through_batch_norm_agree_with_finite_differences(inner_steps: int):
    training, held_out = split(0, inner_steps, 4), split(1, 5)

    def objective(weights: Any) -> Any:
        key = jax.random.key(0)
        return meta_loss(key, MODEL, OPTIMIZER, squared_error, bind, training, held_out, weights)

    weights = jnp.array([1.0, 0.8, 1.3])
    value_of = jax.jit(objective)
    differences = [
        (value_of(weights + move) - value_of(weights - move)) / 2e-5 for move in 1e-5 * np.eye(3)
    ]
    gradient = np.asarray(jax.jit(jax.grad(objective))(weights))
    assert gradient.dtype == np.float64
    assert np.all(np.abs(gradient) > 1e-4)
    error = np.linalg.norm(gradient - differences) / np.linalg.norm(differences)
    assert error < 1e-5
