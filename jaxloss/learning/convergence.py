"""A cheap test of box and class losses: does the loss fall, and to rest, as predictions get better?

The first filter of CSE-Autoloss (https://arxiv.org/abs/2102.04700): convergence-property
verification. The paper states the properties; how they are sampled here, and every number, is
*assumed*. Nothing is trained; each loss is evaluated along lines of predictions that end at the
right one.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from jaxloss.errors import require, unknown_name
from jaxloss.keys import named_key
from jaxloss.losses.boxes import areas

ClassLoss: TypeAlias = Callable[
    [Float[Array, "batch classes"], Float[Array, "batch classes"]], Float[Array, " batch"]
]
"""``(logits, one-hot labels) -> per-example values``."""

BoxLoss: TypeAlias = Callable[
    [Float[Array, " batch"], Float[Array, " batch"], Float[Array, " batch"]],
    Float[Array, " batch"],
]
"""``(intersection, union, enclosing) -> per-box values``; areas in squared pixels."""


@dataclass(frozen=True)
class ConvergenceSettings:
    """How convergence is sampled; all *assumed*."""

    lines: int = 60
    """Lines of predictions, each from a random one to the right one."""
    steps: int = 20
    """Steps along each line."""
    share: float = 1.0
    """Share of lines on which the loss must fall and be least at the right prediction."""
    tolerance: float = 1e-3
    """How much a loss may rise in a step and count as falling still, as a share of its range."""
    classes: int = 5
    """Classes of the sampled predictions."""
    confident: float = 10.0
    """Logit, as distance from 0, that stands for a sure prediction."""
    vanished: float = 0.05
    """How large the gradient of sure and right predictions may be, as a share of its mean."""
    nudge: float = 0.05
    """How far boxes are moved off a perfect overlap, as a share of their sides."""

    def __post_init__(self) -> None:
        require(self.lines >= 1, f"lines must be 1 or more, got {self.lines}")
        require(self.steps >= 2, f"steps must be 2 or more, got {self.steps}")
        require(self.classes >= 2, f"classes must be 2 or more, got {self.classes}")
        require(0 < self.share <= 1, f"share must be above 0 and at most 1, got {self.share}")
        for name in ("tolerance", "confident", "vanished", "nudge"):
            require(getattr(self, name) > 0, f"{name} must be above 0, got {getattr(self, name)}")


Check: TypeAlias = Callable[..., Bool[Array, ""]]
"""``(key, loss, settings) -> whether it converges``."""


def convergence_of(kind: str) -> Check:
    """Finds `classes_converge` by the name ``classes`` and `boxes_converge` by ``boxes``.

    Raises:
        InvalidInputError: there is no such kind.
    """
    checks: dict[str, Check] = {"classes": classes_converge, "boxes": boxes_converge}
    if kind not in checks:
        raise unknown_name("kind of loss", kind, checks)
    return checks[kind]


def classes_converge(
    key: PRNGKeyArray, values: ClassLoss, settings: ConvergenceSettings = ConvergenceSettings()
) -> Bool[Array, ""]:
    """Tests a class loss; pure, for ``jit`` and ``vmap`` over what ``values`` holds.

    Lines start at random logits, that of the right class below 0: from a right and sure prediction
    a loss may fall by less than rounding shows beside what the other classes add. Two lines
    leave each start: on one the right class's logit rises to a sure one while the others stay, on
    the other the others fall to a sure no as well. A loss converges if

    1. its values and gradients are finite on all lines;
    2. on both sorts of lines it falls: from the start to the end it gets less, and no step raises
       it;
    3. the gradient for all logits vanishes at sure and right predictions, compared with its mean
       over the lines;
    4. a sure prediction costs less under its own label than under another.

    So a loss with its minimum at finite logits, such as the squared error of logits and labels, is
    dropped by the second, one that pulls without end by the third, one that ignores the labels by
    the fourth.

    Args:
        key: draws the lines; the same key tests every loss alike.
        values: the loss.
        settings: sizes and tolerances.
    """
    logits_key, label_key = named_key(key, "logits"), named_key(key, "labels")
    shape = (settings.lines, settings.classes)
    sure = settings.confident
    starts = jax.random.uniform(logits_key, shape, minval=-sure / 2, maxval=sure / 2)
    right = jax.random.randint(label_key, shape[:1], 0, settings.classes)
    labels = jax.nn.one_hot(right, settings.classes, dtype=starts.dtype)
    starts = jnp.where(labels > 0, -jnp.abs(starts), starts)
    best = jnp.where(labels > 0, sure, -sure).astype(starts.dtype)

    def along(ends: Float[Array, "lines classes"]) -> tuple[Array, Array]:
        points = _line(starts, ends, settings.steps)
        return _on_points(values, points, labels)

    alone, alone_gradients = along(jnp.where(labels > 0, sure, starts).astype(starts.dtype))
    together, gradients = along(best)
    norms = jnp.linalg.norm(gradients, axis=-1)
    rests = jnp.mean(norms[-1]) <= settings.vanished * jnp.mean(norms)
    wrong = values(best, jnp.roll(labels, 1, axis=-1))
    return (
        _finite(alone, alone_gradients, together, gradients, wrong)
        & _falls(alone, settings)
        & _falls(together, settings)
        & rests
        & (jnp.mean(together[-1] < wrong) >= settings.share)
    )


def boxes_converge(
    key: PRNGKeyArray, values: BoxLoss, settings: ConvergenceSettings = ConvergenceSettings()
) -> Bool[Array, ""]:
    """Tests a box loss; pure, for ``jit`` and ``vmap`` over what ``values`` holds.

    On each line a predicted box moves, corners straight ahead, onto the true box: from beside it,
    from within it or from around it. A loss converges if

    1. its values and its gradients for the boxes' corners are finite on all lines;
    2. it falls: from the start to the end of a line it gets less, and no step raises it;
    3. the true box is a minimum: every small move away from it raises the loss.

    The third stands for a gradient of 0 at the optimum. IoU and its kin have a kink there, with a
    slope upwards on all sides, so that 0 lies between the slopes although none is 0.

    Args:
        key: draws the lines; the same key tests every loss alike.
        values: the loss.
        settings: sizes and tolerances.
    """
    targets = random_boxes(named_key(key, "targets"), settings.lines)
    starts = shifted_boxes(named_key(key, "starts"), targets, reach=1.5)

    def of_boxes(boxes: Float[Array, "batch 4"], targets: Float[Array, "batch 4"]) -> Array:
        return values(*areas(boxes, targets))

    points = _line(starts, targets, settings.steps)
    on_lines, gradients = _on_points(of_boxes, points, targets)
    sides = jnp.tile(targets[:, 2:] - targets[:, :2], 2)
    moves = settings.nudge * jnp.array(_WAYS, targets.dtype)[:, None] * sides[None]
    nudged, _ = _on_points(of_boxes, targets[None] + moves, targets)
    is_minimum = jnp.all(nudged > on_lines[-1:], axis=0)
    return (
        _finite(on_lines, gradients, nudged)
        & _falls(on_lines, settings)
        & (jnp.mean(is_minimum) >= settings.share)
    )


_WAYS = [way for way in itertools.product((-1, 0, 1), repeat=4) if any(way)]
"""Which of a box's four numbers a small move changes, and which way."""


def random_boxes(key: PRNGKeyArray, count: int) -> Float[Array, "count 4"]:
    """Draws boxes x1, y1, x2, y2 with sides of 16 to 64 pixels on an image of 256 (*assumed*)."""
    centre_key, side_key = named_key(key, "centres"), named_key(key, "sides")
    centres = jax.random.uniform(centre_key, (count, 2), minval=32.0, maxval=224.0)
    sides = jax.random.uniform(side_key, (count, 2), minval=16.0, maxval=64.0)
    return jnp.concatenate([centres - sides / 2, centres + sides / 2], axis=1)


def shifted_boxes(
    key: PRNGKeyArray, targets: Float[Array, "boxes 4"], reach: float
) -> Float[Array, "boxes 4"]:
    """Draws a prediction for each true box; every third lies within it or around it.

    Args:
        key: randomness.
        targets: the true boxes.
        reach: the longest move of a centre in each direction, in sides of the true box.
    """
    shift_key, size_key, nested_key = (
        named_key(key, purpose) for purpose in ("shifts", "sizes", "nested")
    )
    centres, sides = (targets[:, :2] + targets[:, 2:]) / 2, targets[:, 2:] - targets[:, :2]
    shifts = jax.random.uniform(shift_key, sides.shape, minval=-reach, maxval=reach)
    growth = jax.random.uniform(size_key, sides.shape, minval=0.2, maxval=0.7)
    signs = jax.random.rademacher(nested_key, sides.shape, dtype=sides.dtype)
    nested = (jnp.arange(targets.shape[0]) % 3 == 0)[:, None]
    signs = jnp.where(nested, signs[:, :1], signs)
    centres = centres + jnp.where(nested, 0.0, shifts) * sides
    sides = sides * jnp.exp(growth * signs)
    return jnp.concatenate([centres - sides / 2, centres + sides / 2], axis=1)


def _line(
    starts: Float[Array, "lines size"], ends: Float[Array, "lines size"], steps: int
) -> Float[Array, "points lines size"]:
    way = jnp.linspace(0.0, 1.0, steps + 1, dtype=starts.dtype)[:, None, None]
    return (1.0 - way) * starts[None] + way * ends[None]


def _on_points(
    values: Callable[[Array, Array], Array],
    points: Float[Array, "points lines size"],
    targets: Float[Array, "lines size"],
) -> tuple[Float[Array, "points lines"], Float[Array, "points lines size"]]:
    """Computes a loss and its gradients at all points of all lines."""

    def total(points: Array) -> tuple[Array, Array]:
        # One flat batch: the loss is a function of examples, not of lines.
        flat = values(points.reshape(-1, points.shape[-1]), jnp.tile(targets, (points.shape[0], 1)))
        return jnp.sum(flat), flat.reshape(points.shape[:2])

    (_, found), gradients = jax.value_and_grad(total, has_aux=True)(points)
    return found, gradients


def _falls(values: Float[Array, "points lines"], settings: ConvergenceSettings) -> Bool[Array, ""]:
    """Says whether the loss falls on enough lines."""
    reach = jnp.max(values, axis=0, keepdims=True) - jnp.min(values, axis=0, keepdims=True)
    level = jnp.all(jnp.diff(values, axis=0) <= settings.tolerance * reach, axis=0)
    # What rounding makes of a constant is no fall.
    noise = settings.tolerance * 1e-3 * jnp.max(jnp.abs(values), axis=0)
    lower = values[0] - values[-1] > noise
    return jnp.mean(level & lower) >= settings.share


def _finite(*parts: Array) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(part)) for part in parts]))
