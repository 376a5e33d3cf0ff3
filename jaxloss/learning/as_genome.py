"""Learned trees as data, so that one compiled program trains under any of them."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxloss.errors import InvalidInputError
from jaxloss.losses.forms import TreeForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.symbols.detection_primitives import BOX_PRIMITIVES, CLASS_PRIMITIVES
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
    try:
        genome = alphabet.encode(loss.form.tree)
    except InvalidInputError:
        return None
    weights = np.ones(alphabet.capacity - 1, jnp.result_type(float))
    weights[: len(loss.parameters)] = loss.parameters
    return genome, weights


ROW_ALPHABETS = {"logits": Alphabet(CLASS_PRIMITIVES), "boxes": Alphabet(BOX_PRIMITIVES)}
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
