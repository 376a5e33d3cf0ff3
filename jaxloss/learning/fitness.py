"""Partial training: how good a loss is, measured by a short training under it.

Filter 5 of EvoMAL (https://arxiv.org/abs/2209.08907, Section 4.4): train from a fixed network for a
few hundred steps and score the metric on the validation split.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.learning.inner import (
    BaseOptimizerSettings,
    Draws,
    ExampleLoss,
    draw,
    follow,
    predict,
)
from jaxloss.models.model import Variables
from jaxloss.tasks.task import PlayedTask, Split, Task


@dataclass(frozen=True)
class FitnessSettings:
    """How partial training goes; defaults from the released EvoMAL code."""

    steps: int = 500
    """Training steps."""
    seeds: int = 1
    """Networks and batch orders that the fitness averages over."""
    rungs: int = 1
    """How often candidates are compared: at the end, at half the steps, at a quarter, and so on;
    1 trains all to the end. *Assumed*."""
    keep: float = 0.5
    """Share that trains on after each comparison but the last, where there are several (successive
    halving, https://arxiv.org/abs/1502.07943)."""
    normalize: bool = False
    """Whether each task's score is divided by what the usual loss reaches there, so that tasks of
    different scale weigh alike; EvoMAL takes the plain mean over tasks, ARL normalises."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"fitness steps must be 1 or more, got {self.steps}")
        require(self.seeds >= 1, f"fitness seeds must be 1 or more, got {self.seeds}")
        require(self.rungs >= 1, f"fitness rungs must be 1 or more, got {self.rungs}")
        require(0 < self.keep < 1, f"fitness keep must be between 0 and 1, got {self.keep}")
        most = self.steps.bit_length()
        require(
            self.rungs <= most,
            f"{self.rungs} rungs halve {self.steps} fitness steps to less than one; "
            f"expected at most {most} rungs",
        )

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps after which candidates are compared, the last at the end."""
        return tuple(self.steps // 2**halvings for halvings in reversed(range(self.rungs)))

    @property
    def mean_steps(self) -> float:
        """Steps that a candidate of a large population trains for on average."""
        return sum(self.keep**rung * leg for rung, leg in enumerate(self._legs))

    @property
    def _legs(self) -> tuple[int, ...]:
        return tuple(np.diff(self.lengths, prepend=0).tolist())

    def survivors(self, candidates: int) -> int:
        """Counts who stay after a comparison: rounded up, so that someone reaches the end."""
        # The product of 0.28 and 25 lies above 7 by rounding alone.
        return math.ceil(round(self.keep * candidates, 9))

    def training_steps(self, candidates: int) -> int:
        """Counts the steps that all candidates take together, each of one network."""
        steps = 0
        for leg in self._legs:
            steps += candidates * leg
            candidates = self.survivors(candidates)
        return self.seeds * steps


def partial_training(
    key: PRNGKeyArray,
    task: Task,
    optimizer: BaseOptimizerSettings,
    settings: FitnessSettings,
    loss: ExampleLoss,
    training: Split,
    held_out: Split,
) -> Float[Array, " seeds"]:
    """Trains networks from fixed seeds and scores them; lower is better.

    Args:
        key: the same for all candidates, so that all start from the same networks.
        task: gives the model and the metric.
        optimizer: the base optimiser.
        settings: steps and seeds.
        loss: the candidate.
        training: examples to train on.
        held_out: examples to score on.

    Returns:
        The metric as a fitness for each seed; infinite where the training or the score is not
        finite, so that NaN never wins.
    """
    drawn = draw_seeds(key, task, optimizer, settings, training)
    return trained_from(drawn, task, optimizer, loss, training, held_out)


def draw_seeds(
    key: PRNGKeyArray,
    task: Task,
    optimizer: BaseOptimizerSettings,
    settings: FitnessSettings,
    training: Split,
) -> Draws:
    """Draws what all candidates' trainings share; a leading axis of seeds."""

    def of_seed(key: PRNGKeyArray) -> Draws:
        return draw(key, task.model, optimizer, training, settings.steps)

    return jax.vmap(of_seed)(jax.random.split(key, settings.seeds))


def trained_from(
    drawn: Draws,
    task: Task,
    optimizer: BaseOptimizerSettings,
    loss: ExampleLoss,
    training: Split,
    held_out: Split,
) -> Float[Array, " seeds"]:
    """Is `partial_training` with what chance decides drawn before, by `draw_seeds`."""

    def one(drawn: Draws) -> Float[Array, ""]:
        variables, _ = follow(drawn, task.model, optimizer, loss, training)
        return network_fitness(task, variables, held_out)

    return jax.vmap(one)(drawn)


def scored(task: Task, outputs: Float[Array, "examples outputs"], split: Split) -> Array:
    """Turns outputs into a fitness: lower is better, infinite if not finite."""
    return _as_fitness(task, task.metric.function(task.predictions(outputs), split.targets))


def network_score(task: Task, variables: Variables, split: Split) -> Float[Array, ""]:
    """Computes a task's metric of a trained network, in the metric's own direction."""
    if isinstance(task, PlayedTask):
        return task.score(variables, split)
    outputs = predict(task.model, variables, split.inputs)
    return task.metric.function(task.predictions(outputs), split.targets)


def network_fitness(task: Task, variables: Variables, split: Split) -> Float[Array, ""]:
    """Turns a trained network into a fitness: lower is better, infinite if not finite."""
    return _as_fitness(task, network_score(task, variables, split))


def _as_fitness(task: Task, value: Float[Array, ""]) -> Float[Array, ""]:
    fitness = task.metric.fitness(value)
    return jnp.where(jnp.isfinite(fitness), fitness, jnp.inf)
