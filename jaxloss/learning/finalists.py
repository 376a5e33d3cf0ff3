"""The best losses of a search trained again with fresh seeds, and the usual loss among them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxloss.learning.inner import ExampleLoss
from jaxloss.learning.trials import TrialRunner
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.zoo_form import zoo_form
from jaxloss.tasks.task import Task


class Finalist(NamedTuple):
    """A loss that was trained again with fresh seeds.

    Attributes:
        loss: the loss; the task loss itself if ``learned`` is false.
        fitness: validation fitness for each seed, lower is better.
        learned: whether the search found it.
    """

    loss: LearnedLoss
    fitness: Float[np.ndarray, " seeds"]
    learned: bool

    @property
    def mean(self) -> float:
        """Mean fitness; infinite if any training failed."""
        return float(np.mean(self.fitness))


def task_loss_of(task: Task, origin: tuple[tuple[str, str], ...] = ()) -> LearnedLoss:
    """Writes a task's own loss as a `LearnedLoss`."""
    view = task.view.name
    return LearnedLoss(zoo_form(task.task_loss_name, view), (), view, origin)


SMALLEST_SCALE = 0.01
"""Least score of the task loss that others are divided by; an error rate may be 0 (*assumed*)."""


class Arena(NamedTuple):
    """A task and the trainings on it."""

    task: Task
    run_trials: TrialRunner


def judge_finalists(
    arenas: Sequence[Arena],
    key: PRNGKeyArray,
    seeds: int,
    candidates: list[LearnedLoss],
    task_loss: LearnedLoss,
    normalize: bool = False,
) -> list[Finalist]:
    """Trains candidates and the task loss with fresh seeds and ranks them by validation fitness.

    This is what undoes the winner's curse: the fitness that made a candidate a finalist was its
    best luck among many.

    Args:
        arenas: the tasks; fitness is averaged over them.
        key: draws networks and batches, the same for all.
        seeds: trainings of each loss on each task.
        candidates: what the search found.
        task_loss: the usual loss of the tasks, as what it is handed over if nothing beats it.
        normalize: whether a task's fitness is divided by the size of the task loss's.

    Returns:
        Finalists, best first; at equal fitness the task loss comes before learned ones.
    """

    def on_each_task(pick: Callable[[Task], ExampleLoss]) -> Float[np.ndarray, "tasks seeds"]:
        return np.stack([_fitness(arena, pick(arena.task), key, seeds) for arena in arenas])

    for arena in arenas:
        arena.run_trials.prepare([arena.task.task_loss, *candidates])
    usual = on_each_task(lambda task: task.task_loss)
    scales = np.ones(len(arenas))
    if normalize:
        means = np.abs(usual.mean(axis=1))
        scales = np.where(np.isfinite(means), np.maximum(means, SMALLEST_SCALE), 1.0)

    def finalist(loss: LearnedLoss, fitness: np.ndarray, learned: bool) -> Finalist:
        return Finalist(loss, (fitness / scales[:, None]).mean(axis=0), learned)

    finalists = [finalist(task_loss, usual, learned=False)]
    for loss in candidates:
        finalists.append(finalist(loss, on_each_task(lambda _, loss=loss: loss), learned=True))
    return sorted(finalists, key=lambda finalist: (finalist.mean, finalist.learned))


def _fitness(arena: Arena, loss: ExampleLoss, key: PRNGKeyArray, seeds: int) -> np.ndarray:
    values = arena.run_trials(loss, key, seeds).valid
    fitness = np.asarray(arena.task.metric.fitness(jnp.asarray(values)))
    return np.where(np.isfinite(fitness), fitness, np.inf)
