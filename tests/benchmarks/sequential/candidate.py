"""A candidate's way through the filters, in the order of the released EvoMAL code.

https://arxiv.org/abs/2209.08907, Section 4.4.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sequential.libraries import Generator, Module, Tree, torch
from sequential.primitives import WeightedTree, fresh_weights
from sequential.problem import Problem, reset
from sequential.settings import SequentialSettings
from sequential.training import batch_indices, improvement, local_search, partial_training

TRAINED = "trained"
"""Outcome of a candidate that went all the way; the others are named by the filter."""


@dataclass(frozen=True)
class Judged:
    """What became of a candidate.

    Attributes:
        formula: the tree in call syntax.
        outcome: ``"archive"``, ``"rejected before"``, ``"rejected after"``, ``"not finite"`` or
            ``"trained"``.
        fitness: the metric on the validation split, lower is better; infinite if dropped.
        parts: wall-clock seconds of each part that it went through.
    """

    formula: str
    outcome: str
    fitness: float
    parts: dict[str, float]

    @property
    def seconds(self) -> float:
        """Wall-clock seconds from first to last part."""
        return sum(self.parts.values())


def evaluate_candidate(
    tree: Tree,
    problem: Problem,
    settings: SequentialSettings,
    seed: int,
    early_rejection: bool,
    generator: Generator,
) -> Judged:
    """Takes one tree through local search, rejection and partial training.

    Args:
        tree: holds f and y.
        problem: what it is judged on.
        settings: step counts and rates.
        seed: of the network that rejection and partial training start from, and of its batches.
        early_rejection: whether to test before local search as well as after it.
        generator: draws fresh weights, and networks and batches of local search.
    """
    parts: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        parts[name] = time.perf_counter() - start
        return result

    def dropped(outcome: str) -> Judged:
        return Judged(str(tree), outcome, math.inf, parts)

    loss = WeightedTree(tree, fresh_weights(tree, generator).to(problem.train.inputs.dtype))

    def fixed_network() -> tuple[Module, Generator]:
        fixed = torch.Generator().manual_seed(seed)
        network = problem.network()
        reset(network, fixed)
        return network, fixed

    # Weights move in local search alone; elsewhere their gradients would be for nothing.
    def hopeless() -> bool:
        loss.requires_grad_(False)
        network, _ = fixed_network()
        examples = problem.train.take(slice(settings.rejection_examples))
        with torch.no_grad():
            outputs = network(examples.inputs)
        return improvement(problem, settings, loss, outputs, examples.targets) <= 0

    def tune() -> None:
        loss.requires_grad_(True)
        local_search(problem, settings, loss, generator)

    def train() -> float:
        loss.requires_grad_(False)
        network, fixed = fixed_network()
        steps, examples = settings.training_steps, len(problem.train.inputs)
        batches = batch_indices(fixed, examples, settings.batch_size, steps)
        return partial_training(problem, settings, loss, network, batches)

    if early_rejection and timed("rejection before", hopeless):
        return dropped("rejected before")
    timed("local search", tune)
    if timed("rejection after", hopeless):
        return dropped("rejected after")
    fitness = timed("partial training", train)
    return Judged(str(tree), TRAINED if math.isfinite(fitness) else "not finite", fitness, parts)
