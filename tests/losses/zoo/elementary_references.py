"""Independent values of regression, margin and probabilistic losses."""

import math
from typing import Any

import numpy as np
import scipy.special
import sklearn.metrics
from sklearn.metrics.pairwise import cosine_distances
from zoo_reference import Reference, dot, minus, mp, norm, sigmoid, softmax

SURVEY = "formula of https://arxiv.org/abs/2301.05579 in 30 digits"


def right(f: Any, y: Any) -> Any:
    """The probability of the true class."""
    return softmax(f)[int(np.argmax(y))]


def piecewise_hinge(z: float) -> float:
    return 0.0 if z >= 1 else 0.5 * (1 - z) ** 2 if z > 0 else 0.5 - z


def quadratic_hinge(z: float, gamma: float) -> float:
    return max(0, 1 - z) ** 2 / (2 * gamma) if z >= 1 - gamma else 1 - gamma / 2 - z


def sparse_lsr(f: Any, y: Any, xi: float = 0.1) -> Any:
    p, classes = right(f, y), len(f)
    first = (1 - xi + mp.mpf(xi) / classes) * mp.log(p)
    return -(first + mp.mpf(xi) * (classes - 1) / classes * mp.log((1 - p) / (classes - 1)))


def smoothed(f: Any, y: Any, xi: float = 0.1) -> Any:
    return -sum(
        ((1 - xi) * t + mp.mpf(xi) / len(f)) * mp.log(p) for p, t in zip(softmax(f), y, strict=True)
    )


def symmetric(f: Any, y: Any) -> Any:
    reverse = -sum(p * (mp.log(t) if t > 0 else -4) for p, t in zip(softmax(f), y, strict=True))
    return -mp.log(right(f, y)) / 10 + reverse


def focal(x: float, y: float) -> Any:
    p = sigmoid(x) if y == 1 else 1 - sigmoid(x)
    return -((1 - p) ** 2) * mp.log(p)


def xtreme(t: float, y: float) -> float:
    wrong = (t < 0.5) if y == 1 else (t >= 0.5)
    return math.e * abs(t - y) if wrong else 1 / (1 + (2 * t - 1) ** 2)


def element(source: str, function: Any) -> Reference:
    return Reference(source, "element", function)


def example(source: str, function: Any) -> Reference:
    return Reference(source, "example", function)


def of_lists(metric: Any) -> Any:
    """A metric of scikit-learn, which takes targets first, on one prediction."""
    return lambda f, y: metric([y], [f])


REFERENCES: dict[str, Reference] = {
    "mbe": element(SURVEY, lambda f, y: f - y),
    "mae": element("scikit-learn", of_lists(sklearn.metrics.mean_absolute_error)),
    "mse": element("scikit-learn", of_lists(sklearn.metrics.mean_squared_error)),
    "rmse": example("scikit-learn", lambda f, y: sklearn.metrics.root_mean_squared_error(y, f)),
    "msle": element("scikit-learn", of_lists(sklearn.metrics.mean_squared_log_error)),
    "rmsle": example(
        "scikit-learn", lambda f, y: sklearn.metrics.root_mean_squared_log_error(y, f)
    ),
    "huber": element("scipy", lambda f, y: scipy.special.huber(1.0, f - y)),
    "smooth_l1": element(
        "https://arxiv.org/abs/1504.08083, Eq. (3)",
        lambda f, y: 0.5 * (f - y) ** 2 if abs(f - y) < 1 else abs(f - y) - 0.5,
    ),
    "log_cosh": element(SURVEY, lambda f, y: mp.log(mp.cosh(f - y))),
    "quantile": element(
        "scikit-learn", lambda f, y: sklearn.metrics.mean_pinball_loss([y], [f], alpha=0.5)
    ),
    "barron": element("scipy", lambda f, y: scipy.special.pseudo_huber(1.0, f - y)),
    "zero_one": element(
        "scikit-learn", lambda s, y: sklearn.metrics.zero_one_loss([y], [math.copysign(1, s)])
    ),
    "hinge": element(
        # It wants both classes; the mirrored example has the same margin.
        "scikit-learn",
        lambda s, y: sklearn.metrics.hinge_loss([y, -y], [s, -s]),
    ),
    "squared_hinge": element(SURVEY, lambda s, y: max(0, 1 - y * s) ** 2),
    "perceptron": element(SURVEY, lambda s, y: -y * s if y * s < 0 else 0.0),
    "smoothed_hinge": element(SURVEY, lambda s, y: piecewise_hinge(y * s)),
    "quadratically_smoothed_hinge": element(SURVEY, lambda s, y: quadratic_hinge(y * s, 2.0)),
    "modified_huber": element(
        "https://doi.org/10.1145/1015330.1015332",
        lambda s, y: max(0, 1 - y * s) ** 2 if y * s >= -1 else -4 * y * s,
    ),
    "ramp": element(SURVEY, lambda s, y: min(1, max(0, 1 - y * s))),
    "cosine": example(
        "scikit-learn",
        lambda f, y: cosine_distances([f], [y])[0, 0],
    ),
    "multiclass_hinge": example(
        "https://www.jmlr.org/papers/v2/crammer01a.html, Eq. (5)",
        lambda s, y: max(s[k] + (k != y) for k in range(len(s))) - s[y],
    ),
    "multiclass_perceptron": example(
        "https://doi.org/10.3115/1118693.1118694", lambda s, y: max(s) - s[y]
    ),
    "binary_cross_entropy": element(
        "scikit-learn",
        lambda x, y: sklearn.metrics.log_loss([y], [float(sigmoid(x))], labels=[0, 1]),
    ),
    "cross_entropy": example("scipy", lambda x, y: -np.dot(y, scipy.special.log_softmax(x))),
    "sparse_cross_entropy": example(
        "scikit-learn",
        lambda x, y: sklearn.metrics.log_loss([y], [scipy.special.softmax(x)], labels=[0, 1, 2]),
    ),
    "nll": example(
        "scikit-learn",
        lambda x, y: sklearn.metrics.log_loss([y], [scipy.special.softmax(x)], labels=[0, 1, 2]),
    ),
    "kl": example("scipy", lambda x, y: np.sum(scipy.special.rel_entr(y, np.exp(x)))),
    "focal": element("https://arxiv.org/abs/1708.02002, Eq. (4), in 30 digits", focal),
    "poly1": example(
        "https://arxiv.org/abs/2204.12511, Eq. (6), in 30 digits",
        lambda f, y: -mp.log(right(f, y)) + 2 * (1 - right(f, y)),
    ),
    "label_smoothing": example("https://arxiv.org/abs/1512.00567, in 30 digits", smoothed),
    "xtreme_margin": element("https://arxiv.org/abs/2211.00176", xtreme),
    "generalized_cross_entropy": example(
        "https://arxiv.org/abs/1805.07836, Eq. (6), in 30 digits",
        lambda f, y: (1 - right(f, y) ** mp.mpf(0.7)) / mp.mpf(0.7),
    ),
    "symmetric_cross_entropy": example(
        "https://arxiv.org/abs/1908.06112, Eq. (7), in 30 digits", symmetric
    ),
    "sparse_lsr": example("https://arxiv.org/abs/2406.09713, in 30 digits", sparse_lsr),
    "absolute_cross_entropy": example(
        "https://arxiv.org/abs/2209.08907, in 30 digits",
        lambda f, y: abs(mp.log(mp.mpf(1.1) * right(f, y))),
    ),
    "baikal": example(
        "https://arxiv.org/abs/1905.11528, Eq. (1), in 30 digits",
        lambda f, y: -sum(mp.log(p) - t / p for p, t in zip(softmax(f), y, strict=True)) / len(f),
    ),
    "reconstruction": example(
        "https://arxiv.org/abs/2301.05579 in 30 digits",
        lambda f, y: dot(minus(f, y), minus(f, y)) / 2,
    ),
    "ddpm": example("scikit-learn", lambda f, y: sklearn.metrics.mean_squared_error(y, f)),
    "denoising_score_matching": example(
        "https://arxiv.org/abs/1907.05600, Eq. (5) with weight σ², in 30 digits",
        lambda s, e, level: (
            level[0] ** 2 * norm([v + w / level[0] for v, w in zip(s, e, strict=True)]) ** 2 / 2
        ),
    ),
}
