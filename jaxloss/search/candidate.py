"""The way of one candidate: its parts as pure functions of the loss, whatever runs the loss."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.learning.filters import gradient_norms, improvement
from jaxloss.learning.fitness import partial_training
from jaxloss.learning.inner import Learner, predict
from jaxloss.learning.racing import Leg
from jaxloss.learning.racing import advance as advance_learners
from jaxloss.learning.unroll import Bind, LocalSearchSettings, local_search
from jaxloss.search.settings import GeneticSettings
from jaxloss.tasks.task import Split, Task

Part = Callable[[PyTree, Bind, Float[Array, " edges"]], Array]
"""``(shared, bind, weights) -> result``: ``bind`` makes a tree's loss from its edge weights."""


class CandidateWay(NamedTuple):
    """The parts of the way, for one candidate.

    Attributes:
        improve: the rejection test's improvement of the metric; shares a key and examples.
        tune: weights after local search; shares a key and the train and valid splits.
        norms: gradient norms on examples; shares what ``improve`` does.
        train: fitness for each seed after partial training; shares what ``tune`` does.
        advance: ``(leg, bind, weights, learners) -> (learners, fitness for each seed)``, partial
            training from one comparison to the next where candidates race.
    """

    improve: Part
    tune: Part
    norms: Part
    train: Part
    advance: Callable[[Leg, Bind, Float[Array, " edges"], Learner], tuple[Learner, Array]]


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
        key, train, valid = shared
        if tuning is None:
            return weights
        model, optimizer = task.model, settings.optimizer
        tuned, _ = local_search(
            key, model, optimizer, tuning, task.task_loss, bind, train, valid, weights
        )
        return tuned

    def norms(shared: PyTree, bind: Bind, weights: Array) -> Array:
        key, examples = shared
        outputs = untrained_outputs(key, examples)
        return gradient_norms(bind(weights), outputs, examples.targets)

    def train(shared: PyTree, bind: Bind, weights: Array) -> Array:
        key, training, valid = shared
        return partial_training(
            key, task, settings.optimizer, settings.fitness, bind(weights), training, valid
        )

    def advance(leg: Leg, bind: Bind, weights: Array, learners: Learner) -> tuple[Learner, Array]:
        return advance_learners(task, settings.optimizer, bind(weights), leg, learners)

    return CandidateWay(improve, tune, norms, train, advance)
