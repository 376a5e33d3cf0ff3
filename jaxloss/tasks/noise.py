"""Spoils targets on purpose, to see which loss bears it; the test split always stays clean."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxloss.errors import require, unknown_name
from jaxloss.tasks.supervised import SupervisedTask

_SPLITS = ("train", "valid")
"""What may be spoilt, and is if not said otherwise."""


def with_outliers(
    key: PRNGKeyArray,
    task: SupervisedTask,
    rate: float,
    scale: float,
    splits: Sequence[str] = _SPLITS,
    symmetric: bool = False,
) -> SupervisedTask:
    """Adds outliers to some targets of a regression task.

    A fraction ``rate`` of the examples of each split, rounded, gets ``scale * |N(0, 1)|`` added
    to its target; with ``symmetric`` ``scale * N(0, 1)``.

    Args:
        key: draws the examples and the outliers.
        task: a regression task.
        rate: fraction of targets, from 0 to 1.
        scale: size of an outlier, in standard deviations of the training targets.
        splits: which of ``"train"`` and ``"valid"`` are spoilt.
        symmetric: whether outliers go to both sides.

    Returns:
        A task that differs only in these targets.

    Raises:
        InvalidInputError: the task is no regression, the rate or scale is out of range, or a
            split is not one of the two.
    """
    require(task.kind == "regression", f"outliers are for regression; {task.name!r} is not")
    require(scale >= 0, f"the scale of outliers must be 0 or more, got {scale}")

    def spoil(key: PRNGKeyArray, targets: Float[Array, "rows ..."]) -> Float[Array, "rows ..."]:
        chosen_key, size_key = jax.random.split(key)
        rows = targets.shape[0]
        chosen = jax.random.permutation(chosen_key, rows) < round(rate * rows)
        sizes = scale * jax.random.normal(size_key, targets.shape, targets.dtype)
        sizes = sizes if symmetric else jnp.abs(sizes)
        chosen = chosen.reshape(-1, *(1,) * (targets.ndim - 1))
        return targets + jnp.where(chosen, sizes, 0)

    return _spoilt(key, task, rate, splits, spoil)


def with_label_noise(
    key: PRNGKeyArray,
    task: SupervisedTask,
    rate: float,
    splits: Sequence[str] = _SPLITS,
    asymmetric: bool = False,
) -> SupervisedTask:
    """Changes some labels of a classification task.

    With probability ``rate`` a label becomes one of the other classes, each equally likely
    (symmetric noise); with ``asymmetric`` it becomes the next class, the last becoming the first
    (pair flip, as in https://arxiv.org/abs/1804.06872).

    Args:
        key: draws the examples and the classes.
        task: a classification task.
        rate: probability of a change, from 0 to 1.
        splits: which of ``"train"`` and ``"valid"`` are spoilt.
        asymmetric: whether labels flip to the next class.

    Returns:
        A task that differs only in these labels.

    Raises:
        InvalidInputError: the task is no classification, the rate is out of range, or a split is
            not one of the two.
    """
    require(
        task.kind == "classification", f"label noise is for classification; {task.name!r} is not"
    )
    classes = len(task.class_names)

    def spoil(key: PRNGKeyArray, targets: Int[Array, " rows"]) -> Int[Array, " rows"]:
        changed_key, shift_key = jax.random.split(key)
        changed = jax.random.bernoulli(changed_key, rate, targets.shape)
        shifts = jax.random.randint(shift_key, targets.shape, 1, classes, targets.dtype)
        shifts = jnp.ones_like(targets) if asymmetric else shifts
        return jnp.where(changed, (targets + shifts) % classes, targets)

    return _spoilt(key, task, rate, splits, spoil)


def _spoilt(
    key: PRNGKeyArray,
    task: SupervisedTask,
    rate: float,
    splits: Sequence[str],
    spoil: Callable[[PRNGKeyArray, Array], Array],
) -> SupervisedTask:
    require(0 <= rate <= 1, f"the rate of noise must be from 0 to 1, got {rate}")
    for name in splits:
        if name not in _SPLITS:
            raise unknown_name("split to add noise to (test stays clean)", name, _SPLITS)
    train, valid = (
        split._replace(targets=spoil(jax.random.fold_in(key, position), split.targets))
        if name in splits
        else split
        for position, (name, split) in enumerate((("train", task.train), ("valid", task.valid)))
    )
    return dataclasses.replace(task, train=train, valid=valid)
