"""Makes some classes rare on purpose, to see which loss bears it; the test split stays as it was.

The long-tailed profile of Cui et al., Class-Balanced Loss Based on Effective Number of Samples:
https://arxiv.org/abs/1901.05555
"""

import dataclasses
import math
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from jaxloss.errors import require, unknown_name
from jaxloss.tasks.supervised import SupervisedTask
from jaxloss.tasks.task import Split

_SPLITS = ("train", "valid")


def with_imbalance(
    key: PRNGKeyArray, task: SupervisedTask, ratio: float, splits: Sequence[str] = _SPLITS
) -> SupervisedTask:
    """Removes examples of a classification task, so that each class is rarer than the one before.

    In each split class k of C keeps ``n_max * ratio ** (-k / (C - 1))`` examples, rounded, at least
    one, where ``n_max`` is the size of the split's largest class. A class with fewer keeps all it
    has: only where classes were of one size is the first ``ratio`` times as large as the last. The
    inputs are not standardised anew.

    Args:
        key: draws the examples that stay; they keep their order.
        task: a classification task.
        ratio: size of the largest to the smallest class, 1 or more; 1 removes nothing.
        splits: which of ``"train"`` and ``"valid"`` are thinned out.

    Returns:
        A task that lacks the other examples of these splits.

    Raises:
        InvalidInputError: the task is no classification, the ratio is below 1 or not finite, or a
            split is not one of the two.
    """
    require(task.kind == "classification", f"imbalance is for classification; {task.name!r} is not")
    require(
        math.isfinite(ratio) and ratio >= 1, f"the imbalance ratio must be 1 or more, got {ratio}"
    )
    for name in splits:
        if name not in _SPLITS:
            raise unknown_name("split to thin out (test stays as it is)", name, _SPLITS)
    classes = len(task.class_names)
    train, valid = (
        _thinned(jax.random.fold_in(key, position), split, classes, ratio)
        if name in splits
        else split
        for position, (name, split) in enumerate((("train", task.train), ("valid", task.valid)))
    )
    return dataclasses.replace(task, train=train, valid=valid)


def _thinned(key: PRNGKeyArray, split: Split, classes: int, ratio: float) -> Split:
    targets = np.asarray(split.targets)
    sizes = _long_tail(np.bincount(targets, minlength=classes), ratio)
    order = np.asarray(jax.random.permutation(key, len(targets)))
    kept = [order[targets[order] == number][:size] for number, size in enumerate(sizes)]
    chosen = np.sort(np.concatenate(kept))
    return Split(split.inputs[chosen], split.targets[chosen])


def _long_tail(available: Int[np.ndarray, " classes"], ratio: float) -> Int[np.ndarray, " classes"]:
    """Says how many examples each class keeps of those that it has."""
    places = np.linspace(0.0, 1.0, len(available))
    wanted = np.round(available.max() * ratio**-places).astype(int)
    return np.minimum(available, np.maximum(wanted, 1))
