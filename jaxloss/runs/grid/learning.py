"""How a method learns the loss of a cell, within the budget that all methods have."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxloss.learning.finalists import task_loss_of
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.grid.cells import CellResult
from jaxloss.search.search import Search
from jaxloss.search.settings import MethodSettings
from jaxloss.tasks.task import Task

NOTHING_LEARNED = "no candidate survived at some seeds, where the usual loss stands in"


class Learned(NamedTuple):
    """What a search brought.

    Attributes:
        loss: the best of the learned finalists; the usual loss if there is none.
        training_steps: inner training steps, those of the finalists' trainings included.
        note: what a reader should know.
    """

    loss: LearnedLoss
    training_steps: int
    note: str | None


def remembered(stored: CellResult) -> Learned:
    """Takes what a cell with the same search has learned.

    Raises:
        InvalidInputError: its loss cannot be read.
    """
    loss = LearnedLoss.from_json(json.dumps(stored.loss))
    return Learned(loss, stored.training_steps, stored.note)


def learn(
    search: Search,
    settings: MethodSettings,
    task: Task,
    seed: int,
    limit: int | None,
    say: Callable[[str], None],
) -> Learned:
    """Searches for a loss.

    The usual loss is no answer here: methods are compared, not what they fall back on.

    Args:
        search: made of the settings and the task.
        settings: of the method.
        task: what the loss is judged on.
        seed: of the search.
        limit: inner training steps after which no further step of the search begins.
        say: told what is being done.
    """
    state: Any = search.init(jax.random.key(seed))
    taken = 0
    for number in range(search.steps):
        if limit is not None and taken >= limit:
            break
        say(f"searching, generation {number + 1}, {taken:,} training steps so far")
        state, info = search.step(state)
        taken += info.training_steps
    say("training with the finalists")
    finalists = search.finalists(state)
    trial = settings.trial
    taken += len(finalists) * trial.finalist_seeds * trial.steps
    found = next((finalist.loss for finalist in finalists if finalist.learned), None)
    if found is None:
        return Learned(task_loss_of(task), taken, NOTHING_LEARNED)
    return Learned(found, taken, None)
