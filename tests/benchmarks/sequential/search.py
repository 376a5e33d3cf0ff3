"""EvoMAL's search, one candidate after the other: https://arxiv.org/abs/2209.08907, Algorithm 1."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from jaxloss.tasks.task import Task
from sequential.candidate import Judged, evaluate_candidate
from sequential.libraries import Tree, torch
from sequential.primitives import tree_of
from sequential.problem import problem_of
from sequential.settings import SequentialSettings
from sequential.variation import first_population, next_generation


@dataclass(frozen=True)
class SequentialResult:
    """What a search did.

    Attributes:
        judged: every candidate, in order.
        generations: how many generations were judged to the end.
    """

    judged: list[Judged]
    generations: int

    @property
    def seconds(self) -> list[float]:
        """Wall-clock seconds of each candidate."""
        return [candidate.seconds for candidate in self.judged]

    @property
    def outcomes(self) -> list[str]:
        """What became of each candidate."""
        return [candidate.outcome for candidate in self.judged]


class _Judge:
    """Judges trees one after the other and remembers them by their text."""

    def __init__(
        self,
        task: Task,
        settings: SequentialSettings,
        seed: int,
        early_rejection: bool,
        threads: int,
    ) -> None:
        torch.set_num_threads(threads)
        self.problem = problem_of(task)
        self.settings = settings
        self.seed = seed
        self.early_rejection = early_rejection
        self.generator = torch.Generator().manual_seed(seed)
        self.archive: dict[str, float] = {}

    def __call__(self, tree: Tree) -> Judged:
        start = time.perf_counter()
        formula = str(tree)
        if formula in self.archive:
            parts = {"archive": time.perf_counter() - start}
            return Judged(formula, "archive", self.archive[formula], parts)
        judged = evaluate_candidate(
            tree, self.problem, self.settings, self.seed, self.early_rejection, self.generator
        )
        self.archive[formula] = judged.fitness
        return judged


def judge(
    formulas: Sequence[str],
    task: Task,
    seed: int,
    early_rejection: bool,
    threads: int,
    settings: SequentialSettings | None = None,
) -> list[Judged]:
    """Judges given formulas in order, each that stood there before by the archive.

    Args:
        formulas: call syntax or infix, each with f and y and no constants but 1 and -1.
        task: what they are judged on.
        seed: of weights, networks and batches.
        early_rejection: whether to test before local search as well as after it.
        threads: how many PyTorch may use; set for the whole process.
        settings: the paper's by default.

    Raises:
        InvalidInputError: a formula cannot be read, or the task is not one of the paper's kinds.
    """
    judged = _Judge(task, settings or SequentialSettings(), seed, early_rejection, threads)
    return [judged(tree) for tree in map(tree_of, formulas)]


def run(
    task: Task,
    generations: int,
    population: int,
    seed: int,
    early_rejection: bool,
    threads: int,
    budget_s: float | None = None,
    settings: SequentialSettings | None = None,
) -> SequentialResult:
    """Searches with DEAP's operators.

    Args:
        task: what losses are judged on.
        generations: how many, the first population included.
        population: trees in a generation.
        seed: of the whole search; Python's own ``random`` is seeded, because DEAP draws from it.
        early_rejection: whether to test before local search as well as after it.
        threads: how many PyTorch may use; set for the whole process.
        budget_s: wall-clock seconds after which no further candidate is judged.
        settings: the paper's by default.

    Raises:
        InvalidInputError: the task is not one of the paper's kinds.
    """
    settings = settings or SequentialSettings()
    random.seed(seed)
    judged = _Judge(task, settings, seed, early_rejection, threads)
    trees = first_population(population)
    found: list[Judged] = []
    start = time.perf_counter()
    for generation in range(generations):
        if generation > 0:
            trees = next_generation(settings, trees)
        for tree in trees:
            if budget_s is not None and time.perf_counter() - start > budget_s:
                return SequentialResult(found, generation)
            found.append(judged(tree))
            tree.fitness.values = (found[-1].fitness,)
    return SequentialResult(found, generations)
