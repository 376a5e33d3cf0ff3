"""Findings about losses of the zoo that compare no predictions with targets, by random inputs.

GANs, embeddings, rankings, masks: what they take is drawn, and the predictions among it are scaled.
"""

import itertools
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.bench import DRAWS, Bench, Found, Inputs
from jaxloss.losses.card.curves import Curve, Curves
from jaxloss.losses.card.finding import Finding, written
from jaxloss.losses.card.relatives import Relative, gradient_distance
from jaxloss.losses.zoo import ZOO

_SCALES = (1e-3, 1.0, 10.0, 1e3)
_LARGE = 1e4
"""How far single precision has to do."""
_PLACES = 61
_REACH = 3.0
_SHOWN = 3


def structured_findings(bench: Bench) -> tuple[Finding, ...]:
    """Says what random inputs tell of a loss, in double precision."""
    found = {scale: bench(bench.scaled(scale)) for scale in _SCALES}
    return (
        _lowest(bench, found),
        _endless(bench),
        _convex(bench),
        _bounded(bench),
        _bounded_gradient(bench),
        _flat(bench, found),
    )


def _scales() -> str:
    return f"predictions times {', '.join(written(scale) for scale in _SCALES)}"


def _lowest(bench: Bench, found: Mapping[float, Found]) -> Finding:
    values = np.concatenate(
        [one.values.ravel() for one in found.values()]
        + [bench(inputs).values.ravel() for inputs in _alone(bench, 1e3)]
    )
    least = float(np.nanmin(values))
    return Finding(
        "nonnegative",
        "Is it never below 0?",
        f"The least value seen is {written(least)}.",
        f"{bench.how}, {_scales()}",
        holds=least >= -1e-9,
    )


def _alone(bench: Bench, scale: float) -> list[Inputs]:
    """The drawn inputs with one prediction scaled at a time."""
    return [
        tuple(scale * part if place == at else part for place, part in enumerate(bench.drawn))
        for at in bench.places
    ]


def _endless(bench: Bench) -> Finding:
    scales = (1e2, 1e4, 1e6)
    least = [
        min(float(np.nanmin(bench(inputs).values)) for inputs in _alone(bench, scale))
        for scale in scales
    ]
    holds = least[0] < -1 and least[1] < 10 * least[0] and least[2] < 10 * least[1]
    return Finding(
        "unbounded_below",
        "Does it fall without end?",
        f"It is unbounded below: {written(least[-1])} and falling on with one prediction 1e6 times "
        "as large. Something else has to hold the training, as the other side of a game does."
        if holds
        else f"The least value seen there is {written(min(least))}.",
        f"{bench.how}, one prediction times 100, 1e4 and 1e6",
        holds=holds,
    )


def _convex(bench: Bench) -> Finding:
    """Compares the middle of two draws with the mean of their values."""
    worst, words = 0.0, None
    for scale, shift, apart in itertools.product((1.0, 4.0), (0.0, -4.0), (1, 3, 4)):
        ends = [scale * bench.drawn[place] + shift for place in bench.places]
        others = [np.roll(end, apart, axis=0) for end in ends]
        middles = [(a + b) / 2 for a, b in zip(ends, others, strict=True)]
        low, high, half = (bench(bench.replaced(*part)).values for part in (ends, others, middles))
        excess = half - (low + high) / 2
        size = 1 + np.abs(low) + np.abs(high)
        relative = np.where(excess > 1e-9 * size, excess / size, 0.0)
        place = np.unravel_index(np.argmax(relative), relative.shape)
        if relative[place] > worst:
            worst = float(relative[place])
            words = (
                f"{written(half[place])} in the middle of {written(low[place])} and "
                f"{written(high[place])}"
            )
    return Finding(
        "convex",
        "Is it convex in the predictions?",
        "No counterexample to convexity."
        if words is None
        else "Somewhere it lies above the straight line between two of its points.",
        f"the middle of two draws against their mean, {bench.how}, predictions times 1 and 4, "
        "shifted by 0 and -4",
        holds=words is None,
        counterexample=words,
    )


def _bounded(bench: Bench) -> Finding:
    near, far = (float(np.max(np.abs(bench(bench.scaled(scale)).values))) for scale in (1e3, 1e6))
    holds = bool(np.isfinite(far) and far <= 1.01 * near + 1e-9)
    return Finding(
        "bounded",
        "Do its values stay within bounds?",
        f"The largest size seen is {written(max(near, far))}."
        if holds
        else f"Its size reaches {written(near)}, then {written(far)}.",
        f"{bench.how}, predictions times 1000 and 1e6",
        holds=holds,
    )


def _steepest(found: Found) -> float:
    return max(float(np.max(np.abs(part))) for part in found.gradients)


def _bounded_gradient(bench: Bench) -> Finding:
    scales = (1e-4, 10.0, 1e2, 1e5)
    usual = _steepest(bench(bench.scaled(1.0)))
    most = max(_steepest(bench(bench.scaled(scale))) for scale in scales)
    holds = most <= 10 * max(usual, 0.1)
    return Finding(
        "bounded_gradient",
        "Is its gradient bounded?",
        f"The largest derivative seen is {written(max(most, usual))}."
        if holds
        else f"It reaches {written(most)}, against {written(usual)} on the examples as drawn.",
        f"{bench.how}, predictions times 1e-4 to 1e5",
        holds=holds,
    )


def _flat(bench: Bench, found: Mapping[float, Found]) -> Finding:
    holds = not any(_steepest(one) for one in found.values())
    return Finding(
        "flat",
        "Is its gradient 0 everywhere?",
        "Nothing can be trained with it." if holds else "It has a gradient to train with.",
        f"{bench.how}, {_scales()}",
        holds=holds,
    )


def structured_hazard(bench: Bench) -> Finding:
    """Says whether single precision does for a loss."""
    scales = (0.0, *_SCALES, _LARGE)
    bad = [
        scale
        for scale in scales
        if not all(
            np.all(np.isfinite(part))
            for part in (lambda one: (one.values, *one.gradients))(
                bench(bench.scaled(scale), double=False)
            )
        )
    ]
    return Finding(
        "single_precision",
        "Is it safe in single precision?",
        "Values and gradients are finite."
        if not bad
        else f"No finite value or gradient with predictions times {written(bad[0])}.",
        f"float32 {bench.how}, predictions times 0 and 1e-3 to 1e4",
        holds=not bad,
    )


def way_curves(bench: Bench) -> Curves:
    """Draws the values of a few examples as all their predictions are scaled."""
    scales = np.linspace(-_REACH, _REACH, _PLACES)
    values = np.stack([_first(bench, scale) for scale in scales])
    return Curves(
        "factor of the predictions, which are random",
        "that factor",
        tuple(
            Curve(f"example {number + 1}", scales, row, np.gradient(row, scales))
            for number, row in enumerate(values.T)
        ),
    )


def _first(bench: Bench, scale: float) -> Float[np.ndarray, " examples"]:
    values = bench(bench.scaled(scale)).values
    return np.atleast_1d(values[0].reshape(-1) if values.ndim > 1 else values[:_SHOWN])[:_SHOWN]


def structured_relatives(bench: Bench) -> tuple[Relative, ...]:
    """Orders the losses of the same arguments by the distance of gradients, nearest first."""
    mine, entry = _pushes(bench), bench.entry
    found = list[Relative]()
    for other in ZOO.values():
        if other.kind == entry.kind and other.name != entry.name:
            distance = gradient_distance(mine, _pushes(Bench(other, {})))
            found += [Relative(other.name, distance)] if np.isfinite(distance) else []
    return tuple(sorted(found, key=lambda relative: relative.distance))


def _pushes(bench: Bench) -> Float[np.ndarray, "draws width"]:
    found = bench(bench.drawn)
    return np.concatenate([part.reshape(DRAWS, -1) for part in found.gradients], axis=1)
