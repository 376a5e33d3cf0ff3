"""AdaLFL: a loss network that is tuned offline, and then at every step of the training.

Raymond et al., "Online Loss Function Learning", https://arxiv.org/abs/2301.13247. What the search
hands over is a loss that goes on learning wherever it trains; its online phase here is one such
training, which can stop and go on at any round and records the loss as it changes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.compilation import steady_options
from jaxloss.learning.finalists import Finalist
from jaxloss.learning.fitness import network_fitness
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.online import (
    OnlineDraws,
    OnlineLearner,
    draw_online,
    online_stepper,
    start_online,
)
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.forms import OnlineForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.network import adalfl_network
from jaxloss.search.finals import judged_again, origin_of
from jaxloss.search.meta_training import MetaSettings, MetaState, meta_training
from jaxloss.search.search import FrontEntry, Info, Search
from jaxloss.search.several import as_tasks
from jaxloss.search.strategy_search import front_of_hall, losses_of, on_host
from jaxloss.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class AdaLFLSettings(MetaSettings):
    """Settings of AdaLFL; the defaults are the paper's unless *assumed*."""

    tuning: LocalSearchSettings = field(
        default_factory=lambda: LocalSearchSettings(meta_steps=2500)
    )
    """The offline phase."""
    online_learning_rate: float = 1e-5
    """Step size of the loss's Adam in the online phase (*assumed*)."""
    online_generations: int = 10
    """Rounds of the online phase's one training, of ``trial.steps`` steps in all; after each the
    network is scored and the loss recorded (*assumed*)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rounds, steps = self.online_generations, self.trial.steps
        require(
            rounds >= 1 and steps % rounds == 0,
            f"trial steps must be a multiple of the {rounds} online generations, got {steps}",
        )
        require(
            self.online_learning_rate > 0,
            f"online_learning_rate must be above 0, got {self.online_learning_rate}",
        )

    @property
    def steps_of_online_round(self) -> int:
        """Training steps in a round of the online phase."""
        return self.trial.steps // self.online_generations


class AdaLFLState(NamedTuple):
    """All that the next generation needs.

    Attributes:
        offline: of the offline phase.
        generation: how many rounds of the online phase are done.
        online: the network in training and the loss as it is now; zeros before it begins.
        history: the loss's parameters after each online round; NaN for those to come.
        fitness: the network's after each online round; infinite for those to come. For people, it
            cannot be compared with the offline phase's.
    """

    offline: MetaState
    generation: Int[np.ndarray, ""]
    online: OnlineLearner
    history: Float[np.ndarray, "rounds parameters"]
    fitness: Float[np.ndarray, " rounds"]

    @property
    def key(self) -> PRNGKeyArray:
        """Of the whole search."""
        return self.offline.key


def adalfl(tasks: Task | Sequence[Task], settings: AdaLFLSettings | None = None) -> Search:
    """Makes an AdaLFL search; on several tasks the online phase trains on the first.

    Args:
        tasks: what losses are judged on: one task, or several that show their losses the same.
        settings: the paper's by default.

    Raises:
        InvalidInputError: the tasks do not fit each other.
    """
    settings = settings or AdaLFLSettings()
    together = as_tasks(tasks)
    task, network = together[0], adalfl_network(together[0].view.variables)
    form = OnlineForm(network, settings.online_learning_rate)
    offline = meta_training("adalfl", together, settings, network)
    training = _online_training(task, settings, form)
    steps = settings.generations + settings.online_generations

    def init(key: PRNGKeyArray) -> AdaLFLState:
        state = offline.init(key)
        history = np.full((settings.online_generations, form.parameter_count), np.nan, np.float32)
        fitness = np.full(settings.online_generations, np.inf, np.float32)
        online = training.blank(state.hall.parameters[0])
        return AdaLFLState(state, np.array(0, np.int32), online, history, fitness)

    def step(state: AdaLFLState) -> tuple[AdaLFLState, Info]:
        if int(state.offline.generation) < settings.generations:
            tuned, info = offline.step(state.offline)
            return state._replace(offline=tuned), info
        number = int(state.generation)
        require(
            number < settings.online_generations,
            f"the search has gone through its {steps} generations",
        )
        online, reached = training.advance(state.key, number, begun(state))
        history, fitness = np.array(state.history), np.array(state.fitness)
        history[number], fitness[number] = online.loss_params, reached
        done = np.array(number + 1, np.int32)
        state = AdaLFLState(state.offline, done, online, history, fitness)
        return state, report(state)

    def begun(state: AdaLFLState) -> OnlineLearner:
        if state.generation > 0:
            return state.online
        return training.begin(state.key, state.offline.hall.parameters[0])

    def report(state: AdaLFLState) -> Info:
        """Tells of the loss as it is now, beside the offline fitness that the search goes by.

        How one online training went is no such fitness: it has its own seed, steps and task.
        """
        values, hall = np.asarray(state.online.loss_params), state.offline.hall
        view, origin = task.view.name, origin_of("adalfl", together)
        sound = hall.filled > 0 and bool(np.all(np.isfinite(values)))
        now = LearnedLoss(network, tuple(values.tolist()), view, origin) if sound else None
        number = settings.generations + int(state.generation) - 1
        return Info(
            generation=number,
            best_fitness=float(hall.fitness[0]),
            best=now,
            candidates=1,
            trained=1,
            dropped={},
            training_steps=settings.steps_of_online_round,
        )

    def found(state: AdaLFLState) -> list[LearnedLoss]:
        return losses_of("adalfl", together, form, state.offline.hall)

    def front(state: AdaLFLState) -> list[FrontEntry]:
        return front_of_hall(found(state), state.offline.hall)

    def finalists(state: AdaLFLState) -> list[Finalist]:
        normalize = settings.fitness.normalize
        return judged_again("adalfl", together, settings, state.key, found(state), normalize)

    def best(state: AdaLFLState) -> LearnedLoss:
        return finalists(state)[0].loss

    return Search(init, step, best, front, finalists, steps, settings.population)


class _OnlineTraining(NamedTuple):
    """The online phase's one training.

    Attributes:
        begin: ``(key, loss_params) -> learner``: draws the network.
        blank: ``(loss_params) -> learner`` of zeros, which holds its place until the phase begins.
        advance: ``(key, number, learner) -> (learner, fitness)``: takes the steps of a round.
    """

    begin: Callable[[PRNGKeyArray, np.ndarray], OnlineLearner]
    blank: Callable[[np.ndarray], OnlineLearner]
    advance: Callable[[PRNGKeyArray, int, OnlineLearner], tuple[OnlineLearner, float]]


def _online_training(task: Task, settings: AdaLFLSettings, form: OnlineForm) -> _OnlineTraining:
    bind = family_binding(form.base, task.view)
    optimizer, rate = settings.optimizer, settings.online_learning_rate

    def draws(key: PRNGKeyArray) -> OnlineDraws:
        own = named_key(key, "online training")
        return draw_online(own, task, optimizer, task.train, task.valid, settings.trial.steps)

    def start(key: PRNGKeyArray, loss_params: Array) -> OnlineLearner:
        return start_online(draws(key), loss_params, rate)

    def blank(loss_params: np.ndarray) -> OnlineLearner:
        shapes = jax.eval_shape(start, jax.random.key(0), loss_params)
        return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)

    def take_round(
        key: PRNGKeyArray, number: Array, state: OnlineLearner
    ) -> tuple[OnlineLearner, Array]:
        step = online_stepper(task, optimizer, rate, bind, draws(key), task.train, task.valid)
        numbers = number * settings.steps_of_online_round
        numbers += jnp.arange(settings.steps_of_online_round)
        state, _ = jax.lax.scan(lambda *carried: (step(*carried), None), state, numbers)
        return state, network_fitness(task, state.learner.variables, task.valid)

    begin = jax.jit(start)
    compiled = jax.jit(take_round, compiler_options=steady_options())

    def advance(
        key: PRNGKeyArray, number: int, state: OnlineLearner
    ) -> tuple[OnlineLearner, float]:
        state, fitness = compiled(key, np.int32(number), state)
        return on_host(state), float(fitness)

    return _OnlineTraining(lambda *given: on_host(begin(*given)), blank, advance)
