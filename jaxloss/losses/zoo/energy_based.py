"""Energy-based losses: the right answer's energy E against the lowest energy Ē of a wrong one.

Paper: A Tutorial on Energy-Based Learning,
http://yann.lecun.com/exdb/publis/pdf/lecun-06.pdf, Section 2.2. All take energies of every answer
and the right answer as one-hot; ``where`` names the answers that may be given. A network's logits
are energies with the sign turned round.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.losses.arrays import fitted
from jaxloss.losses.zoo.arrays import Where, kept_pair, total
from jaxloss.losses.zoo.entry import Branch, Parameter, ZooLoss
from jaxloss.losses.zoo.formulas import answers, at_temperature_one
from jaxloss.losses.zoo.writing import ExpressionForm, times

Energies = Float[Array, "..."]

_TUTORIAL = "http://yann.lecun.com/exdb/publis/pdf/lecun-06.pdf"
_STEEPEST = 40.0
"""Exponents beyond it go on along the tangent, so that no finite energy overflows."""


def _right(energies: Energies, answers: Energies, axis: int, where: Where) -> Energies:
    energies, answers = kept_pair(energies, answers, where)
    return jnp.sum(answers * energies, axis)


def _lowest(energies: Energies, axis: int, where: Where) -> Energies:
    return jnp.min(energies, axis, where=where, initial=jnp.finfo(energies.dtype).max)


def _both(
    energies: Energies, answers: Energies, axis: int, where: Where
) -> tuple[Energies, Energies]:
    wrong = fitted(energies, answers) < 0.5
    wrong = wrong if where is None else wrong & where
    return _right(energies, answers, axis, where), _lowest(energies, axis, wrong)


def energy(energies: Energies, answers: Energies, axis: int = -1, where: Where = None) -> Energies:
    """Computes E. Good only for machines whose other energies rise when one falls."""
    return _right(energies, answers, axis, where)


def generalized_perceptron(
    energies: Energies, answers: Energies, axis: int = -1, where: Where = None
) -> Energies:
    """Computes E − the lowest energy of all answers."""
    right, lowest = _right(energies, answers, axis, where), _lowest(energies, axis, where)
    # Where no answer may be given there is no lowest energy.
    return jnp.where(lowest < jnp.finfo(energies.dtype).max, right - lowest, 0.0)


def energy_hinge(
    energies: Energies,
    answers: Energies,
    margin: float = 1.0,
    axis: int = -1,
    where: Where = None,
) -> Energies:
    """Computes max(0, m + E − Ē)."""
    right, wrong = _both(energies, answers, axis, where)
    return jnp.maximum(0.0, margin + (right - wrong))


def energy_log(
    energies: Energies, answers: Energies, axis: int = -1, where: Where = None
) -> Energies:
    """Computes ln(1 + e^(E − Ē))."""
    right, wrong = _both(energies, answers, axis, where)
    return jax.nn.softplus(right - wrong)


def minimum_classification_error(
    energies: Energies, answers: Energies, axis: int = -1, where: Where = None
) -> Energies:
    """Computes σ(E − Ē)."""
    right, wrong = _both(energies, answers, axis, where)
    return jax.nn.sigmoid(right - wrong)


def square_square(
    energies: Energies,
    answers: Energies,
    margin: float = 1.0,
    axis: int = -1,
    where: Where = None,
) -> Energies:
    """Computes E² + max(0, m − Ē)². For energies of at least 0."""
    right, wrong = _both(energies, answers, axis, where)
    return jnp.square(right) + jnp.square(jnp.maximum(0.0, margin - wrong))


def square_exponential(
    energies: Energies,
    answers: Energies,
    gamma: float = 1.0,
    axis: int = -1,
    where: Where = None,
) -> Energies:
    """Computes E² + γ·e^(−Ē), going on along its tangent where Ē < −40."""
    right, wrong = _both(energies, answers, axis, where)
    below = jnp.maximum(-wrong, _STEEPEST) - _STEEPEST
    return jnp.square(right) + gamma * jnp.exp(jnp.minimum(-wrong, _STEEPEST)) * (1.0 + below)


def _log_probability(energies: Energies, beta: float, axis: int, where: Where) -> Energies:
    return jax.nn.log_softmax(-beta * energies, axis, where)


def energy_nll(
    energies: Energies,
    answers: Energies,
    beta: float = 1.0,
    axis: int = -1,
    where: Where = None,
) -> Energies:
    """Computes E + (1/β)·ln Σ e^(−βE) over the answers: the negative log-likelihood over β."""
    chosen = fitted(energies, answers) * _log_probability(energies, beta, axis, where)
    return -total(chosen, axis, where) / beta


def minimum_empirical_error(
    energies: Energies,
    answers: Energies,
    beta: float = 1.0,
    axis: int = -1,
    where: Where = None,
) -> Energies:
    """Computes 1 − the probability of the right answer, e^(−βE) over its sum."""
    probabilities = jnp.exp(_log_probability(energies, beta, axis, where))
    return 1.0 - total(fitted(energies, answers) * probabilities, axis, where)


_MARGIN = Parameter("margin", 1.0, 0.0, 1e3, "m, the wanted lead of the right answer", "assumed")
_BETA = Parameter("beta", 1.0, 1e-3, 1e3, "inverse temperature", "assumed")
_ENERGY: Branch = "energy"

LOSSES = (
    ZooLoss(
        "energy",
        _ENERGY,
        energy,
        "energies",
        r"E",
        _TUTORIAL,
        "none: it falls without end with E",
        aliases=("energy_loss",),
        # Logits are energies with the sign turned round.
        forms=(ExpressionForm(("logits",), "-y*x"),),
        properties=frozenset({"convex", "bounded_gradient", "smooth", "unbounded_below"}),
    ),
    ZooLoss(
        "generalized_perceptron",
        _ENERGY,
        generalized_perceptron,
        "energies",
        r"E - \min_k E_k",
        _TUTORIAL,
        "0 wherever E is the lowest energy",
        aliases=("energy_perceptron",),
        properties=frozenset({"nonnegative", "convex", "bounded_gradient"}),
    ),
    ZooLoss(
        "energy_hinge",
        _ENERGY,
        energy_hinge,
        "energies",
        r"\max(0, m + E - \bar E)",
        _TUTORIAL,
        "0 wherever E is below all others by m",
        parameters=(_MARGIN,),
        properties=frozenset({"nonnegative", "convex", "bounded_gradient"}),
    ),
    ZooLoss(
        "energy_log",
        _ENERGY,
        energy_log,
        "energies",
        r"\ln\left(1 + e^{E - \bar E}\right)",
        _TUTORIAL,
        "0 in the limit E far below all others",
        properties=frozenset({"nonnegative", "convex", "bounded_gradient"}),
    ),
    ZooLoss(
        "minimum_classification_error",
        _ENERGY,
        minimum_classification_error,
        "energies",
        r"\sigma(E - \bar E)",
        "https://doi.org/10.1109/78.175747",
        "0 in the limit E far below all others",
        aliases=("mce",),
        properties=frozenset({"nonnegative", "bounded", "bounded_gradient"}),
    ),
    ZooLoss(
        "square_square",
        _ENERGY,
        square_square,
        "energies",
        r"E^2 + \max(0, m - \bar E)^2",
        _TUTORIAL,
        "0 wherever E = 0 and all others are m or more",
        parameters=(_MARGIN,),
        properties=frozenset({"nonnegative", "convex"}),
    ),
    ZooLoss(
        "square_exponential",
        _ENERGY,
        square_exponential,
        "energies",
        r"E^2 + \gamma e^{-\bar E}",
        _TUTORIAL,
        "0 in the limit E = 0 and all others large",
        parameters=(Parameter("gamma", 1.0, 1e-3, 1e3, "weight of the push", "assumed"),),
        properties=frozenset({"nonnegative", "convex"}),
    ),
    ZooLoss(
        "energy_nll",
        _ENERGY,
        energy_nll,
        "energies",
        r"E + \tfrac{1}{\beta} \ln \sum_k e^{-\beta E_k}",
        _TUTORIAL,
        "0 in the limit E far below all others",
        aliases=("energy_negative_log_likelihood",),
        parameters=(_BETA,),
        forms=(
            ExpressionForm(("softmax",), at_temperature_one("-y*log(f)")),
            ExpressionForm(("logits",), lambda beta: times(-1.0 / beta, f"y*log({answers(beta)})")),
        ),
        properties=frozenset({"nonnegative", "convex", "bounded_gradient", "smooth", "proper"}),
    ),
    ZooLoss(
        "minimum_empirical_error",
        _ENERGY,
        minimum_empirical_error,
        "energies",
        r"1 - \frac{e^{-\beta E}}{\sum_k e^{-\beta E_k}}",
        _TUTORIAL,
        "0 in the limit E far below all others",
        aliases=("mee",),
        parameters=(_BETA,),
        forms=(
            ExpressionForm(("softmax",), at_temperature_one("y*(1 - f)")),
            ExpressionForm(("logits",), lambda beta: f"y*(1 - {answers(beta)})"),
        ),
        properties=frozenset(
            {"nonnegative", "bounded", "bounded_gradient", "smooth", "noise_tolerant"}
        ),
    ),
)
