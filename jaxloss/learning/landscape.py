"""Slices of a loss around a trained network, along random directions that fit its filters.

Filter normalisation: Li, Xu, Taylor, Studer and Goldstein 2018, "Visualizing the Loss Landscape of
Neural Nets" (https://arxiv.org/abs/1712.09913), Section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.fitness import network_score
from jaxloss.learning.inner import ExampleLoss, mean_loss
from jaxloss.learning.population import PopulationProgram, over_population
from jaxloss.models.model import Variables
from jaxloss.tasks.task import Split, Task

POINTS_AT_ONCE = 32
"""Points that each device computes together, unless they do not fit its memory."""


@dataclass(frozen=True)
class LandscapeSettings:
    """How far slices go and how finely.

    Raises:
        InvalidInputError: a number is out of range.
    """

    points: int = 41
    """Points along each direction; an odd number puts one on the network itself. *Assumed*; the
    released code of the paper takes 51."""
    extent: float = 1.0
    """How far a slice goes to both sides; at 1 every filter moves by its own length, as in the
    paper's pictures."""
    lines: int = 8
    """Random directions of the one-dimensional slices (*assumed*; the paper draws one)."""

    def __post_init__(self) -> None:
        require(self.points >= 2, f"points must be 2 or more, got {self.points}")
        require(
            0 < self.extent < float("inf"),
            f"extent must be above 0 and finite, got {self.extent}",
        )
        require(self.lines >= 1, f"lines must be 1 or more, got {self.lines}")

    @property
    def places(self) -> Float[np.ndarray, " points"]:
        """Where the points of a slice lie, the network itself being at 0."""
        steps = 2 * np.arange(self.points) - (self.points - 1)
        return self.extent * steps / (self.points - 1)


class Landscape(NamedTuple):
    """Losses and the metric on a slice.

    Attributes:
        places: where its points lie along a direction, in lengths of the filters.
        losses: the mean of each loss over the training split, in the loss's own unit.
        metric: the task's metric on the validation split.
    """

    places: Float[np.ndarray, " points"]
    losses: Float[np.ndarray, "losses ..."]
    metric: Float[np.ndarray, "..."]


def filter_normalised(key: PRNGKeyArray, params: PyTree) -> PyTree:
    """Draws a direction in which every filter is as long as the same filter of the parameters.

    A filter is what makes one output of a layer: the part of an array that has one place on its
    last axis, as flax and haiku lay out dense and convolution layers. Arrays of one axis or none,
    such as biases and the scales of batch normalisation, stay still, as in the paper's released
    code (its setting ``biasbn``). So a network whose ReLU layer is multiplied by a number, and the
    next divided by it, has the same landscape as before.

    Args:
        key: randomness; the same key draws the same numbers for all parameters of the same shapes.
        params: a network's parameters.

    Raises:
        InvalidInputError: no array has two axes or more.
    """
    leaves, structure = jax.tree.flatten(params)
    require(
        any(jnp.ndim(leaf) > 1 for leaf in leaves),
        "the network has no filters to move: no array of its parameters has two axes or more",
    )
    keys = jax.random.split(key, len(leaves))
    moves = [_direction(key, leaf) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, moves)


def _direction(key: PRNGKeyArray, leaf: Float[Array, "..."]) -> Float[Array, "..."]:
    if leaf.ndim < 2:
        return jnp.zeros_like(leaf)
    drawn = jax.random.normal(key, leaf.shape, leaf.dtype)
    own, wanted = _filter_lengths(drawn), _filter_lengths(leaf)
    return drawn * jnp.where(own > 0, wanted / jnp.where(own > 0, own, 1), 0)


def _filter_lengths(leaf: Float[Array, "..."]) -> Float[Array, "..."]:
    axes = tuple(range(leaf.ndim - 1))
    return jnp.sqrt(jnp.sum(jnp.square(leaf), axis=axes, keepdims=True))


def loss_landscape(
    key: PRNGKeyArray,
    task: Task,
    losses: Sequence[ExampleLoss],
    variables: Variables,
    settings: LandscapeSettings = LandscapeSettings(),
) -> Landscape:
    """Computes losses and the metric on a plane around a network.

    Batch statistics stay as they are; targets that a network makes itself are those of the network
    at each point. Every point is computed by one compiled program, which also
    serves `loss_lines`, any other network of the task and any number of points.

    Args:
        key: draws the two directions: the same numbers for every network of the task, each fitted
            to that network's own filters; where a model stacks networks, each of them has its own.
        task: gives the network, the training split for the losses and the validation split for the
            metric.
        losses: what is averaged, ``(outputs, targets) -> per-example values``; weight decay is no
            part of it.
        variables: the network that the slice goes through.
        settings: extent and number of points.

    Returns:
        ``losses[l, i, j]`` and ``metric[i, j]`` at ``places[i]`` along the first direction and
        ``places[j]`` along the second.

    Raises:
        InvalidInputError: there is no loss, or the network has no filters.
    """
    places = settings.places
    grid = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)
    found, metric = _at(key, task, losses, variables, 0, grid)
    shape = (settings.points, settings.points)
    return Landscape(places, found.T.reshape(-1, *shape), metric.reshape(shape))


def loss_lines(
    key: PRNGKeyArray,
    task: Task,
    losses: Sequence[ExampleLoss],
    variables: Variables,
    settings: LandscapeSettings = LandscapeSettings(),
) -> Landscape:
    """Computes losses and the metric along several random directions, one at a time.

    The first two are those of `loss_landscape`; arguments and errors are the same.

    Returns:
        ``losses[l, d, i]`` and ``metric[d, i]`` at ``places[i]`` along direction ``d``.
    """
    places = settings.places
    axes = np.zeros((2, settings.points, 2))
    axes[0, :, 0] = axes[1, :, 1] = places
    results = [
        _at(key, task, losses, variables, pair, axes.reshape(-1, 2))
        for pair in range(-(-settings.lines // 2))
    ]
    found = np.concatenate([values for values, _ in results])
    metric = np.concatenate([values for _, values in results])
    shape = (-1, settings.points)
    return Landscape(
        places,
        found.T.reshape(len(losses), *shape)[:, : settings.lines],
        metric.reshape(shape)[: settings.lines],
    )


def centre_of(
    task: Task, losses: Sequence[ExampleLoss], variables: Variables
) -> tuple[Float[np.ndarray, " losses"], float]:
    """Computes what `loss_landscape` has at its centre: the mean losses and the metric."""
    found, metric = _at(jax.random.key(0), task, losses, variables, 0, np.zeros((1, 2)))
    return found[0], float(metric[0])


def rises(
    places: Float[np.ndarray, " points"],
    values: Float[np.ndarray, "lines points"],
    centre: float,
    distance: float,
) -> Float[np.ndarray, " lines"]:
    """Computes how far each line has risen at a distance, on average of its two sides.

    Args:
        places: of `Landscape`.
        values: a loss or the metric on lines; between places they are interpolated.
        centre: the value of the network itself.
        distance: within the extent of the lines.
    """
    ends = [np.interp((-distance, distance), places, line) for line in values]
    return np.mean(ends, axis=1) - centre


def prepare_landscape(task: Task, losses: Sequence[ExampleLoss], variables: Variables) -> None:
    """Compiles what `loss_landscape` and `loss_lines` need for such arguments."""
    shared = _shared(jax.random.key(0), task, variables, 0)
    _program(task, tuple(losses)).prepare(shared, _typed(np.zeros((1, 2))))


def _at(
    key: PRNGKeyArray,
    task: Task,
    losses: Sequence[ExampleLoss],
    variables: Variables,
    pair: int,
    coordinates: Float[np.ndarray, "points 2"],
) -> tuple[Float[np.ndarray, "points losses"], Float[np.ndarray, " points"]]:
    require(len(losses) > 0, "expected at least one loss")
    shared = _shared(key, task, variables, pair)
    return _program(task, tuple(losses))(shared, _typed(coordinates))


_Shared = tuple[Variables, tuple[PyTree, PyTree], Split, Split]


def _shared(key: PRNGKeyArray, task: Task, variables: Variables, pair: int) -> _Shared:
    key = named_key(key, "directions")
    draw = _drawn_of_each if task.model.stacked else _drawn
    first, second = (
        draw(jax.random.fold_in(key, 2 * pair + own), variables["params"]) for own in range(2)
    )
    return variables, (first, second), task.train, task.valid


def _of_each(key: PRNGKeyArray, params: PyTree) -> PyTree:
    """Draws for each of several stacked networks its own direction."""
    keys = jax.random.split(key, len(jax.tree.leaves(params)[0]))
    return jax.vmap(filter_normalised)(keys, params)


_drawn = jax.jit(filter_normalised)
_drawn_of_each = jax.jit(_of_each)


def _typed(coordinates: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
    return coordinates.astype(jnp.result_type(float))


@lru_cache(maxsize=32)
def _program(task: Task, losses: tuple[ExampleLoss, ...]) -> PopulationProgram:
    def together(outputs: Array, targets: Array) -> Float[Array, "batch losses"]:
        return jnp.stack([loss(outputs, targets) for loss in losses], axis=-1)

    def at(shared: _Shared, coordinates: Float[Array, " 2"]) -> tuple[Array, Array]:
        variables, directions, train, valid = shared

        def moved(leaf: Array, first: Array, second: Array) -> Array:
            x, y = coordinates.astype(leaf.dtype)
            return leaf + x * first + y * second

        params = jax.tree.map(moved, variables["params"], *directions)
        there = {**variables, "params": params}
        metric = network_score(task, there, valid)
        return mean_loss(task.model, together, there, train), metric

    return over_population(at, POINTS_AT_ONCE)
