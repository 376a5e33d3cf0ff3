"""The way of one candidate: its parts as pure functions of the loss, whatever runs the loss."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.learning.filters import gradient_norms, improvement
from jaxloss.learning.fitness import draw_seeds, trained_from
from jaxloss.learning.inner import Draws, Learner, predict, targets_of
from jaxloss.learning.local_search import (
    LocalSearchSettings,
    TunerState,
    TuningDraws,
    TuningShare,
    begin_tuning,
    draw_tuning,
    tuner,
)
from jaxloss.learning.racing import Leg
from jaxloss.learning.racing import advance as advance_learners
from jaxloss.learning.unroll import Bind
from jaxloss.search.settings import PopulationSettings
from jaxloss.tasks.task import Split, Task

Part = Callable[[PyTree, Bind, Float[Array, " edges"]], Array]
"""``(shared, bind, weights) -> result``: ``bind`` makes a loss from its flat parameters."""

Splits = Sequence[tuple[Split, Split]]
"""The train and valid splits of each task."""


class CandidateWay(NamedTuple):
    """The parts of the way, for one candidate.

    Attributes:
        improve: the rejection test's improvement of the metric; shares a key and examples.
        norms: gradient norms on examples; shares what ``improve`` does.
        train: fitness for each seed after partial training; shares what ``draw_training`` draws and
            the train and valid splits.
        advance: ``(leg, bind, weights, learners) -> (learners, fitness for each seed)``, partial
            training from one comparison to the next where candidates race.
        draw_training: ``(key, train) -> draws`` for ``train``.
    """

    improve: Part
    norms: Part
    train: Part
    advance: Callable[[Leg, Bind, Float[Array, " edges"], Learner], tuple[Learner, Array]]
    draw_training: Callable[[PRNGKeyArray, Split], Draws]


def candidate_way(task: Task, settings: PopulationSettings) -> CandidateWay:
    """Makes the parts for a task."""

    def untrained(key: PRNGKeyArray, examples: Split) -> tuple[Array, Array]:
        variables = task.model.init(key, examples.inputs[:1])
        outputs = predict(task.model, variables, examples.inputs)
        return outputs, targets_of(task.model, variables, examples)

    def improve(shared: PyTree, bind: Bind, weights: Array) -> Array:
        key, examples = shared
        return improvement(task, settings.rejection, bind(weights), *untrained(key, examples))

    def norms(shared: PyTree, bind: Bind, weights: Array) -> Array:
        key, examples = shared
        return gradient_norms(bind(weights), *untrained(key, examples))

    def train(shared: PyTree, bind: Bind, weights: Array) -> Array:
        drawn, training, valid = shared
        return trained_from(drawn, task, settings.optimizer, bind(weights), training, valid)

    def advance(leg: Leg, bind: Bind, weights: Array, learners: Learner) -> tuple[Learner, Array]:
        return advance_learners(task, settings.optimizer, bind(weights), leg, learners)

    def draw_training(key: PRNGKeyArray, train: Split) -> Draws:
        return draw_seeds(key, task, settings.optimizer, settings.fitness, train)

    return CandidateWay(improve, norms, train, advance, draw_training)


def rejection_examples(task: Task, settings: PopulationSettings) -> Split:
    """Takes the examples that the rejection test and gradient norms are measured on."""
    return Split(*(part[: settings.rejection.examples] for part in task.train))


class TuningWay(NamedTuple):
    """Local search of one candidate, whole or in pieces.

    Attributes:
        draw: ``(key, splits) -> draws``: what chance decides for all candidates.
        begin: ``(parameters) -> state``.
        advance: ``(draws, splits, numbers, bind, state) -> state``: takes the meta steps of these
            numbers.
        tune: ``((draws, splits), bind, parameters) -> parameters``: takes all meta steps.
    """

    draw: Callable[[PRNGKeyArray, Splits], PyTree]
    begin: Callable[[PyTree], TunerState]
    advance: Callable[[Any, Splits, Array, Bind, TunerState], TunerState]
    tune: Part


def tuning_way(
    tasks: Sequence[Task], settings: PopulationSettings, tuning: LocalSearchSettings
) -> TuningWay:
    """Makes local search on one task or several; on all of them it starts from the same key."""
    learners, optimizer = [(task.model, task.task_loss) for task in tasks], settings.optimizer

    def draw(key: PRNGKeyArray, splits: Splits) -> list[TuningDraws]:
        return [draw_tuning(key, optimizer, tuning, *pair) for pair in splits]

    def advance(
        draws: list[TuningDraws], splits: Splits, numbers: Array, bind: Bind, state: TunerState
    ) -> TunerState:
        shares = [TuningShare(drawn, *pair) for drawn, pair in zip(draws, splits, strict=True)]
        return tuner(learners, optimizer, tuning, bind)(shares, state, numbers)[0]

    def tune(shared: tuple[list[TuningDraws], Splits], bind: Bind, parameters: Array) -> Array:
        numbers = jnp.arange(tuning.meta_steps)
        return advance(*shared, numbers, bind, begin_tuning(tuning, parameters)).loss_params

    return TuningWay(draw, partial(begin_tuning, tuning), advance, tune)
