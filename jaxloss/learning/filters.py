"""Cheap tests that spare a full evaluation: rejection, gradient equivalence, the archive.

After EvoMAL (https://arxiv.org/abs/2209.08907, Section 4.4) and AutoLoss-Zero
(https://arxiv.org/abs/2103.14026), from which the loss-rejection protocol comes.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Num, UInt32

from jaxloss.errors import require, unknown_name
from jaxloss.learning.fitness import scored
from jaxloss.learning.inner import ExampleLoss, accompanied
from jaxloss.models.model import Model
from jaxloss.tasks.task import Split, Task

Occasion = Literal["before", "after", "both", "never"]
"""When a loss is tested, seen from local search."""


@dataclass(frozen=True)
class RejectionSettings:
    """How hopeless losses are dropped; defaults from the released code unless *assumed*."""

    when: Occasion = "both"
    """Whether to test before local search, after it, both or never."""
    steps: int = 1000
    """Adam steps on the outputs themselves."""
    learning_rate: float = 0.01
    """Step size of that Adam."""
    examples: int = 100
    """Training examples whose outputs are optimised."""
    threshold: float = 0.0
    """Candidates that improve the metric by no more than this are dropped (the task loss, where
    the metric cannot be computed on these examples)."""

    def __post_init__(self) -> None:
        if self.when not in get_args(Occasion):
            raise unknown_name("occasion of the rejection test", self.when, get_args(Occasion))
        require(self.steps >= 1, f"rejection steps must be 1 or more, got {self.steps}")
        require(self.examples >= 1, f"rejection examples must be 1 or more, got {self.examples}")
        require(
            self.learning_rate > 0, f"rejection learning_rate must be above 0: {self.learning_rate}"
        )


def improvement(
    task: Task,
    settings: RejectionSettings,
    loss: ExampleLoss,
    outputs: Float[Array, "examples outputs"],
    targets: Num[Array, "examples ..."],
) -> Float[Array, ""]:
    """Measures how much the metric gains when the outputs themselves minimise a loss.

    Where the metric says nothing about these examples (an AUROC of one class), the task loss is
    measured instead. What a model's companion gains on its own does not count.

    Returns:
        Fitness before minus fitness after; minus infinity if that is not finite.
    """
    optimised, start = _optimised(task.model, settings, loss, outputs, targets), outputs
    if task.model.companion is not None:
        start = _optimised(task.model, settings, _nothing, outputs, targets)
    split = Split(outputs, targets)
    before = scored(task, start, split)
    by_metric = before - scored(task, optimised, split)
    usual = accompanied(task.model, task.task_loss)
    by_usual = jnp.mean(usual(start, targets)) - jnp.mean(usual(optimised, targets))
    is_blind = jnp.all(jnp.isfinite(outputs)) & ~jnp.isfinite(before)
    gain = jnp.where(is_blind, by_usual, by_metric)
    return jnp.where(jnp.isfinite(gain), gain, -jnp.inf)


def _optimised(
    model: Model,
    settings: RejectionSettings,
    loss: ExampleLoss,
    outputs: Float[Array, "examples outputs"],
    targets: Num[Array, "examples ..."],
) -> Float[Array, "examples outputs"]:
    """Lets outputs minimise a loss, and the model's companion if there is one."""
    adam = optax.adam(settings.learning_rate)
    loss = accompanied(model, loss)

    def step(carry: tuple[Array, optax.OptState], _: None) -> tuple[tuple, None]:
        outputs, state = carry
        gradient = jax.grad(lambda outputs: jnp.mean(loss(outputs, targets)))(outputs)
        updates, state = adam.update(gradient, state)
        return (optax.apply_updates(outputs, updates), state), None

    start = (outputs, adam.init(outputs))
    return jax.lax.scan(step, start, None, length=settings.steps)[0][0]


def _nothing(
    outputs: Float[Array, "examples outputs"], _: Num[Array, "examples ..."]
) -> Float[Array, " examples"]:
    return jnp.zeros(outputs.shape[0], outputs.dtype)


def gradient_norms(
    loss: ExampleLoss,
    outputs: Float[Array, "examples outputs"],
    targets: Num[Array, "examples ..."],
) -> Float[Array, " examples"]:
    """Measures each example's gradient; losses that agree here train alike (AutoLoss-Zero)."""
    gradient = jax.grad(lambda outputs: jnp.sum(loss(outputs, targets)))(outputs)
    return jnp.sqrt(jnp.sum(jnp.square(gradient.reshape(gradient.shape[0], -1)), axis=1))


class Archive(NamedTuple):
    """Every tree that a search has judged, rejected ones included.

    Attributes:
        hashes: canonical hashes.
        fitness: what they were judged; infinite for rejected trees.
        norms: gradient norms on the rejection's examples; NaN where not measured.
        rows: how many rows are filled.
    """

    hashes: UInt32[np.ndarray, "rows 2"]
    fitness: Float[np.ndarray, " rows"]
    norms: Float[np.ndarray, "rows examples"]
    rows: Int[np.ndarray, ""]


def empty_archive(rows: int, examples: int) -> Archive:
    """Allocates an archive; ``examples`` is 0 where gradient norms are not used."""
    return Archive(
        np.zeros((rows, 2), np.uint32),
        np.full(rows, np.inf, np.float32),
        np.full((rows, examples), np.nan, np.float32),
        np.array(0, np.int32),
    )


def look_up(archive: Archive, hashes: UInt32[np.ndarray, "trees 2"]) -> list[int | None]:
    """Finds each tree's row, or None."""
    known = {tuple(row): i for i, row in enumerate(archive.hashes[: archive.rows])}
    return [known.get(tuple(row)) for row in hashes]


def record(
    archive: Archive,
    hashes: UInt32[np.ndarray, "trees 2"],
    fitness: Float[np.ndarray, " trees"],
    norms: Float[np.ndarray, "trees examples"],
) -> Archive:
    """Appends judged trees."""
    start = int(archive.rows)
    stop = start + len(fitness)
    new = archive._replace(
        hashes=np.array(archive.hashes),
        fitness=np.array(archive.fitness),
        norms=np.array(archive.norms),
        rows=np.array(stop, np.int32),
    )
    new.hashes[start:stop] = hashes
    new.fitness[start:stop] = fitness
    new.norms[start:stop] = norms
    return new


def look_alike(
    archive: Archive, norms: Float[np.ndarray, " examples"], tolerance: float
) -> int | None:
    """Finds a judged tree whose gradient norms agree within the tolerance on every example."""
    known = archive.norms[: archive.rows]
    alike = np.all(np.abs(known - norms) <= tolerance, axis=1)
    return int(np.argmax(alike)) if alike.any() else None
