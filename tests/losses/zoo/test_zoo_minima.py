"""The documented minimum of every loss that has one."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from jaxtyping import Array
from zoo_inputs import FEW, MANY, drawn, program, replaced

from jaxloss import InvalidInputError, zoo
from jaxloss.losses.zoo import ZooLoss, draws

pytestmark = pytest.mark.usefixtures("float64")

FAR = 60.0
Best = tuple[tuple[Array, ...], Array | float]


def smoothed(labels: Array, top: float) -> Array:
    """Logits of a distribution with a given probability of the class, the others alike."""
    return jnp.log(jnp.where(labels > 0.5, top, (1 - top) / (labels.shape[-1] - 1)))


def entropy(distribution: list[float]) -> float:
    return float(np.sum(scipy.special.entr(distribution)))


def directions(count: int) -> Array:
    angles = 2 * math.pi * jnp.arange(count) / count
    return jnp.stack([jnp.cos(angles), jnp.sin(angles), 0 * angles, 0 * angles], -1)


def of_kind(kind: str, y: tuple[Array, ...]) -> Best:
    """The best predictions of most losses of a kind."""
    zeros, ones = jnp.zeros(MANY), jnp.ones(MANY)
    match kind:
        case "real" | "vectors" | "nonnegative" | "nonnegative_vectors" | "boxes" | "score":
            return (y[1],), 0.0
        case "logit" | "logits" | "mask" | "list" | "detections":
            return (FAR * (2 * y[1] - 1),), 0.0
        case "logits_and_classes":
            return (FAR * jax.nn.one_hot(y[1], draws.CLASSES),), 0.0
        case "log_probabilities_and_classes":
            return (jax.nn.log_softmax(FAR * jax.nn.one_hot(y[1], draws.CLASSES)),), 0.0
        case "log_probabilities":
            return (jnp.log(y[1]),), 0.0
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
            return (jnp.log(y[2]) - jnp.log1p(-y[2]), zeros), jnp.array(entropies)
        case "embedding_pair":
            away = jnp.where(y[2][:, None] > 0.5, y[0], y[0] + 1)
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
            anchors = zoo.initial_anchors(draws.CLASSES, draws.FEATURES)
            return (anchors[y[1]], anchors), 0.0
        case "anchors":
            return (zoo.initial_anchors(draws.CLASSES, draws.FEATURES),), 0.0
        case "autoencoder":
            return (y[1], jnp.zeros_like(y[2]), jnp.zeros_like(y[3])), 0.0
        case "noised":
            return (-y[1] / y[2],), 0.0
    raise InvalidInputError(f"no minimum is known for {kind}")


def best(entry: ZooLoss, y: tuple[Array, ...]) -> Best:
    """The documented place of the minimum and the value there."""
    ones = jnp.ones(MANY)
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
            return (FAR * (10 * y[1] - jnp.arange(3.0)[None]),), 0.0
        case "cse_a_box":
            return (y[1],), -2 / zoo.areas(y[1], y[1]).union
        case "cse_b_box":
            a = zoo.areas(y[1], y[1]).union
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
        inputs = (*inputs[:2], jnp.ones(MANY))
    predictions, least = best(entry, inputs)
    value = functools.partial(of_program, name)
    found = value(*replaced(entry, inputs, *predictions))
    np.testing.assert_allclose(found, jnp.broadcast_to(least, found.shape), rtol=1e-9, atol=1e-9)
    for others in elsewhere(entry, inputs, predictions):
        assert np.all(value(*replaced(entry, inputs, *others)) >= found - 1e-9)


def of_program(name: str, *inputs: Array) -> Array:
    return program(name)(*inputs)[0]


def elsewhere(
    entry: ZooLoss, inputs: tuple[Array, ...], best: tuple[Array, ...]
) -> list[tuple[Array, ...]]:
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


def least_probability(loss: str, **parameters: float) -> float:
    """The class's probability where a loss of four classes is least, found by descent."""
    function = zoo.get(loss).bind(**parameters)
    label = jnp.array([0.0, 1.0, 0.0, 0.0])
    slope = jax.jit(jax.value_and_grad(lambda logits: function(logits, label)))

    def both(logits: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = slope(jnp.asarray(logits))
        return float(value), np.asarray(gradient, np.float64)

    start = np.array([0.3, -0.2, 0.1, 0.0])
    found = scipy.optimize.minimize(both, start, jac=True, method="BFGS", tol=1e-10)
    return float(jax.nn.softmax(jnp.asarray(found.x))[1])


@pytest.mark.parametrize("xi", [0.1, 0.3])
def test_sparse_lsr_has_the_optimum_of_label_smoothing(xi: float):
    # 1 − ξ + ξ/C, the smoothed label itself.
    expected = 1 - xi + xi / 4
    assert least_probability("label_smoothing", xi=xi) == pytest.approx(expected, abs=1e-5)
    assert least_probability("sparse_lsr", xi=xi) == pytest.approx(expected, abs=1e-5)


def test_sparse_lsr_without_smoothing_is_cross_entropy():
    logits, labels = drawn("logits")
    found = jax.jit(zoo.sparse_label_smoothing)(logits, labels, xi=0.0)
    np.testing.assert_allclose(found, zoo.cross_entropy(logits, labels), rtol=1e-12)


@pytest.mark.parametrize("phi_1", [1.1, 1.5])
def test_absolute_cross_entropy_is_least_at_one_over_phi(phi_1: float):
    loss = zoo.get("absolute_cross_entropy").bind(phi_1=phi_1)
    label = jnp.array([0.0, 1.0, 0.0, 0.0])

    def cost(p: float) -> float:
        return float(loss(smoothed(label, p), label))

    found = scipy.optimize.minimize_scalar(cost, bounds=(0.3, 0.999), method="bounded")
    assert float(found.x) == pytest.approx(1 / phi_1, abs=1e-4)
    # The smoothing that this amounts to: label smoothing's optimum is 1 − ξ(C − 1)/C.
    xi = 4 / 3 * (1 - 1 / phi_1)
    assert least_probability("label_smoothing", xi=xi) == pytest.approx(1 / phi_1, abs=1e-5)


BARRON_SLOPES = jax.jit(jax.grad(lambda *inputs: jnp.sum(zoo.barron(*inputs)), (2, 3)))


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
    residual = jnp.array([0.0, 1e-3, 0.5, -2.0, 30.0])
    found = jax.jit(zoo.barron)(1.5 * residual, 0 * residual, alpha, 1.5)
    np.testing.assert_allclose(found, expected(np.asarray(residual)), rtol=3e-4)
    assert np.all(np.isfinite(BARRON_SLOPES(1.5 * residual, 0 * residual, alpha, 1.5)))


def test_gan_discriminator_at_the_equilibrium():
    assert float(zoo.gan_discriminator(jnp.zeros(1), jnp.zeros(1))[0]) == pytest.approx(
        2 * math.log(2)
    )


def test_initial_anchors_are_exactly_apart():
    anchors = zoo.initial_anchors(3, 4, margin=2.0)
    distances = np.linalg.norm(anchors[:, None] - anchors[None], axis=-1)
    np.testing.assert_allclose(distances[~np.eye(3, dtype=bool)], 4.0)
    with pytest.raises(InvalidInputError, match="as many features"):
        zoo.initial_anchors(5, 4)
