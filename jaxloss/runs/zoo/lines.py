"""Lines through what losses of the zoo take, so that they can be drawn over one number."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxloss.losses.zoo import ZooLoss

Arguments = Callable[[Array], tuple[Array, ...]]


class Line(NamedTuple):
    """A line through the arguments of a loss.

    Attributes:
        label: what lies along the axis.
        ends: where the axis begins and ends.
        arguments: ``(t) -> arguments``.
        moved: what t is for a place on the axis; the slope is by t.
        by: what the slope is by, where that is not what lies along the axis.
    """

    label: str
    ends: tuple[float, float]
    arguments: Arguments
    moved: Callable[[np.ndarray], np.ndarray] = lambda places: places
    by: str = ""


def _log_odds(classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """Finds the logit that gives a class a probability, where those of the others are 0."""
    return lambda p: np.log(p) - np.log1p(-p) + np.log(classes - 1)


def _row(*values: Any) -> Array:
    return jnp.stack([jnp.asarray(value, jnp.float32) for value in values])


_ERRORS = (-3.0, 3.0)
_CHANCES = (0.01, 0.99)
_FIRST = (1.0, 0.0, 0.0)
_SCORE = "raw score, for the label 1"
_CLASSES = "probability of the right class, of three; the others are alike"


def _of_chance(label: str, arguments: Arguments, classes: int = 3, by: str = "its logit") -> Line:
    return Line(label, _CHANCES, arguments, _log_odds(classes), by)


def _mask(t: Array) -> tuple[Array, Array]:
    mask = jnp.asarray([[1.0, 0.0], [0.0, 1.0]])
    return t * (2.0 * mask - 1.0), mask


def _anchors(second: Array) -> tuple[Array, ...]:
    return (jnp.stack([_row(0.0, 0.0), second]),)


_LINES: dict[str, tuple[Line, ...]] = {
    "real": (Line("prediction error f - y, for y = 0", _ERRORS, lambda t: (t, 0.0 * t)),),
    "nonnegative": (Line("prediction f, for y = 1", (0.0, 4.0), lambda t: (t, 0.0 * t + 1.0)),),
    "vectors": (
        Line(
            "prediction error f - y of vectors of one number", _ERRORS, lambda t: (_row(t), _row(0))
        ),
    ),
    "nonnegative_vectors": (
        Line(
            "prediction f of vectors of one number, for y = 1",
            (0.0, 4.0),
            lambda t: (_row(t), _row(1)),
        ),
    ),
    "score": (Line(_SCORE, _ERRORS, lambda t: (t, 0.0 * t + 1.0)),),
    "logit": (
        _of_chance("probability of the label 1, which is right", lambda t: (t, 0.0 * t + 1.0), 2),
    ),
    "probability": (
        Line(
            "probability of the label 1, which is right", (0.0, 1.0), lambda t: (t, 0.0 * t + 1.0)
        ),
    ),
    "logits": (_of_chance(_CLASSES, lambda t: (_row(t, 0, 0), _row(*_FIRST))),),
    "logits_and_classes": (_of_chance(_CLASSES, lambda t: (_row(t, 0, 0), jnp.int32(0))),),
    "log_probabilities": (
        _of_chance(_CLASSES, lambda t: (jax.nn.log_softmax(_row(t, 0, 0)), _row(*_FIRST))),
    ),
    "log_probabilities_and_classes": (
        _of_chance(_CLASSES, lambda t: (jax.nn.log_softmax(_row(t, 0, 0)), jnp.int32(0))),
    ),
    "energies": (
        Line(
            "energy of the right answer; those of the two others are 0",
            _ERRORS,
            lambda t: (_row(t, 0, 0), _row(*_FIRST)),
        ),
    ),
    "detections": (
        _of_chance(
            f"{_CLASSES}; the overlap is 0.8",
            lambda t: (_row(t, 0, 0), _row(*_FIRST), jnp.float32(0.8)),
        ),
    ),
    "boxes": (
        Line(
            "pixels sideways between two boxes of 16 x 16",
            (-24.0, 24.0),
            lambda t: (_row(t, 0, t + 16, 16), _row(0, 0, 16, 16)),
        ),
    ),
    "mask": (
        _of_chance(
            "probability of what is right, the same at every pixel", _mask, 2, "every pixel's logit"
        ),
    ),
    "pair": (
        Line(
            "score of the one that ranks higher, less that of the other",
            _ERRORS,
            lambda t: (t, 0.0 * t, 0.0 * t + 1.0),
        ),
    ),
    "list": (
        Line(
            "score of the one relevant item; those of the two others are 0",
            _ERRORS,
            lambda t: (_row(t, 0, 0), _row(*_FIRST)),
        ),
    ),
    "embedding_pair": tuple(
        Line(
            f"distance of two embeddings {kind}",
            (0.0, 3.0),
            lambda t, same=same: (_row(t), _row(0), jnp.float32(same)),
        )
        for same, kind in ((1.0, "of a kind"), (0.0, "of two kinds"))
    ),
    "triplet": (
        Line(
            "distance of an embedding of another kind; that of one of the same kind is 1",
            (0.0, 4.0),
            lambda t: (_row(0, 0), _row(0, 1), _row(t, 0)),
        ),
    ),
    "critic": (Line("score of data, and minus that of samples", _ERRORS, lambda t: (t, -t)),),
    "samples": (Line("score of samples", _ERRORS, lambda t: (t,)),),
    "critic_and_slopes": (
        Line(
            "norm of the critic's slope; both scores are 0",
            (0.0, 3.0),
            lambda t: (0.0 * t, 0.0 * t, _row(t)),
        ),
    ),
    "autoencoder": (
        Line(
            "mean of the one latent, of variance 1; the reconstruction is exact",
            _ERRORS,
            lambda t: (_row(0), _row(0), _row(t), _row(0)),
        ),
    ),
    "noised": (
        Line(
            "estimated score, for noise of 0 at level 1",
            _ERRORS,
            lambda t: (_row(t), _row(0), _row(1)),
        ),
    ),
    "flow": (
        Line("the one latent; the log determinant is 0", _ERRORS, lambda t: (_row(t), 0.0 * t)),
    ),
    "anchored": (
        Line(
            "distance of an embedding from its class anchor; the two anchors are 4 apart",
            (0.0, 3.0),
            lambda t: (_row(0, t), jnp.int32(0), jnp.asarray([[0.0, 0.0], [4.0, 0.0]])),
        ),
    ),
}
_LINES["pair_probability"] = _LINES["pair"]

_OWN_LINES: dict[str, tuple[Line, ...]] = {
    "cosine": (
        Line(
            "angle between prediction and target, in radians",
            (-3.14, 3.14),
            lambda t: (_row(jnp.cos(t), jnp.sin(t)), _row(1, 0)),
        ),
    ),
    "cam_repeller": (
        Line("distance of two class anchors", (0.0, 6.0), lambda t: _anchors(_row(t, 0))),
    ),
    "cam_minimum_norm": (
        Line(
            "norm of a class anchor; the other's is 2",
            (0.0, 3.0),
            lambda t: (jnp.stack([_row(t, 0), _row(0, 2)]),),
        ),
    ),
}
"""For losses whose kind is drawn in another way, or in none."""


def lines_of(entry: ZooLoss) -> tuple[Line, ...]:
    """Finds what a loss can be drawn over; nothing where it takes a whole batch."""
    return _OWN_LINES.get(entry.name) or _LINES.get(entry.kind, ())
