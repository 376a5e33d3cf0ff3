"""GLO: genetic programming finds a tree, then CMA-ES tunes the coefficients of the best one.

Gonzalez & Miikkulainen, "Improved Training Speed, Accuracy, and Data Utilization Through Loss
Function Optimization", https://arxiv.org/abs/1905.11528. The coefficients are here those of the
tree's edges, as in EvoMAL; primitives and guards are EvoMAL's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.finalists import Finalist
from jaxloss.losses.forms import TreeForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.search.evolution import EvolutionState, alphabet_of, evolution
from jaxloss.search.finals import fittest_first, judged_again
from jaxloss.search.flat_judging import FlatJudge, FlatVerdicts, flat_judge
from jaxloss.search.hall import Hall, empty_hall, entered
from jaxloss.search.padded_strategies import padded_strategy
from jaxloss.search.search import FrontEntry, Info, Search, unbeaten
from jaxloss.search.settings import GeneticSettings
from jaxloss.search.several import as_tasks
from jaxloss.search.strategy_search import generation_info, losses_of, on_host
from jaxloss.symbols.genome import PAD
from jaxloss.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class GLOSettings(GeneticSettings):
    """Settings of GLO; what trees share with EvoMAL has EvoMAL's defaults (*assumed*)."""

    generations: int = 25
    """Generations that look for a tree (*assumed*)."""
    strategy: str = "cma_es"
    """Which of evosax's strategies tunes the coefficients."""
    tree_steps: int | None = None
    """Inner training steps after which no further generation looks for a tree, so that a budget
    leaves something for the coefficients; without it all of ``generations`` do."""
    coefficient_generations: int = 25
    """Generations that tune coefficients, after those that look for a tree (*assumed*); they have
    those too that ``tree_steps`` spares."""
    sigma: float = 0.5
    """Initial step size around coefficients of 1 (*assumed*)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.sigma > 0, f"sigma must be above 0, got {self.sigma}")
        require(
            self.tree_steps is None or self.tree_steps >= 1,
            f"tree_steps must be 1 or more, or none, got {self.tree_steps}",
        )
        require(
            self.coefficient_generations >= 0,
            f"coefficient_generations must be 0 or more, got {self.coefficient_generations}",
        )
        require(
            self.fitness.rungs == 1
            or (self.coefficient_generations == 0 and self.tree_steps is None),
            f"only trees race: expected 1 fitness rung, got {self.fitness.rungs}, or 0 "
            f"coefficient_generations, got {self.coefficient_generations}, and no tree_steps, "
            f"got {self.tree_steps}",
        )


class GLOState(NamedTuple):
    """All that the next generation needs.

    Attributes:
        trees: of the search for a tree.
        taken: inner training steps of the generations that looked for a tree.
        tuned: how many generations have tuned coefficients.
        tree: the genome whose coefficients are tuned; padding before it is chosen.
        strategy: the strategy's own state, in the shapes of the largest tree.
        hall: the best coefficients so far, those beyond the tree's edges 0.
    """

    trees: EvolutionState
    taken: Int[np.ndarray, ""]
    tuned: Int[np.ndarray, ""]
    tree: Int[np.ndarray, " capacity"]
    strategy: PyTree
    hall: Hall


def glo(tasks: Task | Sequence[Task], settings: GLOSettings | None = None) -> Search:
    """Makes a GLO search.

    Args:
        tasks: what losses are judged on: one task, or several that show their losses the same.
        settings: of both stages.

    Raises:
        InvalidInputError: a formula to start from cannot be read, the strategy cannot be used, or
            the tasks do not fit each other.
    """
    settings = settings or GLOSettings()
    together = as_tasks(tasks)
    alphabet = alphabet_of(together[0], settings)
    trees = evolution("glo", together, settings, None)
    edges = alphabet.capacity - 1
    own = padded_strategy(settings.strategy, settings.population, edges, settings.sigma)
    steps = settings.generations + settings.coefficient_generations

    def form_of(genome: np.ndarray) -> TreeForm:
        return TreeForm(alphabet.decode(genome), alphabet.primitives.variables)

    @lru_cache(maxsize=2)
    def judge_of(form: TreeForm) -> FlatJudge:
        return flat_judge(together, settings, form, together[0].view.name, settings.strategy)

    def init(key: PRNGKeyArray) -> GLOState:
        strategy = own.init(named_key(key, "coefficients"), jnp.ones(1))
        return GLOState(
            trees.init(key),
            np.array(0, np.int32),
            np.array(0, np.int32),
            np.full(alphabet.capacity, PAD, np.int32),
            on_host(strategy),
            empty_hall(settings.trial.finalists, edges),
        )

    def step(state: GLOState) -> tuple[GLOState, Info]:
        require(
            int(state.trees.generation) + int(state.tuned) < steps,
            f"the search has gone through its {steps} generations",
        )
        if looks_for_tree(state):
            grown, info = trees.step(state.trees)
            taken = np.array(state.taken + info.training_steps, np.int32)
            return state._replace(trees=grown, taken=taken), info
        if state.tuned == 0:
            state = with_tree(state)
        return tune(state) if state.tree[0] != PAD else skip(state)

    def looks_for_tree(state: GLOState) -> bool:
        spent = settings.tree_steps is not None and int(state.taken) >= settings.tree_steps
        return state.tuned == 0 and int(state.trees.generation) < settings.generations and not spent

    def with_tree(state: GLOState) -> GLOState:
        """Chooses the fittest tree; stays without one where none survived."""
        table = state.trees.best_of_size
        row = int(np.argmin(table.fitness))
        # A tree of one node has no edge to tune.
        if not np.isfinite(table.fitness[row]) or row < 2:
            return state
        key = named_key(state.trees.key, "coefficients")
        strategy = own.init(key, jnp.ones(row - 1))
        return state._replace(tree=table.genomes[row], strategy=on_host(strategy))

    def skip(state: GLOState) -> tuple[GLOState, Info]:
        number = int(state.trees.generation) + int(state.tuned)
        state = state._replace(tuned=np.array(state.tuned + 1, np.int32))
        return state, Info(number, np.inf, None, 0, 0, {}, 0)

    def tune(state: GLOState) -> tuple[GLOState, Info]:
        form, number = form_of(state.tree), int(state.tuned)
        dimensions = form.parameter_count
        key = jax.random.fold_in(named_key(state.trees.key, "coefficients"), number + 1)
        ask_key, tell_key = jax.random.split(key)
        asked_for, asked = own.ask(ask_key, state.strategy, dimensions)
        candidates = np.asarray(asked_for)
        verdicts = judge_of(form)(state.trees.key, candidates)
        ranking = jnp.asarray(verdicts.ranking, asked_for.dtype)
        told = own.tell(tell_key, asked_for, ranking, asked, dimensions)
        padding = np.zeros((len(candidates), edges - dimensions), np.float32)
        whole = np.concatenate([candidates, padding], axis=1)
        state = state._replace(
            tuned=np.array(number + 1, np.int32),
            strategy=on_host(told),
            hall=entered(state.hall, whole, verdicts.fitness, verdicts.trained),
        )
        return state, report(state, verdicts)

    def report(state: GLOState, verdicts: FlatVerdicts) -> Info:
        entries = front(state)
        best = min(entries, key=lambda entry: entry.fitness)
        number = int(state.trees.generation) + int(state.tuned) - 1
        info = generation_info(number, state.hall, [best.loss], verdicts)
        return info._replace(best_fitness=best.fitness)

    def tuned_losses(state: GLOState) -> list[LearnedLoss]:
        if state.tree[0] == PAD:
            return []
        form = form_of(state.tree)
        own_edges = state.hall.parameters[:, : form.parameter_count]
        return losses_of("glo", together, form, state.hall._replace(parameters=own_edges))

    def front(state: GLOState) -> list[FrontEntry]:
        entries = trees.front(state.trees)
        tuned = tuned_losses(state)
        if not tuned:
            return entries
        size = int(np.sum(state.tree != PAD))
        return unbeaten([*entries, FrontEntry(tuned[0], size, float(state.hall.fitness[0]))])

    def finalists(state: GLOState) -> list[Finalist]:
        """Takes tuned and untuned losses in turn, so that the tuning has to prove itself too."""
        tuned, plain = tuned_losses(state), fittest_first(trees.front(state.trees))
        both = [loss for pair in zip(tuned, plain, strict=False) for loss in pair]
        losses = list(dict.fromkeys([*both, *tuned, *plain]))
        key, normalize = state.trees.key, settings.fitness.normalize
        return judged_again("glo", together, settings, key, losses, normalize)

    def best(state: GLOState) -> LearnedLoss:
        return finalists(state)[0].loss

    return Search(init, step, best, front, finalists, steps, settings.population)
