"""A supervised task of jaxloss as tensors that lie ready, and what goes with it."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxloss.errors import require
from jaxloss.models.registry import DEFAULT_WIDTHS
from jaxloss.tasks.task import Split, Task
from sequential.libraries import Generator, Module, Tensor, torch


class Examples(NamedTuple):
    """Inputs and targets; classes are one-hot."""

    inputs: Float[Tensor, "examples features"]
    targets: Float[Tensor, "examples outputs"]

    def take(self, indices: Tensor | slice) -> "Examples":
        """Picks examples."""
        return Examples(self.inputs[indices], self.targets[indices])


@dataclass(frozen=True)
class Problem:
    """What candidates are judged on.

    Attributes:
        train: moves the network's parameters.
        valid: steers the meta-gradient and the fitness.
        widths: units of the network's hidden layers.
        classification: whether targets are classes.
    """

    train: Examples
    valid: Examples
    widths: tuple[int, ...]
    classification: bool

    def network(self) -> Module:
        """Makes a multilayer perceptron; `reset` draws its parameters."""
        sizes = (self.train.inputs.shape[1], *self.widths, self.train.targets.shape[1])
        layers: list[Module] = []
        for size, following in pairwise(sizes):
            layers += [torch.nn.Linear(size, following), torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1]).to(self.train.inputs.dtype)

    def see(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, "batch outputs"]:
        """Turns outputs into what a loss sees: probabilities, or the outputs themselves."""
        return torch.softmax(outputs, dim=1) if self.classification else outputs

    def mean_loss(self, loss: Module, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        """Sums an elementwise loss over outputs or classes and averages it over the batch."""
        return loss(self.see(outputs), targets).sum(dim=1).mean()

    def task_loss(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        """Computes mean cross-entropy, or mean squared error summed over outputs."""
        if self.classification:
            return torch.nn.functional.cross_entropy(outputs, targets)
        return torch.square(outputs - targets).sum(dim=1).mean()

    def fitness(self, outputs: Tensor, targets: Tensor) -> float:
        """Computes error rate or mean squared error; infinite if an output is not finite."""
        if not torch.isfinite(outputs).all():
            return float("inf")
        if self.classification:
            wrong = outputs.argmax(dim=1) != targets.argmax(dim=1)
            return wrong.to(outputs.dtype).mean().item()
        value = torch.nn.functional.mse_loss(outputs, targets).item()
        return value if np.isfinite(value) else float("inf")


def reset(network: Module, generator: Generator) -> None:
    """Draws fresh parameters in place: Xavier-uniform weights, zero biases."""
    for layer in network:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(layer.weight, generator=generator)
            torch.nn.init.zeros_(layer.bias)


def problem_of(task: Task) -> Problem:
    """Copies a task's splits to tensors of the same precision.

    Raises:
        InvalidInputError: the model is no perceptron, or view or metric are not the paper's.
    """
    classification = task.view.name == "softmax"
    metric = "error_rate" if classification else "mse"
    view = "softmax" if classification else "identity"
    require(
        task.metric.name == metric and task.view.name == view,
        f"expected metric {metric} and view {view}, got {task.metric.name} and {task.view.name}",
    )
    family, _, widths = task.model.name.partition(":")
    require(family in ("mlp", "linear"), f"expected a model linear or mlp, got {task.model.name!r}")
    hidden = (widths or DEFAULT_WIDTHS).split("-") if family == "mlp" else []
    classes = int(task.train.targets.max()) + 1 if classification else 0
    return Problem(
        _examples(task.train, classes),
        _examples(task.valid, classes),
        tuple(int(width) for width in hidden),
        classification,
    )


def _examples(split: Split, classes: int) -> Examples:
    inputs: Any = torch.tensor(np.asarray(split.inputs)).flatten(start_dim=1)
    targets: Any = torch.tensor(np.asarray(split.targets))
    if classes:
        targets = torch.nn.functional.one_hot(targets.long(), classes)
    return Examples(inputs, targets.to(inputs.dtype).reshape(len(inputs), -1))
