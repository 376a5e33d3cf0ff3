"""Racing: candidates train side by side, and the worse part of them leaves before the end.

Successive halving, after Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and
Hyperparameter Optimization", https://arxiv.org/abs/1502.07943. Theirs spends one budget, whatever
the number of candidates; here every race ends after the same number of steps, so that fitness stays
comparable between races. Who stays is rounded up, so that someone always reaches the end.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from jaxloss.learning.fitness import FitnessSettings, network_fitness
from jaxloss.learning.inner import (
    BaseOptimizerSettings,
    Draws,
    ExampleLoss,
    Learner,
    stepper,
)
from jaxloss.learning.population import PopulationProgram
from jaxloss.tasks.task import Split, Task


class Leg(NamedTuple):
    """What all candidates share on their way from one comparison to the next.

    Attributes:
        batches: indices of the examples of each step of the whole training, for each seed.
        noise_keys: of dropout.
        begin: how many steps have been taken.
        end: how many will have been.
        training: examples to train on.
        held_out: examples to score on.
    """

    batches: Int[Array, "seeds steps batch"]
    noise_keys: PRNGKeyArray
    begin: Int[Array | np.ndarray, ""]
    end: Int[Array | np.ndarray, ""]
    training: Split
    held_out: Split


def advance(
    task: Task,
    optimizer: BaseOptimizerSettings,
    loss: ExampleLoss,
    leg: Leg,
    learners: Learner,
) -> tuple[Learner, Float[Array, " seeds"]]:
    """Trains on from ``leg.begin`` to ``leg.end`` and scores.

    The bounds may be traced, so that one program serves all legs. Training in several legs takes
    the very steps of training in one.

    Args:
        task: gives the model and the metric.
        optimizer: the base optimiser.
        loss: the candidate.
        leg: what all candidates share.
        learners: one for each seed, as the leg before left them.

    Returns:
        The learners and the fitness of each; infinite where it is not finite.
    """

    def one(learner: Learner, batches: Array, noise_key: PRNGKeyArray) -> tuple[Learner, Array]:
        step = stepper(task.model, optimizer, loss, leg.training, batches, noise_key)
        learner = jax.lax.fori_loop(
            leg.begin, leg.end, lambda number, learner: step(learner, number), learner
        )
        return learner, network_fitness(task, learner.variables, leg.held_out)

    return jax.vmap(one)(learners, leg.batches, leg.noise_keys)


def race(
    settings: FitnessSettings,
    draws: Callable[[PRNGKeyArray, Split], Draws],
    advance: PopulationProgram,
) -> PopulationProgram:
    """Makes the race of a population.

    Args:
        settings: how long it is, when candidates are compared and how many stay.
        draws: ``(key, training) -> draws`` with a leading axis of seeds.
        advance: ``(leg, (*candidates, learners)) -> (learners, fitness)``, the latter of shape
            ``[candidates, seeds]``.

    Returns:
        ``((key, training, held_out), candidates) -> (fitness, finished)`` with the fitness of each
        seed when the candidate left, and whether it was trained to the end. The lower mean stays,
        at a tie the candidate that comes first; one that is not finite never stays.
    """

    def started(shared: PyTree, candidates: PyTree) -> tuple[Leg, PyTree]:
        key, training, held_out = shared
        drawn = draws(key, training)
        bounds = _number(0), _number(settings.lengths[0])
        leg = Leg(drawn.batches, drawn.noise_key, *bounds, training, held_out)
        count = len(jax.tree.leaves(candidates)[0])
        learners = jax.tree.map(
            lambda leaf: np.broadcast_to(np.asarray(leaf), (count, *leaf.shape)), drawn.learner
        )
        return leg, learners

    def run(shared: PyTree, candidates: PyTree) -> tuple[np.ndarray, np.ndarray]:
        leg, learners = started(shared, candidates)
        learners, fitness = advance(leg, (*candidates, learners))
        going = np.arange(len(fitness))
        for end in settings.lengths[1:]:
            stays = staying(fitness[going].mean(axis=1), settings.survivors(len(going)))
            going, learners = going[stays], _rows(learners, stays)
            if not len(going):
                break
            leg = leg._replace(begin=leg.end, end=_number(end))
            learners, fitness[going] = advance(leg, (*_rows(candidates, going), learners))
        finished = np.zeros(len(fitness), bool)
        finished[going] = True
        return fitness, finished

    def prepare(shared: PyTree, candidates: PyTree) -> None:
        leg, learners = started(shared, candidates)
        advance.prepare(leg, (*candidates, learners))

    return PopulationProgram(run, prepare)


def staying(
    fitness: Float[np.ndarray, " candidates"], survivors: int
) -> Int[np.ndarray, " survivors"]:
    """Finds who trains on: so many with the lowest finite fitness, in their own order."""
    best = np.argsort(fitness, kind="stable")[:survivors]
    return np.sort(best[np.isfinite(fitness[best])])


def behind_finishers(
    fitness: Float[np.ndarray, " candidates"], finished: Bool[np.ndarray, " candidates"]
) -> Float[np.ndarray, " candidates"]:
    """Makes fitness after a short training comparable with that after a full one.

    Who left keeps the fitness of that moment, for selection among those who left, but is put
    behind the worst that finished, whom it has lost against after the same steps. A short training
    can score better than a full one, and so a loss that was never trained in full could otherwise
    outlive all that were, as an elite. Where no training to the end was finite, there is nothing to
    compare with, and who left gets infinity.
    """
    ends = fitness[finished & np.isfinite(fitness)]
    worst = np.nextafter(ends.max(), np.inf) if len(ends) else np.inf
    return np.where(finished, fitness, np.maximum(fitness, worst))


def _number(steps: int) -> Int[np.ndarray, ""]:
    return np.array(steps, np.int32)


def _rows(tree: PyTree, rows: np.ndarray) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[rows], tree)
