"""A cheap ranking of class and box losses: how good do predictions get that minimise the loss?

The second filter of CSE-Autoloss (https://arxiv.org/abs/2102.04700): model-optimisation
simulation. The paper ranks losses by accuracy or overlap on toy data; which data, and every number
here, is *assumed*. There is no network: the predictions themselves are the parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.convergence import BoxLoss, ClassLoss, random_boxes, shifted_boxes
from jaxloss.losses.boxes import areas


@dataclass(frozen=True)
class SimulationSettings:
    """How predictions are optimised; all *assumed*."""

    steps: int = 100
    """Adam steps on the predictions."""
    learning_rate: float = 0.03
    """Step size of that Adam: in logits, or in sides of the first predicted box."""
    examples: int = 100
    """Predictions that are optimised."""
    classes: int = 5
    """Classes of the toy data."""
    reach: float = 0.5
    """The longest way from a true box's centre to the first prediction's, in its sides. Most boxes
    overlap from the start, since a loss of intersection and union alone cannot move others."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps must be 1 or more, got {self.steps}")
        require(self.examples >= 1, f"examples must be 1 or more, got {self.examples}")
        require(self.classes >= 2, f"classes must be 2 or more, got {self.classes}")
        require(self.reach >= 0, f"reach must be 0 or more, got {self.reach}")
        require(self.learning_rate > 0, f"learning_rate must be above 0, got {self.learning_rate}")


def simulate_classes(
    key: PRNGKeyArray, values: ClassLoss, settings: SimulationSettings = SimulationSettings()
) -> Float[Array, ""]:
    """Optimises random logits under a class loss; pure, for ``jit`` and ``vmap``.

    Args:
        key: draws logits and labels; the same key scores every loss alike.
        values: ``(logits, one-hot labels) -> per-example values``.
        settings: sizes and step size.

    Returns:
        Accuracy afterwards, 0 to 1; minus infinity if anything is not finite.
    """
    shape = (settings.examples, settings.classes)
    start = jax.random.normal(named_key(key, "logits"), shape)
    right = jax.random.randint(named_key(key, "labels"), shape[:1], 0, settings.classes)
    labels = jax.nn.one_hot(right, settings.classes, dtype=start.dtype)

    def loss(logits: Float[Array, "examples classes"]) -> Float[Array, " examples"]:
        return values(logits, labels)

    logits = _optimised(loss, start, settings)
    hits = jnp.argmax(logits, axis=-1) == right
    return _score(jnp.mean(hits, dtype=logits.dtype), logits, loss(logits))


def simulate_boxes(
    key: PRNGKeyArray, values: BoxLoss, settings: SimulationSettings = SimulationSettings()
) -> Float[Array, ""]:
    """Optimises random boxes under a box loss; pure, for ``jit`` and ``vmap``.

    What is optimised is, as in detectors, the way of a box's centre in sides of the first box and
    the logarithm of its growth.

    Args:
        key: draws true and first boxes; the same key scores every loss alike.
        values: ``(intersection, union, enclosing) -> per-box values``, areas in squared pixels.
        settings: sizes and step size.

    Returns:
        Mean intersection over union afterwards, 0 to 1; minus infinity if anything is not finite.
    """
    targets = random_boxes(named_key(key, "targets"), settings.examples)
    first = shifted_boxes(named_key(key, "starts"), targets, settings.reach)
    centres, sides = (first[:, :2] + first[:, 2:]) / 2, first[:, 2:] - first[:, :2]

    def boxes(moves: Float[Array, "examples 4"]) -> Float[Array, "examples 4"]:
        centre, half = centres + moves[:, :2] * sides, sides * jnp.exp(moves[:, 2:]) / 2
        return jnp.concatenate([centre - half, centre + half], axis=1)

    def loss(moves: Float[Array, "examples 4"]) -> Float[Array, " examples"]:
        return values(*areas(boxes(moves), targets))

    moves = _optimised(loss, jnp.zeros_like(first), settings)
    intersection, union, _ = areas(boxes(moves), targets)
    return _score(jnp.mean(intersection / union), moves, loss(moves))


def _optimised(
    loss: Callable[[Array], Array],
    start: Float[Array, "examples size"],
    settings: SimulationSettings,
) -> Float[Array, "examples size"]:
    adam = optax.adam(settings.learning_rate)

    def step(carry: tuple[Array, optax.OptState], _: None) -> tuple[tuple, None]:
        predictions, state = carry
        gradient = jax.grad(lambda predictions: jnp.mean(loss(predictions)))(predictions)
        updates, state = adam.update(gradient, state)
        return (optax.apply_updates(predictions, updates), state), None

    (predictions, _), _ = jax.lax.scan(step, (start, adam.init(start)), None, settings.steps)
    return predictions


def _score(score: Float[Array, ""], *parts: Array) -> Float[Array, ""]:
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(part)) for part in parts]))
    return jnp.where(finite & jnp.isfinite(score), score, -jnp.inf)
