"""Random but valid arguments for losses, one array each: ``(key, batch) -> array``."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

CLASSES = 3
FEATURES = 4
SIDE = 5
"""How many classes, features, and pixels along each side the examples have."""


def numbers(key: PRNGKeyArray, batch: int) -> Array:
    """Draws real numbers."""
    return jax.random.normal(key, (batch,))


def nonnegative(key: PRNGKeyArray, batch: int) -> Array:
    """Draws numbers above 0."""
    return jax.random.exponential(key, (batch,))


def fractions(key: PRNGKeyArray, batch: int) -> Array:
    """Draws numbers between 0 and 1."""
    return jax.random.uniform(key, (batch,), minval=0.02, maxval=0.98)


def bits(key: PRNGKeyArray, batch: int) -> Array:
    """Draws zeros and ones."""
    return jax.random.bernoulli(key, 0.5, (batch,)).astype(float)


def signs(key: PRNGKeyArray, batch: int) -> Array:
    """Draws -1 and 1."""
    return 2 * bits(key, batch) - 1


def rows(key: PRNGKeyArray, batch: int) -> Array:
    """Draws real vectors."""
    return jax.random.normal(key, (batch, FEATURES))


def nonnegative_rows(key: PRNGKeyArray, batch: int) -> Array:
    """Draws vectors of numbers above 0."""
    return jax.random.exponential(key, (batch, FEATURES))


def spreads(key: PRNGKeyArray, batch: int) -> Array:
    """Draws one standard deviation for each example, as a column."""
    return jax.random.uniform(key, (batch, 1), minval=0.2, maxval=2.0)


def logits(key: PRNGKeyArray, batch: int) -> Array:
    """Draws a real number for each class."""
    return 2 * jax.random.normal(key, (batch, CLASSES))


def log_probabilities(key: PRNGKeyArray, batch: int) -> Array:
    """Draws the logarithm of a distribution over the classes."""
    return jax.nn.log_softmax(logits(key, batch))


def distributions(key: PRNGKeyArray, batch: int) -> Array:
    """Draws a distribution over the classes."""
    return jax.nn.softmax(logits(key, batch))


def classes(key: PRNGKeyArray, batch: int) -> Array:
    """Draws class numbers; every class occurs when there are enough examples."""
    return jax.random.permutation(key, jnp.arange(batch) % CLASSES)


def one_hot(key: PRNGKeyArray, batch: int) -> Array:
    """Draws one-hot labels."""
    return jax.nn.one_hot(classes(key, batch), CLASSES)


def anchors(key: PRNGKeyArray, batch: int) -> Array:
    """Draws one vector for each class, whatever the batch."""
    del batch
    return jax.random.normal(key, (CLASSES, FEATURES))


def boxes(key: PRNGKeyArray, batch: int) -> Array:
    """Draws boxes of 10 to 30 pixels a side, most of which overlap."""
    corner_key, size_key = jax.random.split(key)
    corner = jax.random.uniform(corner_key, (batch, 2), maxval=15.0)
    size = jax.random.uniform(size_key, (batch, 2), minval=10.0, maxval=30.0)
    return jnp.concatenate([corner, corner + size], -1)


def maps(key: PRNGKeyArray, batch: int) -> Array:
    """Draws a logit for each pixel."""
    return 2 * jax.random.normal(key, (batch, SIDE, SIDE))


def masks(key: PRNGKeyArray, batch: int) -> Array:
    """Draws zeros and ones for pixels."""
    return jax.random.bernoulli(key, 0.5, (batch, SIDE, SIDE)).astype(float)
