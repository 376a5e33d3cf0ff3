"""Scores of saliency maps, in JAX: one number for all images, the mean over them.

Maps are probabilities and are judged as they are: an unsure network scores as one. Some toolboxes
(https://github.com/lartpang/PySODMetrics) first stretch each map to reach from 0 to 1, so their
numbers differ from these where maps do not. Every score is defined for constant maps and for masks
without an object.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

Maps = Float[Array, "images height width"]
Masks = Num[Array, "images height width"]
Plane = Float[Array, "height width"]
Score = Float[Array, ""]

THRESHOLDS = 256
"""Maps are cut at 0, 1/255, ..., 1, as maps of 8 bits are."""

_BETA_SQUARED = 0.3
"""Weighs precision above recall (Achanta et al., https://doi.org/10.1109/CVPR.2009.5206596)."""

_ALPHA = 0.5
"""Weight of the objects beside the regions (https://arxiv.org/abs/1708.00786, Section 3.3)."""


def mask_mae(maps: Maps, masks: Masks) -> Score:
    """Computes the mean absolute error of the pixels, 0 to 1."""
    return jnp.mean(jnp.abs(maps - masks.astype(maps.dtype)))


def max_f(maps: Maps, masks: Masks) -> Score:
    """Computes the largest F-measure over all thresholds, one threshold for all images, 0 to 1."""
    return jnp.max(f_curve(maps, masks))


def mean_f(maps: Maps, masks: Masks) -> Score:
    """Computes the mean F-measure over all thresholds, 0 to 1."""
    return jnp.mean(f_curve(maps, masks))


def f_curve(maps: Maps, masks: Masks) -> Float[Array, " thresholds"]:
    """Computes the F-measure at each threshold, its mean over the images.

    (1 + β²)·P·R/(β²·P + R) with β² = 0.3, where a pixel is found if its probability is at least the
    threshold. Where an image has no object, 1 if nothing is found, else 0.
    """
    levels = jnp.clip(jnp.floor(maps * (THRESHOLDS - 1)), 0, THRESHOLDS - 1).astype(jnp.int32)
    inside = (masks > 0.5).astype(maps.dtype)
    images = jnp.broadcast_to(jnp.arange(maps.shape[0])[:, None, None], levels.shape)

    def at_least(weights: Array) -> Float[Array, "images thresholds"]:
        counts = jnp.zeros((maps.shape[0], THRESHOLDS), maps.dtype).at[images, levels].add(weights)
        return jnp.cumsum(counts[:, ::-1], axis=1)[:, ::-1]

    hits, found = at_least(inside), at_least(jnp.ones_like(maps))
    # P = hits/found and R = hits/true leave one quotient.
    true = jnp.sum(inside, axis=(1, 2))[:, None]
    below = _BETA_SQUARED * true + found
    nothing = below == 0
    values = (1 + _BETA_SQUARED) * hits / jnp.where(nothing, 1.0, below)
    return jnp.mean(jnp.where(nothing, 1.0, values), axis=0)


def s_measure(maps: Maps, masks: Masks) -> Score:
    """Computes the structure measure, 0 to 1 (Fan et al., https://arxiv.org/abs/1708.00786).

    Half of it compares objects and background, half four regions around the objects' centroid.
    Where a formula leaves a case open, it is as in the authors' code
    (https://github.com/DengPingFan/S-measure): deviations are of samples, a region in which neither
    map nor mask varies counts as alike, and less than 0 is 0. Where an image has no object, it is 1
    less the mean of the map; where it is one object, the mean.
    """
    inside = masks > 0.5
    return jnp.mean(jax.vmap(_s_of_image)(maps, inside))


def _s_of_image(values: Plane, inside: Bool[Array, "height width"]) -> Score:
    share = jnp.mean(inside, dtype=values.dtype)
    of_objects = share * _object(values, inside) + (1 - share) * _object(1 - values, ~inside)
    # Eq. (11)
    both = _ALPHA * of_objects + (1 - _ALPHA) * _regions(values, inside)
    whole = jnp.mean(values)
    mixed = jnp.maximum(both, 0.0)
    return jnp.where(share == 0, 1 - whole, jnp.where(share == 1, whole, mixed))


def _object(values: Plane, where: Bool[Array, "height width"]) -> Score:
    """Eq. (9) and (10): how bright and even the map is inside of the object."""
    count = jnp.sum(where, dtype=values.dtype)
    mean = jnp.sum(values, where=where) / jnp.maximum(count, 1.0)
    squares = jnp.sum(jnp.square(values - mean), where=where)
    deviation = jnp.sqrt(squares / jnp.maximum(count - 1, 1.0))
    return 2 * mean / (jnp.square(mean) + 1 + deviation)


def _regions(values: Plane, inside: Bool[Array, "height width"]) -> Score:
    """Eq. (5): structural similarity of four regions, weighted by their areas."""
    height, width = values.shape
    rows = (jnp.arange(height) < _cut(jnp.sum(inside, 1, dtype=values.dtype)))[:, None]
    columns = (jnp.arange(width) < _cut(jnp.sum(inside, 0, dtype=values.dtype)))[None]
    parts = jnp.stack([rows & columns, rows & ~columns, ~rows & columns, ~rows & ~columns])
    similar = jax.vmap(lambda part: _similarity(values, inside.astype(values.dtype), part))(parts)
    return jnp.sum(similar * jnp.mean(parts, axis=(1, 2), dtype=values.dtype))


def _cut(counts: Float[Array, " places"]) -> Int[Array, ""]:
    """Finds how many places lie before the centroid, itself included; a half is rounded up."""
    numbers = jnp.arange(1, counts.shape[0] + 1).astype(counts.dtype)
    centroid = jnp.sum(numbers * counts) / jnp.maximum(jnp.sum(counts), 1.0)
    return jnp.floor(centroid + 0.5).astype(jnp.int32)


def _similarity(values: Plane, mask: Plane, where: Bool[Array, "height width"]) -> Score:
    """Eq. (4), for the pixels of one region; 1 if there are none."""
    count = jnp.sum(where, dtype=values.dtype)

    def moments(plane: Plane) -> tuple[Score, Plane]:
        mean = jnp.sum(plane, where=where) / jnp.maximum(count, 1.0)
        low = jnp.min(plane, where=where, initial=jnp.inf)
        high = jnp.max(plane, where=where, initial=-jnp.inf)
        # The mean of equal numbers is rounded, so that they would seem to vary.
        return mean, jnp.where(where & (high > low), plane - mean, 0.0)

    (x, from_x), (y, from_y) = moments(values), moments(mask)
    left = jnp.maximum(count - 1, 1.0)
    both = jnp.sum(from_x * from_y) / left
    spread = (jnp.sum(jnp.square(from_x)) + jnp.sum(jnp.square(from_y))) / left
    above = 4 * x * y * both
    below = (jnp.square(x) + jnp.square(y)) * spread
    quotient = above / jnp.where(below == 0, 1.0, below)
    return jnp.where(below == 0, 1.0, quotient)
