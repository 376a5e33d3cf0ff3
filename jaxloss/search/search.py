"""The one shape of every method that learns losses."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from jaxtyping import PRNGKeyArray, PyTree

from jaxloss.learning.finalists import Finalist
from jaxloss.losses.learned import LearnedLoss


class Info(NamedTuple):
    """What one step found, for people; no later step reads it.

    Attributes:
        generation: number of the step, from 0.
        best_fitness: lowest fitness so far; infinite while nothing survived.
        best: the loss that has it, or None.
        candidates: losses of this generation.
        trained: how many of them were trained in full.
        dropped: how many each filter dropped, by the filter's name, in running order.
        training_steps: steps of inner training that were taken, those of meta-gradients included,
            those that find what scores are normalised by left out.
    """

    generation: int
    best_fitness: float
    best: LearnedLoss | None
    candidates: int
    trained: int
    dropped: Mapping[str, int]
    training_steps: int


class FrontEntry(NamedTuple):
    """One loss that no smaller one beats.

    Attributes:
        loss: the loss.
        size: nodes of its tree, or how many parameters it has where it is no tree.
        fitness: what partial training gave it, lower is better.
    """

    loss: LearnedLoss
    size: int
    fitness: float


def unbeaten(entries: Iterable[FrontEntry]) -> list[FrontEntry]:
    """Finds the losses that no smaller one beats, smallest first; of equals the first."""
    front: list[FrontEntry] = []
    for entry in sorted(entries, key=lambda entry: (entry.size, entry.fitness)):
        if all(entry.fitness < smaller.fitness for smaller in front):
            front.append(entry)
    return front


class Search(NamedTuple):
    """A method that learns losses.

    Attributes:
        init: ``(key) -> state``, a pytree that holds all that the next step needs.
        step: ``(state) -> (state, info)``.
        best: ``(state) -> loss``: the winner among the finalists, each trained with fresh seeds;
            the task loss itself if nothing beat it.
        front: ``(state) -> entries``, smallest first: size against fitness.
        finalists: ``(state) -> finalists``, best first; what ``best`` takes the first of.
        steps: how many steps the settings ask for.
        candidates: how many losses each of them considers; the first may take more.
    """

    init: Callable[[PRNGKeyArray], PyTree]
    step: Callable[[Any], tuple[PyTree, Info]]
    best: Callable[[Any], LearnedLoss]
    front: Callable[[Any], list[FrontEntry]]
    finalists: Callable[[Any], list[Finalist]]
    steps: int
    candidates: int
