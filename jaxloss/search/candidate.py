"""The way of one candidate: its parts as pure functions of the loss, whatever runs the loss."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.learning.filters import gradient_norms, improvement
from jaxloss.learning.fitness import draw_seeds, trained_from
from jaxloss.learning.inner import Draws, Learner, predict
from jaxloss.learning.racing import Leg
from jaxloss.learning.racing import advance as advance_learners
from jaxloss.learning.unroll import (
    Bind,
    LocalSearchSettings,
    TuningDraws,
    draw_tuning,
    tuned_from,
)
from jaxloss.search.settings import GeneticSettings
from jaxloss.tasks.task import Split, Task

Part = Callable[[PyTree, Bind, Float[Array, " edges"]], Array]
"""``(shared, bind, weights) -> result``: ``bind`` makes a tree's loss from its edge weights."""


class CandidateWay(NamedTuple):
    """The parts of the way, for one candidate.

    Attributes:
        improve: the rejection test's improvement of the metric; shares a key and examples.
        tune: weights after local search; shares what ``draw_tuning`` draws and the train and valid
            splits.
        norms: gradient norms on examples; shares what ``improve`` does.
        train: fitness for each seed after partial training; shares what ``draw_training`` draws and
            the train and valid splits.
        advance: ``(leg, bind, weights, learners) -> (learners, fitness for each seed)``, partial
            training from one comparison to the next where candidates race.
        draw_tuning: ``(key, train, valid) -> draws`` for ``tune``.
        draw_training: ``(key, train, valid) -> draws`` for ``train``.
    """

    improve: Part
    tune: Part
    norms: Part
    train: Part
    advance: Callable[[Leg, Bind, Float[Array, " edges"], Learner], tuple[Learner, Array]]
    draw_tuning: Callable[[PRNGKeyArray, Split, Split], TuningDraws]
    draw_training: Callable[[PRNGKeyArray, Split, Split], Draws]


def candidate_way(
    task: Task, settings: GeneticSettings, tuning: LocalSearchSettings | None
) -> CandidateWay:
    """Makes the parts for a task; ``tuning`` is None where weights stay as they are."""

    def untrained_outputs(key: PRNGKeyArray, examples: Split) -> Array:
        variables = task.model.init(key, examples.inputs[:1])
        return predict(task.model, variables, examples.inputs)

    def improve(shared: PyTree, bind: Bind, weights: Array) -> Array:
        key, examples = shared
        outputs = untrained_outputs(key, examples)
        return improvement(task, settings.rejection, bind(weights), outputs, examples.targets)

    def tune(shared: PyTree, bind: Bind, weights: Array) -> Array:
        drawn, train, valid = shared
        if tuning is None:
            return weights
        model, optimizer = task.model, settings.optimizer
        tuned, _ = tuned_from(
            drawn, model, optimizer, tuning, task.task_loss, bind, train, valid, weights
        )
        return tuned

    def norms(shared: PyTree, bind: Bind, weights: Array) -> Array:
        key, examples = shared
        outputs = untrained_outputs(key, examples)
        return gradient_norms(bind(weights), outputs, examples.targets)

    def train(shared: PyTree, bind: Bind, weights: Array) -> Array:
        drawn, training, valid = shared
        return trained_from(drawn, task, settings.optimizer, bind(weights), training, valid)

    def advance(leg: Leg, bind: Bind, weights: Array, learners: Learner) -> tuple[Learner, Array]:
        return advance_learners(task, settings.optimizer, bind(weights), leg, learners)

    def for_tuning(key: PRNGKeyArray, train: Split, valid: Split) -> TuningDraws:
        own = tuning or LocalSearchSettings(meta_steps=0)
        return draw_tuning(key, settings.optimizer, own, train, valid)

    def for_training(key: PRNGKeyArray, train: Split, _: Split) -> Draws:
        return draw_seeds(key, task, settings.optimizer, settings.fitness, train)

    return CandidateWay(improve, tune, norms, train, advance, for_tuning, for_training)
