"""The programs of tuned trainings: learning rate, weight decay and the loss come as data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.learning.as_genome import ROW_ALPHABETS, genome_of, row_tree_of
from jaxloss.learning.compilation import KEPT_PROGRAMS
from jaxloss.learning.fitness import network_fitness, network_score
from jaxloss.learning.inner import ExampleLoss, draw, stepper, train
from jaxloss.learning.online import (
    OnlineDraws,
    draw_online,
    online_stepper,
    start_online,
    train_online,
)
from jaxloss.learning.optimizers import Rule, TracedOptimizer
from jaxloss.learning.population import MOST_AT_ONCE, PopulationProgram, over_population
from jaxloss.learning.sizes import element_count
from jaxloss.losses.binding import interpreted_binding
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.form import Form
from jaxloss.losses.forms import OnlineForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.row_interpreter import row_binding
from jaxloss.losses.tunable import FixedBinding, TunableLoss
from jaxloss.losses.views import View, view_named
from jaxloss.losses.ways import chosen_way
from jaxloss.models.model import Variables
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.primitives import PrimitiveSet
from jaxloss.tasks.task import Split, Task

Binding = Callable[..., ExampleLoss]
"""``(own parameters, *data) -> loss``; equal ones make equal programs."""


@dataclass(frozen=True)
class _AnyTree:
    """Binds whatever tree comes as data."""

    alphabet: Alphabet
    view: View

    def __call__(self, _own: Array, genome: Array, weights: Array) -> ExampleLoss:
        return interpreted_binding(self.alphabet, self.view, genome)(weights)


@dataclass(frozen=True)
class _AnyRowTree:
    """Binds whatever tree of not only elementwise primitives comes as data."""

    view: str

    def __call__(self, _own: Array, genome: Array) -> ExampleLoss:
        return row_binding(ROW_ALPHABETS[self.view], view_named(self.view), genome)


@dataclass(frozen=True)
class _AnyOfForm:
    """Binds whatever parameters of a form come as data."""

    form: Form
    view: View

    def __call__(self, _own: Array, parameters: Array) -> ExampleLoss:
        return family_binding(self.form, self.view)(parameters)


@dataclass(frozen=True)
class _Adapting:
    """A loss that each training adapts, from parameters that come as data."""

    form: OnlineForm
    view: View

    def __call__(self, _own: Array, parameters: Array) -> ExampleLoss:
        """Binds the loss of the start."""
        return family_binding(self.form.base, self.view)(parameters)


class Executable(NamedTuple):
    """A loss in two parts.

    Attributes:
        binding: what is compiled.
        data: what is given to the compiled program.
    """

    binding: Binding
    data: tuple[np.ndarray, ...]


def parted(task: Task, loss: TunableLoss, batch_size: int, steps: int) -> Executable:
    """Parts a loss in what is compiled and what is data.

    Args:
        task: where it trains.
        loss: of the fixed ones, what a search learned becomes data: trees if that takes less time,
            and the parameters of all other forms.
        batch_size: examples of a batch.
        steps: training steps that will be taken, all together.
    """
    if not isinstance(loss.bind, FixedBinding):
        return Executable(loss.bind, ())
    held = loss.bind.loss
    batch = min(batch_size, len(task.train.inputs))
    way = chosen_way("auto", steps * batch * element_count(task))
    if way == "interpreted":
        alphabet = Alphabet(PrimitiveSet(variables=task.view.variables))
        tree = genome_of(alphabet, task, held)
        if tree is not None:
            return Executable(_AnyTree(alphabet, task.view), tree)
        row_tree = row_tree_of(held)
        if row_tree is not None:
            return Executable(_AnyRowTree(row_tree.view), (row_tree.genome,))
    if not isinstance(held, LearnedLoss) or not held.parameters:
        return Executable(loss.bind, ())
    form, view = held.form, view_named(held.view)
    binding = _Adapting(form, view) if isinstance(form, OnlineForm) else _AnyOfForm(form, view)
    return Executable(binding, (np.array(held.parameters, jnp.result_type(float)),))


def runs_at_once(runs: int) -> int:
    """Chooses how many trainings each device takes in one call.

    Small networks on a CPU train faster in fours than alone (MLP 50-50: 12 ms instead of 17); large
    ones do not, and gain nothing. As few as possible are copies that fill the last call up. Only on
    accelerators, which take up to `MOST_AT_ONCE`, it depends on their number.
    """
    if jax.default_backend() == "cpu":
        return -(-runs // -(-runs // 4))
    share = -(-runs // jax.device_count())
    return -(-share // -(-share // MOST_AT_ONCE))


@lru_cache(maxsize=KEPT_PROGRAMS)
def observed_trainings(
    task: Task,
    momentum: float,
    batch_size: int,
    steps: int,
    observations: int,
    binding: Binding,
    chunk: int,
    rule: Rule = "sgd",
) -> PopulationProgram:
    """Makes ``((splits, data), (keys, configurations)) -> fitness`` after each of the lengths."""

    def run(shared: Any, candidate: tuple[Array, Array]) -> Float[Array, " observations"]:
        (training, valid), data = shared
        key_data, configuration = candidate
        optimizer = TracedOptimizer(configuration[0], momentum, configuration[1], batch_size, rule)

        def fitness(variables: Variables) -> Array:
            return network_fitness(task, variables, valid)

        key = jax.random.wrap_key_data(key_data)
        if isinstance(binding, _Adapting):
            return train_online(
                draw_online(key, task, optimizer, training, valid, steps),
                task,
                optimizer,
                binding.form.learning_rate,
                family_binding(binding.form.base, binding.view),
                data[0],
                training,
                valid,
                fitness,
                observations,
            )[1]
        return train(
            key,
            task.model,
            optimizer,
            binding(configuration[2:], *data),
            training,
            steps,
            fitness,
            observations,
        )[1]

    return over_population(run, chunk)


@lru_cache(maxsize=KEPT_PROGRAMS)
def whole_trainings(
    task: Task,
    momentum: float,
    batch_size: int,
    steps_cap: int,
    binding: Binding,
    chunk: int,
    rule: Rule = "sgd",
) -> PopulationProgram:
    """Makes ``((splits, steps, configuration, data), keys) -> (valid, test)`` in the metric."""

    def run(shared: Any, key_data: Array) -> tuple[Array, Array]:
        (training, valid, test), steps, configuration, data = shared
        optimizer = TracedOptimizer(configuration[0], momentum, configuration[1], batch_size, rule)
        key = jax.random.wrap_key_data(key_data)

        def metric(variables: Variables, split: Split) -> Array:
            return network_score(task, variables, split)

        if isinstance(binding, _Adapting):
            drawn = draw_online(key, task, optimizer, training, valid, steps_cap)
            variables = _adapted(task, optimizer, binding, drawn, (training, valid), steps, data)
        else:
            loss = binding(configuration[2:], *data)
            variables = _trained(task, optimizer, loss, key, training, steps, steps_cap)
        return metric(variables, valid), metric(variables, test)

    return over_population(run, chunk)


def _trained(
    task: Task,
    optimizer: TracedOptimizer,
    loss: ExampleLoss,
    key: PRNGKeyArray,
    training: Split,
    steps: Array,
    steps_cap: int,
) -> Variables:
    drawn = draw(key, task.model, optimizer, training, steps_cap)
    step = stepper(task.model, optimizer, loss, training, drawn.batches, drawn.noise_key)
    learner = jax.lax.fori_loop(
        0, steps, lambda number, learner: step(learner, number), drawn.learner
    )
    return learner.variables


def _adapted(
    task: Task,
    optimizer: TracedOptimizer,
    binding: _Adapting,
    drawn: OnlineDraws,
    splits: tuple[Split, Split],
    steps: Array,
    data: tuple[Array, ...],
) -> Variables:
    """Trains a network while its loss learns."""
    rate = binding.form.learning_rate
    bind = family_binding(binding.form.base, binding.view)
    step = online_stepper(task, optimizer, rate, bind, drawn, *splits)
    start = start_online(drawn, data[0], rate)
    state = jax.lax.fori_loop(0, steps, lambda number, state: step(state, number), start)
    return state.learner.variables
