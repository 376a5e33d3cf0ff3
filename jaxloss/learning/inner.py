"""Inner training: a network's parameters under a loss, as one ``scan`` with resident data.

Everything here is written for one candidate; a population is a ``vmap`` over it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Num, PRNGKeyArray

from jaxloss.errors import require, unknown_name
from jaxloss.learning.optimizers import Optimizer, Rule, decayed
from jaxloss.models.model import Model, Variables
from jaxloss.tasks.task import Split

ExampleLoss = Callable[
    [Float[Array, "batch outputs"], Num[Array, "batch ..."]], Float[Array, " batch"]
]
"""``(outputs, targets) -> per-example values``."""


@dataclass(frozen=True)
class BaseOptimizerSettings:
    """The optimiser of the inner training; defaults from the released EvoMAL code."""

    learning_rate: float = 0.01
    """Step size."""
    momentum: float = 0.9
    """Nesterov momentum, 0 for plain SGD; Adam's first beta."""
    weight_decay: float = 5e-4
    """Factor of the parameters that is added to their gradient."""
    batch_size: int = 128
    """Examples in a batch; all of them where there are fewer."""
    rule: Rule = "sgd"
    """How gradients become steps; sgd in the released code, adam for equations."""

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, f"learning_rate must be above 0, got {self.learning_rate}")
        require(0 <= self.momentum < 1, f"momentum must be in [0, 1), got {self.momentum}")
        require(self.weight_decay >= 0, f"weight_decay must be 0 or more, got {self.weight_decay}")
        require(self.batch_size >= 1, f"batch_size must be 1 or more, got {self.batch_size}")
        if self.rule not in get_args(Rule):
            raise unknown_name("rule of the optimizer", self.rule, get_args(Rule))

    def make(self) -> optax.GradientTransformation:
        """Builds the optimiser."""
        return decayed(self.rule, self.learning_rate, self.momentum, self.weight_decay)


class Learner(NamedTuple):
    """What one step of inner training changes."""

    variables: Variables
    optimizer_state: optax.OptState


def fresh_learner(
    key: PRNGKeyArray, model: Model, optimizer: optax.GradientTransformation, split: Split
) -> Learner:
    """Draws a network and starts its optimiser."""
    variables = model.init(key, split.inputs[:1])
    return Learner(variables, optimizer.init(variables["params"]))


def targets_of(model: Model, variables: Variables, split: Split) -> Num[Array, "examples ..."]:
    """Gives the targets that a loss is given: the recorded ones, or what the network makes them."""
    if model.bootstrap is None:
        return split.targets
    return model.bootstrap(variables, split.inputs, split.targets)


def accompanied(model: Model, loss: ExampleLoss) -> ExampleLoss:
    """Adds the companion of a network to a loss, whose values may have further axes."""
    companion = model.companion
    if companion is None:
        return loss

    def whole(outputs: Array, targets: Array) -> Array:
        values = loss(outputs, targets)
        beside = companion(outputs, targets).astype(values.dtype)
        return values + beside.reshape(-1, *(1,) * (values.ndim - 1))

    return whole


def training_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    loss: ExampleLoss,
    learner: Learner,
    batch: Split,
    key: PRNGKeyArray,
) -> Learner:
    """Takes one step down the mean loss over a batch; differentiable in what ``loss`` holds.

    Where the network has a companion, the step is one down the sum of both.
    """
    loss = accompanied(model, loss)
    held = {name: part for name, part in learner.variables.items() if name != "params"}
    # Outside of what is differentiated: the step treats what the network bootstraps as data.
    targets = targets_of(model, learner.variables, batch)

    def mean_loss(params: Variables) -> tuple[Array, Variables]:
        outputs, variables = model.apply({**held, "params": params}, batch.inputs, True, key)
        return jnp.mean(loss(outputs, targets)), variables

    params = learner.variables["params"]
    gradient, variables = jax.grad(mean_loss, has_aux=True)(params)
    updates, optimizer_state = optimizer.update(gradient, learner.optimizer_state, params)
    renewed = {**variables, "params": optax.apply_updates(params, updates)}
    return Learner(renewed, optimizer_state)


def batch_indices(
    key: PRNGKeyArray, examples: int, batch_size: int, steps: int
) -> Int[Array, "steps batch"]:
    """Draws batches from a stream of shuffled epochs: each example comes once in an epoch."""
    batch = min(batch_size, examples)
    epochs = -(-steps * batch // examples)
    keys = jax.random.split(key, max(epochs, 1))
    stream = jax.vmap(lambda key: jax.random.permutation(key, examples))(keys)
    return stream.reshape(-1)[: steps * batch].reshape(steps, batch)


def take(split: Split, indices: Int[Array, "..."]) -> Split:
    """Picks examples; the indices' axes become the leading ones."""
    return Split(split.inputs[indices], split.targets[indices])


class Draws(NamedTuple):
    """What chance decides about a training, all of it drawn before the first step.

    Attributes:
        learner: the fresh one.
        batches: indices of the examples of each step.
        noise_key: of dropout; each step folds its number in.
    """

    learner: Learner
    batches: Int[Array, "steps batch"]
    noise_key: PRNGKeyArray


def draw(key: PRNGKeyArray, model: Model, settings: Optimizer, split: Split, steps: int) -> Draws:
    """Draws all that a training needs."""
    start_key, batch_key, noise_key = jax.random.split(key, 3)
    examples = split.inputs.shape[0]
    return Draws(
        fresh_learner(start_key, model, settings.make(), split),
        batch_indices(batch_key, examples, settings.batch_size, steps),
        noise_key,
    )


def stepper(
    model: Model,
    settings: Optimizer,
    loss: ExampleLoss,
    split: Split,
    batches: Int[Array, "steps batch"],
    noise_key: PRNGKeyArray,
) -> Callable[[Learner, Int[Array, ""]], Learner]:
    """Makes ``(learner, number) -> learner``: the step of a training that has this number."""
    optimizer = settings.make()

    def step(learner: Learner, number: Int[Array, ""]) -> Learner:
        batch = take(split, batches[number])
        noise = jax.random.fold_in(noise_key, number)
        return training_step(model, optimizer, loss, learner, batch, noise)

    return step


def train(
    key: PRNGKeyArray,
    model: Model,
    settings: Optimizer,
    loss: ExampleLoss,
    split: Split,
    steps: int,
    observe: Callable[[Variables], Array] | None = None,
    observations: int = 1,
) -> tuple[Variables, Array]:
    """Trains a fresh network.

    Args:
        key: draws the network, the batches and dropout.
        model: the network.
        settings: the optimiser.
        loss: what is minimised.
        split: the training examples.
        steps: optimiser steps; rounded down to a multiple of ``observations``.
        observe: what to record along the way, ``(variables) -> array``.
        observations: how often to record, evenly spaced, the last at the end.

    Returns:
        The trained variables and the records, shape ``[observations, ...]``.
    """
    drawn = draw(key, model, settings, split, steps)
    return follow(drawn, model, settings, loss, split, observe, observations)


def follow(
    drawn: Draws,
    model: Model,
    settings: Optimizer,
    loss: ExampleLoss,
    split: Split,
    observe: Callable[[Variables], Array] | None = None,
    observations: int = 1,
) -> tuple[Variables, Array]:
    """Is `train` with what chance decides drawn before."""
    steps = drawn.batches.shape[0]
    step = stepper(model, settings, loss, split, drawn.batches, drawn.noise_key)

    def segment(learner: Learner, numbers: Int[Array, " steps"]) -> tuple[Learner, Array]:
        learner, _ = jax.lax.scan(lambda *state: (step(*state), None), learner, numbers)
        return learner, jnp.zeros(()) if observe is None else observe(learner.variables)

    length = steps // observations
    numbers = jnp.arange(length * observations).reshape(observations, length)
    learner, records = jax.lax.scan(segment, drawn.learner, numbers)
    return learner.variables, records


def predict(
    model: Model, variables: Variables, inputs: Float[Array, "examples ..."], at_once: int = 1024
) -> Float[Array, "examples outputs"]:
    """Runs a trained network over many inputs, ``at_once`` at a time, statistics held still."""

    def run(block: Float[Array, "block ..."]) -> Float[Array, "block outputs"]:
        return model.apply(variables, block, False, None)[0]

    if inputs.shape[0] <= at_once:
        return run(inputs)
    return jax.lax.map(lambda example: run(example[None])[0], inputs, batch_size=at_once)


def mean_loss(
    model: Model, loss: ExampleLoss, variables: Variables, split: Split, at_once: int = 1024
) -> Float[Array, "..."]:
    """Computes a network's mean loss over a whole split, with its companion, statistics held still.

    It can be differentiated as often as the loss can. At most ``at_once`` examples go through the
    network together, and of them alone a derivative keeps what lies between the layers.

    Args:
        model: the network.
        loss: what is averaged; its values may have further axes, which stay.
        variables: of the network.
        split: the examples.
        at_once: examples in a block.
    """
    loss = accompanied(model, loss)
    examples = split.inputs.shape[0]
    count = -(-examples // at_once)
    size = -(-examples // count)

    def total(rows: Int[Array, " block"]) -> Float[Array, "..."]:
        block = take(split, jnp.minimum(rows, examples - 1))
        outputs, _ = model.apply(variables, block.inputs, False, None)
        # As in a training step, what the network bootstraps is data: a derivative goes around it.
        targets = targets_of(model, jax.lax.stop_gradient(variables), block)
        values = loss(outputs, targets)
        real = (rows < examples).reshape(-1, *[1] * (values.ndim - 1))
        return jnp.sum(jnp.where(real, values, 0), axis=0)

    if count == 1:
        return total(jnp.arange(examples)) / examples
    blocks = jnp.arange(count * size).reshape(count, size)
    return jnp.sum(jax.lax.map(jax.checkpoint(total), blocks), axis=0) / examples
