"""How large a task's network is, found out without drawing it."""

import math
from typing import Any

import jax

from jaxloss.tasks.task import Task


def _shapes(task: Task) -> Any:
    return jax.eval_shape(task.model.init, jax.random.key(0), task.train.inputs[:1])


def parameter_bytes(task: Task) -> int:
    """Counts the bytes of a network's parameters."""
    parameters = jax.tree.leaves(_shapes(task)["params"])
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in parameters)


def output_count(task: Task) -> int:
    """Counts the numbers that a network puts out for one example."""
    example = task.train.inputs[:1]
    outputs, _ = jax.eval_shape(
        lambda variables: task.model.apply(variables, example, False, None), _shapes(task)
    )
    return math.prod(outputs.shape)
