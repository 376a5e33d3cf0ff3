import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.learning.simulation import SimulationSettings, simulate_boxes, simulate_classes

KEY = jax.random.key(0)
SETTINGS = SimulationSettings(steps=60, learning_rate=0.05, examples=30)


def cross_entropy(logits: Array, labels: Array) -> Array:
    return -jnp.sum(labels * jax.nn.log_softmax(logits), axis=-1)


def squared_error(logits: Array, labels: Array) -> Array:
    return jnp.sum(jnp.square(jax.nn.softmax(logits) - labels), axis=-1)


def iou(i: Array, u: Array, _: Array) -> Array:
    return 1 - i / u


def giou(i: Array, u: Array, e: Array) -> Array:
    return 1 - i / u + (e - u) / e


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_class_losses_reach_the_labels_and_their_negations_flee_them(loss):
    assert simulate_classes(KEY, loss, SETTINGS) > 0.95
    assert simulate_classes(KEY, lambda x, y: -loss(x, y), SETTINGS) < 0.1


def test_a_loss_without_a_slope_leaves_predictions_at_chance():
    settings = SimulationSettings(steps=1, examples=2000)
    chance = simulate_classes(KEY, lambda x, y: jnp.sum(0 * x * y, axis=-1), settings)
    np.testing.assert_allclose(chance, 1 / settings.classes, atol=0.03)


@pytest.mark.parametrize("loss", [iou, giou])
def test_box_losses_reach_the_boxes_and_their_negations_flee_them(loss):
    assert simulate_boxes(KEY, loss, SETTINGS) > 0.8
    assert simulate_boxes(KEY, lambda i, u, e: -loss(i, u, e), SETTINGS) < 0.1


def test_a_box_loss_without_a_slope_leaves_boxes_where_they_were():
    start = simulate_boxes(KEY, lambda i, u, e: 0 * (i + u + e), SETTINGS)
    assert 0.2 < start < 0.5
    far = simulate_boxes(KEY, lambda i, u, e: 0 * (i + u + e), SimulationSettings(reach=3.0))
    assert far < start


def test_more_steps_get_nearer():
    few, many = (SimulationSettings(steps=steps, examples=30) for steps in (5, 50))
    assert simulate_boxes(KEY, giou, few) < simulate_boxes(KEY, giou, many)


@pytest.mark.parametrize("broken", [jnp.nan, jnp.inf])
def test_what_is_not_finite_scores_minus_infinity(broken: float):
    settings = SimulationSettings(steps=2, examples=4)
    assert simulate_classes(KEY, lambda x, y: cross_entropy(x, y) * broken, settings) == -np.inf
    assert simulate_classes(KEY, lambda x, y: cross_entropy(x, y) + broken, settings) == -np.inf
    assert simulate_boxes(KEY, lambda i, u, e: iou(i, u, e) * broken, settings) == -np.inf


def test_a_population_is_scored_in_one_program():
    @jax.jit
    @jax.vmap
    def score(sign: Array) -> Array:
        return simulate_boxes(KEY, lambda i, u, e: sign * giou(i, u, e), SETTINGS)

    good, bad, unmoved = score(jnp.array([1.0, -1.0, 0.0]))
    assert good > 0.8 > unmoved > bad


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be 1 or more, got 0"),
        ({"examples": 0}, "examples must be 1 or more, got 0"),
        ({"classes": 1}, "classes must be 2 or more, got 1"),
        ({"reach": -1.0}, "reach must be 0 or more, got -1.0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        SimulationSettings(**settings)
