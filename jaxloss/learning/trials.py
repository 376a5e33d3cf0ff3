"""Full trainings under a loss over several seeds, for finalists and the last comparison."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.learning.as_genome import ROW_ALPHABETS, genome_of, row_tree_of
from jaxloss.learning.compilation import KEPT_PROGRAMS, all_at_once
from jaxloss.learning.fitness import network_score
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss, train
from jaxloss.learning.online import draw_online, train_online
from jaxloss.learning.population import PopulationProgram, over_population
from jaxloss.learning.sizes import element_count
from jaxloss.losses.binding import interpreted_binding
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.forms import Form, OnlineForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.row_interpreter import row_binding
from jaxloss.losses.views import View, view_named
from jaxloss.losses.ways import Way, chosen_way
from jaxloss.models.model import Variables
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.primitives import PrimitiveSet
from jaxloss.tasks.task import Split, Task

_Splits = tuple[Split, Split, Split]


@dataclass(frozen=True)
class TrialSettings:
    """How losses are trained with for good; steps from the released EvoMAL code, rest *assumed*."""

    steps: int = 10_000
    """Training steps under each loss."""
    finalists: int = 5
    """Losses of the front that are trained again with fresh seeds before one is named."""
    finalist_seeds: int = 5
    """Fresh seeds for each of those trainings, scored on the validation split."""
    seeds: int = 10
    """Seeds of the last comparison with the task loss, scored on the test split."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"trial steps must be 1 or more, got {self.steps}")
        require(self.finalists >= 1, f"finalists must be 1 or more, got {self.finalists}")
        require(self.finalist_seeds >= 1, f"finalist_seeds must be >= 1, got {self.finalist_seeds}")
        require(self.seeds >= 2, f"a comparison needs 2 seeds or more, got {self.seeds}")


class Trials(NamedTuple):
    """What trainings under one loss reached, one row a seed, in the metric's own direction.

    Attributes:
        valid: the metric on the validation split after training.
        test: the metric on the test split after training.
        curve: the metric on the validation split along the way.
    """

    valid: Float[np.ndarray, " seeds"]
    test: Float[np.ndarray, " seeds"]
    curve: Float[np.ndarray, "seeds observations"]


class TrialRunner(NamedTuple):
    """Trains under a loss over several seeds.

    Attributes:
        run: ``(loss, key, seeds) -> trials``.
        prepare: ``(losses) -> None`` compiles for several losses at once; without it, each loss's
            first run compiles.
    """

    run: Callable[[ExampleLoss, PRNGKeyArray, int], Trials]
    prepare: Callable[[Sequence[ExampleLoss]], None]

    def __call__(self, loss: ExampleLoss, key: PRNGKeyArray, seeds: int) -> Trials:
        """Trains."""
        return self.run(loss, key, seeds)


OBSERVATIONS = 40
"""Most points of a training curve."""

SEEDS_AT_ONCE = 3
"""Seeds that each device trains in one call of a compiled program."""


def even_observations(steps: int, most: int) -> int:
    """Counts the points of a curve that are evenly spaced, the last of them at the end."""
    return next(count for count in range(most, 0, -1) if steps % count == 0)


@lru_cache(maxsize=64)
def trial_runner(
    task: Task, optimizer: BaseOptimizerSettings, steps: int, way: Way = "auto"
) -> TrialRunner:
    """Makes the trainings; the same arguments give the same runner, so nothing compiles twice.

    The same key gives every loss the same networks and batches, so that results can be compared in
    pairs. Trees run by the way that takes less time: one program for all of them, or each its own.
    """
    observations = even_observations(steps, OBSERVATIONS)
    alphabet = Alphabet(PrimitiveSet(variables=task.view.variables))
    batch = min(optimizer.batch_size, len(task.train.inputs))
    # Ten seeds, as many as the default: which way wins hardly depends on it.
    tree_way = chosen_way(way, 10 * steps * batch * element_count(task))

    def metric(variables: Variables, split: Split) -> Array:
        return network_score(task, variables, split)

    def one(splits: _Splits, key_data: Array, loss: ExampleLoss) -> tuple[Array, Array, Array]:
        training, valid, test = splits
        variables, curve = train(
            jax.random.wrap_key_data(key_data),
            task.model,
            optimizer,
            loss,
            training,
            steps,
            observe=lambda variables: metric(variables, valid),
            observations=observations,
        )
        return metric(variables, valid), metric(variables, test), curve

    @lru_cache(maxsize=2)
    def any_row_tree(view: str) -> PopulationProgram:
        def run(splits: _Splits, candidate: tuple[Array, ...]) -> tuple[Array, Array, Array]:
            key_data, genome = candidate
            return one(splits, key_data, row_binding(ROW_ALPHABETS[view], view_named(view), genome))

        return over_population(run, SEEDS_AT_ONCE)

    @lru_cache(maxsize=1)
    def any_tree() -> PopulationProgram:
        def run(splits: _Splits, candidate: tuple[Array, ...]) -> tuple[Array, Array, Array]:
            key_data, genome, weights = candidate
            return one(splits, key_data, interpreted_binding(alphabet, task.view, genome)(weights))

        return over_population(run, SEEDS_AT_ONCE)

    def adapting(
        splits: _Splits, key_data: Array, form: OnlineForm, view: View, parameters: Array
    ) -> tuple[Array, Array, Array]:
        training, valid, test = splits
        key = jax.random.wrap_key_data(key_data)
        variables, curve, _ = train_online(
            draw_online(key, task, optimizer, training, valid, steps),
            task,
            optimizer,
            form.learning_rate,
            family_binding(form.base, view),
            parameters,
            training,
            valid,
            observe=lambda variables: metric(variables, valid),
            observations=observations,
        )
        return metric(variables, valid), metric(variables, test), curve

    @lru_cache(maxsize=KEPT_PROGRAMS)
    def any_of_form(form: Form, view_name: str) -> PopulationProgram:
        view = view_named(view_name)

        def run(splits: _Splits, candidate: tuple[Array, ...]) -> tuple[Array, Array, Array]:
            key_data, parameters = candidate
            if isinstance(form, OnlineForm):
                return adapting(splits, key_data, form, view, parameters)
            return one(splits, key_data, family_binding(form, view)(parameters))

        return over_population(run, SEEDS_AT_ONCE)

    @lru_cache(maxsize=KEPT_PROGRAMS)
    def own_program(loss: ExampleLoss) -> PopulationProgram:
        def run(splits: _Splits, candidate: tuple[Array, ...]) -> tuple[Array, Array, Array]:
            return one(splits, candidate[0], loss)

        return over_population(run, SEEDS_AT_ONCE)

    def program_of(loss: ExampleLoss) -> tuple[PopulationProgram, tuple[np.ndarray, ...]]:
        tree = genome_of(alphabet, task, loss) if tree_way == "interpreted" else None
        if tree is not None:
            return any_tree(), tree
        row_tree = row_tree_of(loss) if tree_way == "interpreted" else None
        if row_tree is not None:
            return any_row_tree(row_tree.view), (row_tree.genome,)
        if not isinstance(loss, LearnedLoss) or not loss.parameters:
            return own_program(loss), ()
        parameters = np.array(loss.parameters, jnp.result_type(float))
        return any_of_form(loss.form, loss.view), (parameters,)

    def work(loss: ExampleLoss, keys: PRNGKeyArray) -> tuple[PopulationProgram, Any]:
        key_data = np.asarray(jax.random.key_data(keys))
        program, inputs = program_of(loss)
        return program, (key_data, *(np.stack([part] * len(key_data)) for part in inputs))

    splits = (task.train, task.valid, task.test)

    def run(loss: ExampleLoss, key: PRNGKeyArray, seeds: int) -> Trials:
        program, candidates = work(loss, jax.random.split(key, seeds))
        return Trials(*program(splits, candidates))

    def prepare(losses: Sequence[ExampleLoss]) -> None:
        works = [work(loss, jax.random.split(jax.random.key(0), 1)) for loss in losses]
        first_uses = dict(works)
        all_at_once(partial(program.prepare, splits, own) for program, own in first_uses.items())

    return TrialRunner(run, prepare)
