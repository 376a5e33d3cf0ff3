"""TaylorGLO, one candidate after the other, in PyTorch with DEAP's CMA-ES.

https://arxiv.org/abs/2002.00059: a third-order polynomial in prediction and target without the
terms that have no gradient to the prediction, and CMA-ES on its eight parameters, which starts from
the zero vector with a step size of 1.2 (the released code).
"""

import importlib
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.errors import require
from jaxloss.tasks.task import Task
from sequential.libraries import Generator, Module, Tensor, base, torch
from sequential.problem import Problem, problem_of, reset
from sequential.settings import SequentialSettings
from sequential.training import batch_indices, improvement, partial_training

cma: Any = importlib.import_module("deap.cma")

PARAMETERS = 8
"""Numbers of the centre, two, and one for each term."""

SIGMA = 1.2
"""The strategy's first step size."""


class TaylorLoss(torch.nn.Module):
    """The polynomial as an elementwise function of ``f`` and ``y``.

    Args:
        parameters: c_f, c_y, θ10, θ20, θ30, θ11, θ21, θ12, where θ_ab is the factor of
            (f − c_f)^a·(y − c_y)^b.

    Raises:
        InvalidInputError: there are not eight.
    """

    def __init__(self, parameters: Float[np.ndarray, " parameters"]) -> None:
        super().__init__()
        require(
            len(parameters) == PARAMETERS,
            f"the polynomial has {PARAMETERS} parameters, got {len(parameters)}",
        )
        # Taken apart only here; PyTorch multiplies by Python's numbers more slowly than by these.
        self.numbers = torch.tensor(parameters).unbind()

    def forward(
        self, f: Float[Tensor, "batch outputs"], y: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, "batch outputs"]:
        """Computes the polynomial by Horner's rule: fewer operations than term by term."""
        c_f, c_y, t10, t20, t30, t11, t21, t12 = self.numbers
        f, y = f - c_f, y - c_y
        return f * (f * (t30 * f + t20) + (y * (t21 * f + (t12 * y + t11)) + t10))


class JudgedTaylor(NamedTuple):
    """What became of a candidate.

    Attributes:
        parameters: of the polynomial.
        outcome: ``"rejected"``, ``"not finite"`` or ``"trained"``.
        fitness: the metric on the validation split, lower is better; infinite if it has none.
        gain: what the rejection test measured; None without it.
    """

    parameters: Float[np.ndarray, " parameters"]
    outcome: str
    fitness: float
    gain: float | None

    @property
    def order(self) -> tuple[bool, float]:
        """What candidates are ranked by: rejected ones behind all others, by their gain."""
        if self.outcome == "rejected" and self.gain is not None:
            return True, -self.gain
        return False, self.fitness


def gain(problem: Problem, settings: SequentialSettings, loss: Module, seed: int) -> float:
    """Runs the rejection test from the outputs of a network that is the same for all."""
    network, _ = _fixed_network(problem, seed)
    examples = problem.train.take(slice(settings.rejection_examples))
    with torch.no_grad():
        outputs = network(examples.inputs)
    return improvement(problem, settings, loss, outputs, examples.targets)


def fitness(problem: Problem, settings: SequentialSettings, loss: Module, seed: int) -> float:
    """Trains a network that is the same for all on batches that are, and scores it."""
    network, generator = _fixed_network(problem, seed)
    examples, steps = len(problem.train.inputs), settings.training_steps
    batches = batch_indices(generator, examples, settings.batch_size, steps)
    return partial_training(problem, settings, loss, network, batches)


def judge(
    problem: Problem,
    settings: SequentialSettings,
    parameters: Float[np.ndarray, " parameters"],
    seed: int,
    rejects: bool,
) -> JudgedTaylor:
    """Takes one candidate through the rejection test, if there is one, and partial training."""
    loss = TaylorLoss(parameters.astype(np.float32))
    found = gain(problem, settings, loss, seed) if rejects else None
    if found is not None and found <= 0:
        return JudgedTaylor(parameters, "rejected", math.inf, found)
    score = fitness(problem, settings, loss, seed)
    return JudgedTaylor(
        parameters, "trained" if math.isfinite(score) else "not finite", score, found
    )


class Fitness(base.Fitness):
    """Two values of which the lower are the better, the first before the second."""

    weights = (-1.0, -1.0)


class Individual(np.ndarray):
    """Parameters with their fitness, as DEAP's strategy takes them."""

    fitness: Fitness


def run(
    task: Task,
    generations: int,
    population: int,
    seed: int,
    rejects: bool,
    threads: int,
    settings: SequentialSettings | None = None,
) -> list[list[JudgedTaylor]]:
    """Searches with CMA-ES.

    Args:
        task: what losses are judged on.
        generations: how many.
        population: candidates in a generation.
        seed: of draws, network and batches.
        rejects: whether hopeless losses are ranked last without a training.
        threads: how many PyTorch may use; set for the whole process.
        settings: step counts and rates, the paper's by default.

    Returns:
        For each generation what became of its candidates.

    Raises:
        InvalidInputError: the task is not one of the paper's kinds.
    """
    torch.set_num_threads(threads)
    problem, settings = problem_of(task), settings or SequentialSettings()
    generator = np.random.default_rng(seed)
    strategy = cma.Strategy(np.zeros(PARAMETERS), SIGMA, lambda_=population)
    found = []
    for _ in range(generations):
        judged = [
            judge(problem, settings, parameters, seed, rejects)
            for parameters in asked(strategy, generator)
        ]
        strategy.update([_individual(candidate) for candidate in judged])
        found.append(judged)
    return found


def asked(
    strategy: Any, generator: np.random.Generator
) -> Float[np.ndarray, "candidates parameters"]:
    """Draws a generation; DEAP's own method draws from the generator of the whole process."""
    draws = generator.standard_normal((strategy.lambda_, strategy.dim))
    return strategy.centroid + strategy.sigma * draws @ strategy.BD.T


def _individual(candidate: JudgedTaylor) -> Individual:
    individual = candidate.parameters.view(Individual)
    individual.fitness = Fitness(tuple(map(float, candidate.order)))
    return individual


def _fixed_network(problem: Problem, seed: int) -> tuple[Module, Generator]:
    generator = torch.Generator().manual_seed(seed)
    network = problem.network()
    reset(network, generator)
    return network, generator
