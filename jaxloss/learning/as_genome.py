"""Learned trees as data, so that one compiled program trains under any of them."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxloss.errors import InvalidInputError
from jaxloss.losses.forms import TreeForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.views import VIEWS
from jaxloss.symbols.detection_primitives import BOX_PRIMITIVES, CLASS_PRIMITIVES
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.genome import Alphabet
from jaxloss.tasks.task import Task


def genome_of(
    alphabet: Alphabet, task: Task, loss: Any
) -> tuple[Int[np.ndarray, " capacity"], Float[np.ndarray, " edges"]] | None:
    """Writes a loss as a genome with weights.

    Args:
        alphabet: what the genome is written in.
        task: where the loss is to be used.
        loss: any training loss.

    Returns:
        The genome and ``capacity - 1`` weights, those beyond the tree's own edges being 1; None if
        the loss is no tree of this alphabet over what the task's view shows.
    """
    if not isinstance(loss, LearnedLoss) or loss.view != task.view.name:
        return None
    if not isinstance(loss.form, TreeForm) or loss.form.variables != task.view.variables:
        return None
    tree, own = _with_numbers_as_weights(alphabet, loss.form.tree, loss.parameters)
    try:
        genome = alphabet.encode(tree)
    except InvalidInputError:
        return None
    weights = np.ones(alphabet.capacity - 1, jnp.result_type(float))
    weights[: len(own)] = own
    return genome, weights


def _with_numbers_as_weights(
    alphabet: Alphabet, tree: Expression, weights: tuple[float, ...]
) -> tuple[Expression, list[float]]:
    """Writes constants that the alphabet lacks as 1 with a weight; the root has none."""

    def is_strange(head: object) -> bool:
        return isinstance(head, float) and head not in alphabet.heads

    renewed = list(weights)
    if not tree.arguments:
        return tree, renewed
    for place, node in enumerate(tree.nodes[1:]):
        if isinstance(node.head, float) and is_strange(node.head):
            renewed[place] *= node.head

    def terminal(head: str | float) -> Expression:
        return Expression(1.0 if is_strange(head) else head)

    return tree.fold(terminal, lambda head, parts: Expression(head, tuple(parts))), renewed


_WRITTEN = {"logits": Alphabet(CLASS_PRIMITIVES), "boxes": Alphabet(BOX_PRIMITIVES)}
ROW_ALPHABETS = {
    view.name: _WRITTEN[view.written] for view in VIEWS.values() if view.written in _WRITTEN
}
"""What losses are made of that may hold primitives that are not elementwise, for each view."""


class RowTree(NamedTuple):
    """A tree for `jaxloss.losses.row_interpreter`.

    Attributes:
        view: what it sees.
        genome: in the alphabet that `ROW_ALPHABETS` has for that view.
    """

    view: str
    genome: Int[np.ndarray, " capacity"]


def row_tree_of(loss: Any) -> RowTree | None:
    """Writes a loss as a tree of such an alphabet; None if it is none, or has weights."""
    if not isinstance(loss, LearnedLoss) or loss.view not in ROW_ALPHABETS:
        return None
    if not isinstance(loss.form, TreeForm) or set(loss.parameters) != {1.0}:
        return None
    alphabet = ROW_ALPHABETS[loss.view]
    if loss.form.variables != alphabet.primitives.variables:
        return None
    try:
        return RowTree(loss.view, alphabet.encode(loss.form.tree))
    except InvalidInputError:
        return None
