"""The parts of a candidate's way, each as a plain loop.

Local search by unrolled differentiation: https://arxiv.org/abs/2209.08907, Algorithm 2; rejection
and partial training: Section 4.4. Step counts and optimisers are those of the released code. The
optimisers are fused, which is the fastest that PyTorch has on a CPU.
"""

import math

from jaxtyping import Float, Int

from sequential.libraries import Generator, Module, Tensor, torch
from sequential.primitives import WeightedTree
from sequential.problem import Examples, Problem, reset
from sequential.settings import SequentialSettings

Parameters = dict[str, Tensor]
"""A network's parameters by name, as ``named_parameters`` gives them."""


def batch_indices(
    generator: Generator, examples: int, batch_size: int, steps: int
) -> Int[Tensor, "steps batch"]:
    """Draws batches from a stream of shuffled epochs: each example comes once in an epoch."""
    batch = min(batch_size, examples)
    epochs = -(-steps * batch // examples)
    stream = torch.cat([torch.randperm(examples, generator=generator) for _ in range(epochs)])
    return stream[: steps * batch].view(steps, batch)


def inner_step(
    problem: Problem,
    settings: SequentialSettings,
    network: Module,
    parameters: Parameters,
    loss: WeightedTree,
    batch: Examples,
) -> Parameters:
    """Takes the first SGD step from given parameters and keeps its graph."""
    outputs = torch.func.functional_call(network, parameters, (batch.inputs,))
    value = problem.mean_loss(loss, outputs, batch.targets)
    gradients = torch.autograd.grad(value, list(parameters.values()), create_graph=True)
    stepped = {}
    for (name, parameter), slope in zip(parameters.items(), gradients, strict=True):
        gradient = slope + settings.weight_decay * parameter
        # The velocity starts at 0, so that after its first update it is the gradient.
        step = gradient + settings.momentum * gradient if settings.momentum else gradient
        stepped[name] = parameter - settings.learning_rate * step
    return stepped


def meta_gradient(
    problem: Problem,
    settings: SequentialSettings,
    network: Module,
    loss: WeightedTree,
    batch: Examples,
    held_out: Examples,
) -> Float[Tensor, " edges"]:
    """Differentiates the task loss after one inner step with respect to the edge weights."""
    parameters = dict(network.named_parameters())
    stepped = inner_step(problem, settings, network, parameters, loss, batch)
    outputs = torch.func.functional_call(network, stepped, (held_out.inputs,))
    value = problem.task_loss(outputs, held_out.targets)
    # A weight that the training gradient does not depend on has a meta-gradient of zero.
    return torch.autograd.grad(value, loss.weights, materialize_grads=True)[0]


def local_search(
    problem: Problem,
    settings: SequentialSettings,
    loss: WeightedTree,
    generator: Generator,
) -> None:
    """Tunes the edge weights in place, each meta step from a freshly drawn network."""
    network = problem.network()
    optimizer = torch.optim.Adam([loss.weights], lr=settings.meta_learning_rate, fused=True)
    sizes, steps = settings.batch_size, settings.meta_steps
    training = batch_indices(generator, len(problem.train.inputs), sizes, steps)
    judging = batch_indices(generator, len(problem.valid.inputs), sizes, steps)
    for rows, held_out in zip(training, judging, strict=True):
        reset(network, generator)
        loss.weights.grad = meta_gradient(
            problem,
            settings,
            network,
            loss,
            problem.train.take(rows),
            problem.valid.take(held_out),
        )
        optimizer.step()


def improvement(
    problem: Problem,
    settings: SequentialSettings,
    loss: WeightedTree,
    outputs: Float[Tensor, "examples outputs"],
    targets: Float[Tensor, "examples outputs"],
) -> float:
    """Measures how much the metric gains when the outputs themselves minimise a loss.

    Returns:
        Metric before minus metric after; minus infinity if that is not finite.
    """
    optimised = outputs.clone().requires_grad_()
    optimizer = torch.optim.Adam([optimised], lr=settings.rejection_learning_rate, fused=True)
    for _ in range(settings.rejection_steps):
        optimizer.zero_grad()
        problem.mean_loss(loss, optimised, targets).backward()
        optimizer.step()
    gain = problem.fitness(outputs, targets) - problem.fitness(optimised.detach(), targets)
    return gain if math.isfinite(gain) else -math.inf


def partial_training(
    problem: Problem,
    settings: SequentialSettings,
    loss: WeightedTree,
    network: Module,
    batches: Int[Tensor, "steps batch"],
) -> float:
    """Trains a network in place under a loss and scores it on the validation split.

    Returns:
        The metric, lower is better; infinite if an output is not finite.
    """
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.momentum > 0,
        fused=True,
    )
    for rows in batches:
        batch = problem.train.take(rows)
        optimizer.zero_grad()
        problem.mean_loss(loss, network(batch.inputs), batch.targets).backward()
        optimizer.step()
    with torch.no_grad():
        return problem.fitness(network(problem.valid.inputs), problem.valid.targets)
