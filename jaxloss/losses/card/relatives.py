"""The nearest losses of the zoo, by the directions in which they push predictions."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxloss.losses.card.lines import VECTOR_WIDTH
from jaxloss.losses.card.probe import BRIEF, boxes_of, precise
from jaxloss.losses.card.study import Study
from jaxloss.losses.zoo import ZOO, ZooLoss, as_task_loss, views_of

_EXAMPLES = 512
_SEED = 3


class Relative(NamedTuple):
    """A loss of the zoo and how much it pushes predictions alike.

    Attributes:
        name: of the loss, with its default parameters.
        distance: between both losses' gradients over all sampled examples, each scaled to length
            1: 0 if one loss is the other times a factor plus a constant, 1.41 if they have nothing
            in common, 2 if they push the opposite way.
    """

    name: str
    distance: float


class Compared(NamedTuple):
    """The zoo's gradients on a sample.

    Attributes:
        outputs: the sample's outputs.
        targets: its targets.
        names: of the losses.
        gradients: of each loss by the outputs.
    """

    outputs: Float[np.ndarray, "examples width"]
    targets: Num[np.ndarray, "examples ..."]
    names: tuple[str, ...]
    gradients: Float[np.ndarray, "losses examples width"]


def relatives(study: Study, own: str | None = None) -> tuple[Relative, ...]:
    """Orders the zoo's losses for the same tasks by the distance of gradients, nearest first.

    Args:
        study: the loss.
        own: name of the loss itself, if it is in the zoo with its default parameters.
    """
    subject = study.subject
    view = "softmax" if subject.view == "logits" else subject.view
    # Losses that also take vectors tell more on those than on single outputs.
    width = VECTOR_WIDTH if view == "identity" else study.width
    compared = zoo_gradients(view, width)
    mine = study.probe(compared.outputs, compared.targets).gradients
    found = [
        Relative(name, distance)
        for name, gradient in zip(compared.names, compared.gradients, strict=True)
        if name != own and np.isfinite(distance := gradient_distance(mine, gradient))
    ]
    return tuple(sorted(found, key=lambda relative: relative.distance))


def gradient_distance(
    mine: Float[np.ndarray, "examples width"], other: Float[np.ndarray, "examples width"]
) -> float:
    """Measures how differently two losses push, on the examples where both gradients are finite.

    Infinite if one of them does not push at all.
    """
    known = np.all(np.isfinite(mine) & np.isfinite(other), axis=1)
    lengths = np.linalg.norm(mine[known]), np.linalg.norm(other[known])
    if not all(lengths) or not np.all(np.isfinite(lengths)):
        return np.inf
    return float(np.linalg.norm(mine[known] / lengths[0] - other[known] / lengths[1]))


@functools.lru_cache(maxsize=8)
def zoo_gradients(view: str, width: int) -> Compared:
    """Computes the gradients of all losses of the zoo for tasks of a view, in one program."""
    entries = [entry for entry in ZOO.values() if view in views_of(entry)]
    outputs, targets = _sample(view, width)

    def all_gradients(outputs: Array, targets: Array) -> Array:
        def of(entry: ZooLoss) -> Array:
            loss = as_task_loss(entry, view)
            return jax.grad(lambda given: jnp.sum(loss(given, targets)))(outputs)

        return jnp.stack([of(entry) for entry in entries])

    with precise():
        gradients = jax.jit(all_gradients, compiler_options=BRIEF)(outputs, targets)
        return Compared(
            outputs, targets, tuple(entry.name for entry in entries), np.asarray(gradients)
        )


def _sample(view: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws outputs and targets, half of them as of a model that has learned something."""
    random = np.random.default_rng(_SEED)
    outputs = 2.0 * random.normal(size=(_EXAMPLES, width))
    learned = np.arange(_EXAMPLES) % 2 == 0
    if view == "identity":
        targets = random.normal(size=outputs.shape)
        return np.where(learned[:, None], targets + outputs / 4, outputs), targets
    if view == "sigmoid":
        targets = random.integers(2, size=outputs.shape).astype(float)
        return outputs + np.where(learned[:, None], 4 * targets - 2, 0.0), targets
    if view == "softmax":
        targets = random.integers(width, size=_EXAMPLES)
        outputs[learned, targets[learned]] += 4.0
        return outputs, targets
    truths = outputs / 2
    errors = random.normal(size=outputs.shape) / np.where(learned, 4, 1)[:, None]
    return truths + errors, boxes_of(truths)
