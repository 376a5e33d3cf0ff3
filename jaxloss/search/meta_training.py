"""The search that methods with gradients share: tune the parameters of a family by meta-gradients.

Several losses can start from different draws and are tuned side by side. Between rounds of meta
steps each is scored by partial training, so that the best of the way is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.finalists import Finalist
from jaxloss.learning.local_search import LocalSearchSettings, TunerState
from jaxloss.learning.population import over_population
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.forms import Form
from jaxloss.losses.learned import LearnedLoss
from jaxloss.search.candidate import Splits, TuningWay, tuning_way
from jaxloss.search.finals import judged_again
from jaxloss.search.flat_judging import flat_judge
from jaxloss.search.hall import Hall, empty_hall, entered
from jaxloss.search.plan import chunk_of
from jaxloss.search.programs import drawing
from jaxloss.search.search import FrontEntry, Info, Search
from jaxloss.search.settings import PopulationSettings
from jaxloss.search.several import Tasks
from jaxloss.search.strategy_search import front_of_hall, generation_info, losses_of, on_host


@dataclass(frozen=True, kw_only=True)
class MetaSettings(PopulationSettings):
    """A search by meta-gradients; ``meta_steps`` are those of the whole search."""

    population: int = 1
    """Losses that start from draws of their own; the papers have one."""
    generations: int = 10
    """Rounds of meta steps, after each of which losses are scored and the best kept (*assumed*)."""
    tuning: LocalSearchSettings = field(default_factory=LocalSearchSettings)
    rejection: RejectionSettings = field(default_factory=lambda: RejectionSettings(when="never"))
    """Whether hopeless losses are spared the scoring; the papers have no such test."""

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.tuning.meta_steps
        require(
            steps >= 1 and steps % self.generations == 0,
            f"meta_steps must be a multiple of the {self.generations} generations, got {steps}",
        )

    @property
    def steps_of_round(self) -> int:
        """Meta steps in a generation."""
        return self.tuning.meta_steps // self.generations


class MetaState(NamedTuple):
    """All that the next generation needs.

    Attributes:
        key: of the whole search.
        generation: how many rounds are done.
        losses: parameters and outer optimiser of each loss.
        hall: the best on the way.
    """

    key: PRNGKeyArray
    generation: Int[np.ndarray, ""]
    losses: TunerState
    hall: Hall


def meta_training(
    method: str,
    tasks: Tasks,
    settings: MetaSettings,
    form: Form,
    way: TuningWay | None = None,
    fresh: Callable[[PRNGKeyArray], Array] | None = None,
) -> Search:
    """Makes a search for the parameters of one family by meta-gradients.

    Args:
        method: what the losses' origin names.
        tasks: what losses are judged on; the meta-loss is the mean of the task losses.
        settings: of the search.
        form: the family.
        way: how its parameters are tuned; by default on the batches of the tasks' splits.
        fresh: ``(key) -> parameters`` of a loss at its start; by default the family's own.
    """
    length = settings.steps_of_round
    fresh = fresh or form.family().init
    way = way or tuning_way(tasks, settings, settings.tuning)
    bind = family_binding(form, tasks[0].view)
    judge = flat_judge(tasks, settings, form, tasks[0].view.name)
    splits = [(task.train, task.valid) for task in tasks]
    taken = len(tasks) * length * settings.tuning.inner_steps * settings.population

    def of_one(shared: tuple[PyTree, Splits, Array], state: TunerState) -> TunerState:
        return way.advance(*shared, bind, state)

    chunk = settings.chunk or chunk_of("tune", settings.population, tasks[0])
    advance = drawing(way.draw, over_population(of_one, chunk))

    @jax.jit
    def begin(key: PRNGKeyArray) -> TunerState:
        keys = jax.random.split(named_key(key, "fresh losses"), settings.population)
        return jax.vmap(lambda key: way.begin(fresh(key)))(keys)

    def init(key: PRNGKeyArray) -> MetaState:
        hall = empty_hall(settings.trial.finalists, form.parameter_count)
        return MetaState(key, np.array(0, np.int32), on_host(begin(key)), hall)

    def step(state: MetaState) -> tuple[MetaState, Info]:
        number = int(state.generation)
        require(
            number < settings.generations,
            f"the search has gone through its {settings.generations} generations",
        )
        numbers = np.arange(number * length, (number + 1) * length, dtype=np.int32)
        shared = named_key(state.key, "meta steps"), splits, numbers
        losses = advance(shared, state.losses)
        verdicts = judge(state.key, losses.loss_params)
        hall = entered(state.hall, losses.loss_params, verdicts.fitness, verdicts.trained)
        state = MetaState(state.key, np.array(number + 1, np.int32), losses, hall)
        info = generation_info(number, hall, found(state), verdicts)
        return state, info._replace(training_steps=info.training_steps + taken)

    def found(state: MetaState) -> list[LearnedLoss]:
        return losses_of(method, tasks, form, state.hall)

    def front(state: MetaState) -> list[FrontEntry]:
        return front_of_hall(found(state), state.hall)

    def finalists(state: MetaState) -> list[Finalist]:
        normalize = settings.fitness.normalize
        return judged_again(method, tasks, settings, state.key, found(state), normalize)

    def best(state: MetaState) -> LearnedLoss:
        return finalists(state)[0].loss

    return Search(init, step, best, front, finalists, settings.generations, settings.population)
