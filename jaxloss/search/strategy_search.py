"""The search that evolution strategies share: ask for parameters of a family, judge them, tell.

The generation is judged in one program; a parameter vector that the rejection test drops is told as
worse than all whose training ended well, so that every point a strategy hears of was evaluated: by
the test or by a training.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.finalists import Finalist
from jaxloss.losses.forms import Form
from jaxloss.losses.learned import LearnedLoss
from jaxloss.search.finals import judged_again, origin_of
from jaxloss.search.flat_judging import FlatVerdicts, flat_judge
from jaxloss.search.hall import Hall, empty_hall, entered
from jaxloss.search.search import FrontEntry, Info, Search
from jaxloss.search.settings import PopulationSettings
from jaxloss.search.several import Tasks
from jaxloss.search.strategies import strategy


@dataclass(frozen=True, kw_only=True)
class StrategySettings(PopulationSettings):
    """A search by an evolution strategy; the defaults are TaylorGLO's unless *assumed*."""

    strategy: str = "cma_es"
    """Which of evosax's strategies."""
    sigma: float = 1.2
    """Initial step size (the released code)."""
    rejection: RejectionSettings = field(default_factory=lambda: RejectionSettings(when="before"))
    """Hopeless losses are ranked last without a training; *assumed*, the paper trains with all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.sigma > 0, f"sigma must be above 0, got {self.sigma}")


class StrategyState(NamedTuple):
    """All that the next generation needs.

    Attributes:
        key: of the whole search; generations fold their number in.
        generation: how many generations have been judged.
        strategy: the strategy's own state.
        hall: the best so far.
    """

    key: PRNGKeyArray
    generation: Int[np.ndarray, ""]
    strategy: PyTree
    hall: Hall


def strategy_search(
    method: str,
    tasks: Tasks,
    settings: StrategySettings,
    form: Form,
    start: Float[np.ndarray, " parameters"],
) -> Search:
    """Makes a search for the parameters of one family.

    Args:
        method: what the losses' origin names.
        tasks: what losses are judged on.
        settings: of the search.
        form: the family.
        start: where the strategy starts.

    Raises:
        InvalidInputError: there is no such strategy, or it cannot work with the population.
    """
    view = tasks[0].view.name
    own = strategy(settings.strategy, settings.population, form.parameter_count, settings.sigma)
    judge = flat_judge(tasks, settings, form, view, settings.strategy)
    begin, ask, tell = jax.jit(own.init), jax.jit(own.ask), jax.jit(own.tell)

    def init(key: PRNGKeyArray) -> StrategyState:
        state = begin(named_key(key, "strategy"), start)
        hall = empty_hall(settings.trial.finalists, form.parameter_count)
        return StrategyState(key, np.array(0, np.int32), on_host(state), hall)

    def step(state: StrategyState) -> tuple[StrategyState, Info]:
        number = int(state.generation)
        require(
            number < settings.generations,
            f"the search has gone through its {settings.generations} generations",
        )
        ask_key, tell_key = jax.random.split(
            jax.random.fold_in(named_key(state.key, "strategy"), number + 1)
        )
        candidates, asked = ask(ask_key, state.strategy)
        candidates = np.asarray(candidates)
        verdicts = judge(state.key, candidates)
        told = tell(tell_key, candidates, verdicts.ranking.astype(np.float32), asked)
        hall = entered(state.hall, candidates, verdicts.fitness, verdicts.trained)
        state = StrategyState(state.key, np.array(number + 1, np.int32), on_host(told), hall)
        return state, generation_info(number, hall, losses(state), verdicts)

    def losses(state: StrategyState) -> list[LearnedLoss]:
        return losses_of(method, tasks, form, state.hall)

    def front(state: StrategyState) -> list[FrontEntry]:
        return front_of_hall(losses(state), state.hall)

    def finalists(state: StrategyState) -> list[Finalist]:
        normalize = settings.fitness.normalize
        return judged_again(method, tasks, settings, state.key, losses(state), normalize)

    def best(state: StrategyState) -> LearnedLoss:
        return finalists(state)[0].loss

    return Search(init, step, best, front, finalists, settings.generations, settings.population)


def generation_info(
    number: int, hall: Hall, losses: list[LearnedLoss], verdicts: FlatVerdicts
) -> Info:
    """Tells people what a generation came to."""
    return Info(
        generation=number,
        best_fitness=float(hall.fitness[0]),
        best=losses[0] if losses else None,
        candidates=len(verdicts.fitness),
        trained=int(verdicts.trained.sum()),
        dropped=verdicts.dropped,
        training_steps=verdicts.training_steps,
    )


def losses_of(method: str, tasks: Tasks, form: Form, hall: Hall) -> list[LearnedLoss]:
    """Reads the losses of a hall, best first."""
    origin, view = origin_of(method, tasks), tasks[0].view.name
    rows = hall.parameters[: hall.filled]
    return [LearnedLoss(form, tuple(row.tolist()), view, origin) for row in rows]


def front_of_hall(losses: list[LearnedLoss], hall: Hall) -> list[FrontEntry]:
    """Reads the front of a family whose losses are all of one size: the fittest alone."""
    if not losses:
        return []
    return [FrontEntry(losses[0], losses[0].form.size, float(hall.fitness[0]))]


def on_host(state: PyTree) -> PyTree:
    """Brings arrays to the host, keys aside, as all states of searches hold them."""

    def host(leaf: Array) -> np.ndarray | Array:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return leaf if is_key else np.asarray(leaf)

    return jax.tree.map(host, state)
