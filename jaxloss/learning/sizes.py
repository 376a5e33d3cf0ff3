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


def element_count(task: Task) -> int:
    """Counts the elements that a loss sees of one example: mostly, one for each output."""
    example, target = task.train.inputs[:1], task.train.targets[:1]

    def seen(variables: Any) -> Any:
        outputs, _ = task.model.apply(variables, example, False, None)
        return task.view.see(outputs, target)[0]

    return math.prod(jax.eval_shape(seen, _shapes(task)).shape)
