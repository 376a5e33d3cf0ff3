"""Several tasks at once: what they must have in common, and how their scores become one fitness."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.learning.finalists import SMALLEST_SCALE
from jaxloss.learning.fitness import FitnessSettings, partial_training
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.population import PopulationProgram, over_population
from jaxloss.tasks.task import Task, require_alike

Tasks = tuple[Task, ...]
"""The tasks that a loss is learned on; the network belongs to the task."""


def as_tasks(given: Task | Sequence[Task]) -> Tasks:
    """Makes a tuple of one task or several.

    Raises:
        InvalidInputError: there is none, they do not show their losses the same, or their metrics
            differ.
    """
    tasks = tuple(given) if isinstance(given, Sequence) else (given,)
    require(len(tasks) >= 1, "a search needs at least one task, got none")
    require_alike(tasks)
    return tasks


def names_of(tasks: Tasks) -> tuple[str, str]:
    """Names the tasks and their networks, each once, joined by commas."""
    names = dict.fromkeys(task.name for task in tasks)
    models = dict.fromkeys(task.model.name for task in tasks)
    return ",".join(names), ",".join(models)


Scales = Callable[[PRNGKeyArray], Float[np.ndarray, " tasks"]]
"""``(key) -> scales``: what each task's scores are divided by; the key is partial training's."""


def task_scales(
    tasks: Tasks, optimizer: BaseOptimizerSettings, settings: FitnessSettings
) -> Scales:
    """Makes the function that finds what scores are divided by.

    That is 1, or where ``settings.normalize`` asks for it the size of the score that the usual loss
    reaches from the same networks.

    Args:
        tasks: what losses are judged on.
        optimizer: of partial training.
        settings: of partial training.
    """
    if not settings.normalize:
        return lambda _: np.ones(len(tasks))

    def program_of(task: Task) -> PopulationProgram:
        def usual(shared: PyTree, _: PyTree) -> Array:
            key, training, held_out = shared
            return partial_training(
                key, task, optimizer, settings, task.task_loss, training, held_out
            )

        return over_population(usual, 1)

    programs = [program_of(task) for task in tasks]

    @lru_cache(maxsize=4)
    def scales_of(key_data: bytes) -> np.ndarray:
        key = jax.random.wrap_key_data(jnp.frombuffer(key_data, jnp.uint32))
        scores = [
            program((key, task.train, task.valid), (np.zeros(1),))
            for program, task in zip(programs, tasks, strict=True)
        ]
        found = np.abs(np.array([score.mean() for score in scores]))
        return np.where(np.isfinite(found), np.maximum(found, SMALLEST_SCALE), 1.0)

    return lambda key: scales_of(np.asarray(jax.random.key_data(key)).tobytes())


def mean_over_tasks(
    scores: Sequence[Float[np.ndarray, "*batch seeds"]], scales: Float[np.ndarray, " tasks"]
) -> Float[np.ndarray, "*batch"]:
    """Averages scores over seeds and then, divided by their scales, over tasks."""
    means = [score.mean(axis=-1) / scale for score, scale in zip(scores, scales, strict=True)]
    return np.asarray(mean_of(means), jnp.result_type(float))


def mean_of(values: Sequence[Float[np.ndarray, "*batch"]]) -> Float[np.ndarray, "*batch"]:
    """Averages what each task says of the same candidates."""
    return sum(values[1:], values[0]) / len(values)
