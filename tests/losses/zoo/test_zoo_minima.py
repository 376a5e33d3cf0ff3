"""The documented minimum of every loss that has one."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from jaxtyping import Array
from zoo_inputs import FEW, MANY, Inputs, drawn, evaluated, replaced

from jaxloss import InvalidInputError, zoo
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses.zoo import ZooLoss, draws

pytestmark = pytest.mark.usefixtures("float64")

FAR = 60.0
Best = tuple[Inputs, np.ndarray | float]


ANCHORS = 2.0 * math.sqrt(2.0) * np.eye(draws.CLASSES, draws.FEATURES)
"""4 apart."""


def area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def smoothed(labels: np.ndarray, top: float) -> np.ndarray:
    """Logits of a distribution with a given probability of the class, the others alike."""
    return np.log(np.where(labels > 0.5, top, (1 - top) / (labels.shape[-1] - 1)))


def entropy(distribution: list[float]) -> float:
    return float(np.sum(scipy.special.entr(distribution)))


def directions(count: int) -> np.ndarray:
    angles = 2 * math.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], -1)


def of_kind(kind: str, y: Inputs) -> Best:
    """The best predictions of most losses of a kind."""
    zeros, ones = np.zeros(MANY), np.ones(MANY)
    match kind:
        case "real" | "vectors" | "nonnegative" | "nonnegative_vectors" | "boxes" | "score":
            return (y[1],), 0.0
        case "logit" | "logits" | "mask" | "list" | "detections":
            return (FAR * (2 * y[1] - 1),), 0.0
        case "logits_and_classes":
            return (FAR * np.eye(draws.CLASSES)[y[1]],), 0.0
        case "log_probabilities_and_classes":
            return (scipy.special.log_softmax(FAR * np.eye(draws.CLASSES)[y[1]], -1),), 0.0
        case "log_probabilities":
            return (np.log(y[1]),), 0.0
        case "energies":
            return (FAR * (1 - y[1]),), 0.0
        case "critic":
            return (FAR * ones, -FAR * ones), 0.0
        case "samples":
            return (FAR * ones,), 0.0
        case "pair":
            return (y[2], zeros), 0.0
        case "pair_probability":
            entropies = [entropy([p, 1 - p]) for p in y[2].tolist()]
            return (np.log(y[2]) - np.log1p(-y[2]), zeros), np.array(entropies)
        case "embedding_pair":
            away = np.where(y[2][:, None] > 0.5, y[0], y[0] + 1)
            return (y[0], away), 0.0
        case "triplet":
            return (y[0], y[0], y[0] + 1), 0.0
        case "positive_pairs":
            return (50 * directions(FEW), 50 * directions(FEW)), 0.0
        case "labelled":
            unit = directions(draws.CLASSES)[y[1]]
            # Every positive pair has the other classes' examples at a cosine of -1/2.
            return (unit,), math.log(1 + FEW * 2 / 3 * math.exp(-1.5 / 0.07))
        case "anchored":
            return (ANCHORS[y[1]], ANCHORS), 0.0
        case "anchors":
            return (ANCHORS,), 0.0
        case "autoencoder":
            return (y[1], np.zeros_like(y[2]), np.zeros_like(y[3])), 0.0
        case "noised":
            return (-y[1] / y[2],), 0.0
    raise InvalidInputError(f"no minimum is known for {kind}")


def best(entry: ZooLoss, y: Inputs) -> Best:
    """The documented place of the minimum and the value there."""
    ones = np.ones(MANY)
    match entry.name:
        case "label_smoothing" | "sparse_lsr":
            top = 0.9 + 0.1 / 3
            return (smoothed(y[1], top),), entropy([top, 0.1 / 3, 0.1 / 3])
        case "absolute_cross_entropy":
            return (smoothed(y[1], 1 / 1.1),), 0.0
        case "baikal":
            top = 1 / math.sqrt(3)
            cost = math.log(top) + 2 * math.log((1 - top) / 2) - 1 / top
            return (smoothed(y[1], top),), -cost / 3
        case "xtreme_margin":
            return (y[1],), 0.5
        case "listnet":
            soft = entropy(list(np.exp([1, 0, 0]) / np.sum(np.exp([1, 0, 0]))))
            return (y[1],), soft
        case "listmle":
            # Of the irrelevant items, the order given counts.
            return (FAR * (10 * y[1] - np.arange(3.0)[None]),), 0.0
        case "cse_a_box":
            return (y[1],), -2 / area(y[1])
        case "cse_b_box":
            a = area(y[1])
            return (y[1],), -3 * (a**2 + 6 * a + 6) / (a**2 + 5 * a)
        case "lsgan_discriminator":
            return (ones, 0 * ones), 0.0
        case "lsgan_generator":
            return (ones,), 0.0
        case "energy_hinge" | "square_square":
            return (1 - y[1],), 0.0
    return of_kind(entry.kind, y)


BOUNDED_BELOW = [name for name, loss in zoo.ZOO.items() if "unbounded_below" not in loss.properties]


@pytest.mark.parametrize("name", BOUNDED_BELOW)
def test_the_documented_minimum_is_one(name: str):
    entry = zoo.get(name)
    inputs = drawn(entry.kind)
    if entry.kind == "detections":
        inputs = (*inputs[:2], np.ones(MANY))
    predictions, least = best(entry, inputs)
    found = evaluated(name, *replaced(entry, inputs, *predictions))[0]
    np.testing.assert_allclose(found, np.broadcast_to(least, found.shape), rtol=1e-9, atol=1e-9)
    for others in elsewhere(entry, inputs, predictions):
        assert np.all(evaluated(name, *replaced(entry, inputs, *others))[0] >= found - 1e-9)


def elsewhere(entry: ZooLoss, inputs: Inputs, best: Inputs) -> list[Inputs]:
    """Other valid predictions, near the best and far from it."""
    shuffled = [inputs[place][::-1] for place in entry.inputs.predictions]
    if entry.kind.startswith(("boxes", "log_probabilities", "probability")):
        return [tuple(shuffled)]
    away = [tuple(scale * part for part in shuffled) for scale in (0.1, 1.0, 10.0)]
    signs = (1.0,) if entry.kind.startswith("nonnegative") else (1.0, -1.0)
    return away + [
        tuple(place + step * sign * part for place, part in zip(best, shuffled, strict=True))
        for step in (0.01, 0.3)
        for sign in signs
    ]


def test_losses_without_a_minimum_say_so():
    for entry in zoo.select(properties=frozenset({"unbounded_below"})):
        assert entry.minimum.startswith("none")


LABEL = np.array([0.0, 1.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def slope_of() -> Callable[[str, float, np.ndarray], tuple[float, np.ndarray]]:
    """Makes ``(loss, parameter, logits) -> value, gradient``, for the label of four classes."""

    def of(name: str) -> Callable[..., Array]:
        return zoo.get(name).function

    def program(number: Array, logits: Array) -> dict[str, Any]:
        losses: dict[str, Callable[[Array], Array]] = {
            "label_smoothing": lambda x: of("label_smoothing")(x, LABEL, xi=number),
            "sparse_lsr": lambda x: of("sparse_lsr")(x, LABEL, xi=number),
            "absolute_cross_entropy": lambda x: of("ace")(x, LABEL, phi_1=number),
        }
        return {name: jax.value_and_grad(loss)(logits) for name, loss in losses.items()}

    compiled = jit_brief(program)

    def slope(name: str, number: float, logits: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = compiled(number, logits)[name]
        return float(value), np.asarray(gradient)

    return slope


def least_probability(slope: Callable[..., Any], loss: str, number: float) -> float:
    """The class's probability where a loss is least, found by descent."""
    start = np.array([0.3, -0.2, 0.1, 0.0])
    found = scipy.optimize.minimize(
        lambda logits: slope(loss, number, logits), start, jac=True, method="BFGS", tol=1e-10
    )
    return float(scipy.special.softmax(found.x)[1])


@pytest.mark.parametrize("xi", [0.1, 0.3])
def test_sparse_lsr_has_the_optimum_of_label_smoothing(slope_of: Any, xi: float):
    # 1 − ξ + ξ/C, the smoothed label itself.
    expected = 1 - xi + xi / 4
    for loss in ("label_smoothing", "sparse_lsr"):
        assert least_probability(slope_of, loss, xi) == pytest.approx(expected, abs=1e-5)


def test_sparse_lsr_without_smoothing_is_cross_entropy(slope_of: Any):
    logits = np.array([0.3, -2.0, 1.0, 0.0])
    expected = -scipy.special.log_softmax(logits)[1]
    assert slope_of("sparse_lsr", 0.0, logits)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("phi_1", [1.1, 1.5])
def test_absolute_cross_entropy_is_least_at_one_over_phi(slope_of: Any, phi_1: float):
    def cost(p: float) -> float:
        return slope_of("absolute_cross_entropy", phi_1, smoothed(LABEL, p))[0]

    found = scipy.optimize.minimize_scalar(cost, bounds=(0.3, 0.999), method="bounded")
    assert float(found.x) == pytest.approx(1 / phi_1, abs=1e-4)
    # The smoothing that this amounts to: label smoothing's optimum is 1 − ξ(C − 1)/C.
    xi = 4 / 3 * (1 - 1 / phi_1)
    least = least_probability(slope_of, "label_smoothing", xi)
    assert least == pytest.approx(1 / phi_1, abs=1e-5)


def _barron(*inputs: Array) -> tuple[Array, tuple[Array, ...]]:
    slopes = jax.grad(lambda *inputs: jnp.sum(zoo.barron(*inputs)), (2, 3))(*inputs)
    return zoo.barron(*inputs), slopes


BARRON = jit_brief(_barron)


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (2.0, lambda r: r**2 / 2),
        (2.0 + 1e-7, lambda r: r**2 / 2),
        (1.0, lambda r: np.sqrt(r**2 + 1) - 1),
        (0.0, lambda r: np.log(r**2 / 2 + 1)),
        (-2.0, lambda r: 2 * r**2 / (r**2 + 4)),
    ],
)
def test_barron_has_its_known_members(alpha: float, expected):
    # https://arxiv.org/abs/1701.03077, Eqs. (2-4), (8).
    residual = np.array([0.0, 1e-3, 0.5, -2.0, 30.0])
    found, slopes = BARRON(1.5 * residual, 0 * residual, alpha, 1.5)
    np.testing.assert_allclose(found, expected(residual), rtol=3e-4)
    assert np.all(np.isfinite(slopes))


def test_gan_discriminator_at_the_equilibrium():
    found = evaluated("gan_discriminator", np.zeros(MANY), np.zeros(MANY))[0]
    np.testing.assert_allclose(found, 2 * math.log(2))


def test_initial_anchors_are_exactly_apart():
    anchors = np.asarray(zoo.initial_anchors(3, 4, margin=2.0))
    np.testing.assert_allclose(anchors, ANCHORS)
    distances = np.linalg.norm(anchors[:, None] - anchors[None], axis=-1)
    np.testing.assert_allclose(distances[~np.eye(3, dtype=bool)], 4.0)
    with pytest.raises(InvalidInputError, match="as many features"):
        zoo.initial_anchors(5, 4)
