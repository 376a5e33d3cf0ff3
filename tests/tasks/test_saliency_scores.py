"""Scores of saliency maps against hand values and the papers' formulas, pixel by pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.tasks import METRIC_NAMES, metric_named

NAMES = METRIC_NAMES["masks"]


SCORES = {name: jax.jit(metric_named(name, "masks").function) for name in NAMES}


def value(name: str, maps: np.ndarray, masks: np.ndarray) -> float:
    return float(SCORES[name](jnp.asarray(maps, jnp.float32), jnp.asarray(masks, jnp.float32)))


def f_measures(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Achanta et al., 2009, Eq. (6): from precision and recall at each of 256 thresholds."""
    curves = []
    for p, g in zip(maps, masks, strict=True):
        curve = []
        for level in range(256):
            found = np.floor(p * np.float32(255)) >= level
            hits = float(np.sum(found & (g > 0)))
            if not np.any(g) and not np.any(found):
                curve.append(1.0)
            elif hits == 0:
                curve.append(0.0)
            else:
                precision, recall = hits / np.sum(found), hits / np.sum(g)
                curve.append(1.3 * precision * recall / (0.3 * precision + recall))
        curves.append(curve)
    return np.mean(curves, axis=0)


def structure(p: np.ndarray, g: np.ndarray) -> float:
    """https://arxiv.org/abs/1708.00786, Eq. (1-11), with samples' deviations."""
    if g.mean() in (0, 1):
        return 1 - p.mean() if g.mean() == 0 else p.mean()

    def of_object(values: np.ndarray) -> float:
        deviation = values.std(ddof=1) if len(values) > 1 else 0.0
        return 2 * values.mean() / (values.mean() ** 2 + 1 + deviation)

    objects = g.mean() * of_object(p[g == 1]) + (1 - g.mean()) * of_object(1 - p[g == 0])
    rows, columns = np.nonzero(g)
    down, right = (int(np.floor(places.mean() + 1.5)) for places in (rows, columns))
    regions = 0.0
    for part in (
        (slice(down), slice(right)),
        (slice(down), slice(right, None)),
        (slice(down, None), slice(right)),
        (slice(down, None), slice(right, None)),
    ):
        x, y = p[part].ravel(), g[part].ravel()
        if not len(x):
            continue
        both = np.cov(x, y) if len(x) > 1 else np.zeros((2, 2))
        both[0] *= x.max() > x.min()
        both[1, 0] *= x.max() > x.min()
        below = (x.mean() ** 2 + y.mean() ** 2) * (both[0, 0] + both[1, 1])
        similar = 4 * x.mean() * y.mean() * both[0, 1] / below if below else 1.0
        regions += similar * len(x) / g.size
    return max(0.0, 0.5 * objects + 0.5 * regions)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Maps and masks among which are empty, full, constant, one-pixel and misplaced ones."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((8, 9, 7))
    for mask in masks:
        top, left = generator.integers(0, 6), generator.integers(0, 4)
        mask[top : top + generator.integers(1, 6), left : left + generator.integers(1, 5)] = 1
    noise = generator.normal(size=masks.shape)
    maps = 1 / (1 + np.exp(-(3 * masks - 1.5 + 1.5 * noise)))
    masks[0], masks[1], maps[2], maps[3], maps[4] = 0, 1, 0.3, 0.0, 1.0
    masks[5] = 0
    masks[5, 8, 6] = 1
    maps[6] = 1 - masks[6]
    maps[7] = masks[7]
    return maps.astype(np.float32), masks


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_the_formulas_of_the_papers(seed: int):
    maps, masks = drawn(seed)
    curve, exact = f_measures(maps, masks), maps.astype(float)
    np.testing.assert_allclose(value("max_f", maps, masks), curve.max(), rtol=1e-5)
    np.testing.assert_allclose(value("mean_f", maps, masks), curve.mean(), rtol=1e-5)
    np.testing.assert_allclose(
        value("mask_mae", maps, masks), np.abs(exact - masks).mean(), rtol=1e-5
    )
    for number, (p, g) in enumerate(zip(exact, masks, strict=True)):
        one = value("s_measure", maps[number : number + 1], masks[number : number + 1])
        np.testing.assert_allclose(one, structure(p, g), rtol=2e-5, atol=1e-6)
    expected = np.mean([structure(p, g) for p, g in zip(exact, masks, strict=True)])
    np.testing.assert_allclose(value("s_measure", maps, masks), expected, rtol=1e-5)


def test_values_by_hand():
    # Of four pixels two are of the object; the map finds one of them and one other at 0.8.
    mask = np.array([[[1.0, 1.0], [0.0, 0.0]]])
    found = np.array([[[0.8, 0.2], [0.8, 0.2]]])
    np.testing.assert_allclose(value("mask_mae", found, mask), (0.2 + 0.8 + 0.8 + 0.2) / 4, 1e-6)
    # From 52/255 to 204/255 precision and recall are a half; up to 51/255 all is found, so that
    # precision is a half and recall 1; beyond nothing is found.
    all_found = 1.3 * 0.5 / (0.3 * 0.5 + 1)
    np.testing.assert_allclose(value("max_f", found, mask), all_found, rtol=1e-6)
    mean = (52 * all_found + 153 * 0.5) / 256
    np.testing.assert_allclose(value("mean_f", found, mask), mean, rtol=1e-6)
    # The centroid lies in the first row, between the columns, so the parts are (counted with 2
    # columns) 1 x 2 above and 1 x 2 below, where the mask does not vary but the map does: 0.
    bright, dark = (2 * x / (x**2 + 1 + np.sqrt(0.18)) for x in (0.5, 0.5))
    expected = 0.5 * (0.5 * bright + 0.5 * dark)
    np.testing.assert_allclose(value("s_measure", found, mask), expected, rtol=1e-6)


def test_a_map_is_judged_as_it_is_and_not_stretched():
    mask = np.zeros((1, 4, 4))
    mask[0, :2] = 1
    timid = np.where(mask > 0, 0.3, 0.2)
    np.testing.assert_allclose(value("mask_mae", timid, mask), (0.7 + 0.2) / 2, rtol=1e-6)
    assert value("mean_f", timid, mask) < 0.3
    # Somewhere between both a threshold parts them.
    assert value("max_f", timid, mask) == 1


@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3, 1.0])
@pytest.mark.parametrize("share", ["none", "some", "all"])
def test_scores_are_defined_for_constant_maps_and_any_mask(constant: float, share: str):
    mask = np.full((1, 6, 6), 1.0 if share == "all" else 0.0)
    if share == "some":
        mask[0, 1:3, 2:5] = 1
    for name in NAMES:
        assert 0 <= value(name, np.full_like(mask, constant), mask) <= 1
    if share == "none":
        np.testing.assert_allclose(value("s_measure", mask + constant, mask), 1 - constant, 1e-6)
        # One threshold above the map, if there is one, finds nothing, which is right.
        assert value("max_f", mask + constant, mask) == (constant < 1)


def test_scores_of_many_networks_are_those_of_each():
    maps, masks = drawn(5)
    several = jnp.stack([jnp.asarray(maps), jnp.asarray(maps[::-1])])
    for name in NAMES:
        function = metric_named(name, "masks").function
        mapped = jax.jit(jax.vmap(function, in_axes=(0, None)))(several, jnp.asarray(masks))
        expected = [value(name, np.asarray(one), masks) for one in several]
        np.testing.assert_allclose(mapped, expected, rtol=1e-5)
        assert len(set(expected)) == 2
