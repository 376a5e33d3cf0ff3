"""Scores of embeddings for retrieval, in JAX: each example of a split is sought among the others.

Predictions are what the ``anchors`` view takes: an embedding and after it the class anchors. The
one-stage search ranks all others by their Euclidean distance. The two-stage search of Class Anchor
Margin (https://arxiv.org/abs/2306.00630) first compares the query with the anchors: examples whose
nearest anchor is the query's nearest come first, then those of its second nearest, and so on, each
group by distance. Examples at one distance, of one group, count as in random order.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxloss.errors import InvalidInputError, require
from jaxloss.losses.anchors import anchor_distances

Predictions = Float[Array, "examples rows features"]
Classes = Int[Array, " examples"]
Score = Float[Array, ""]

NAMES = ("map", "recall@1", "recall@5")
"""Scores by the names that people write; ``recall@K`` takes any K."""

TWO_STAGE = "two_stage"
"""What a name is followed by for the two-stage search, ``map:two_stage``."""

_AT_ONCE = 512
"""Queries that are ranked at once, so that memory stays small for large splits (*assumed*)."""


class Ranking(NamedTuple):
    """The others as one query ranks them; the query itself comes last and is not relevant.

    Attributes:
        relevant: whether each is of the query's class.
        begins: the place, from 0, where each one's tie begins.
        ends: the place where it ends.
    """

    relevant: Bool[Array, " examples"]
    begins: Int[Array, " examples"]
    ends: Int[Array, " examples"]


def mean_average_precision(
    predictions: Predictions, targets: Classes, two_stage: bool = False
) -> Score:
    """Computes mAP: the mean over queries of the average precision of their ranking.

    Precision at a relevant example counts its whole tie, as in scikit-learn's
    ``average_precision_score``. Queries without another of their class are left out; NaN if none
    remains.
    """

    def average_precision(ranking: Ranking) -> Score:
        hits = jnp.cumsum(ranking.relevant, dtype=jnp.int32)[ranking.ends]
        precision = hits.astype(predictions.dtype) / (ranking.ends + 1).astype(predictions.dtype)
        return jnp.sum(precision, where=ranking.relevant) / _count(ranking, predictions)

    return _over_queries(average_precision, predictions, targets, two_stage)


def recall_at(k: int, predictions: Predictions, targets: Classes, two_stage: bool = False) -> Score:
    """Computes recall@k: how many queries have one of their class among the k first.

    Where a tie goes beyond place k, the chance of it in random order. Queries without another of
    their class are left out; NaN if none remains.
    """
    last, dtype = k - 1, predictions.dtype

    def found(ranking: Ranking) -> Score:
        hits = jnp.cumsum(ranking.relevant, dtype=jnp.int32)
        begin, end = ranking.begins[last], ranking.ends[last]
        before = jnp.where(begin > 0, hits[begin - 1], 0)
        tied, relevant, drawn = end - begin + 1, hits[end] - before, k - begin
        # The chance that none of those drawn from the tie is relevant.
        draws = jnp.arange(k)
        left = jnp.maximum(tied - relevant - draws, 0).astype(dtype)
        missed = jnp.prod(left / jnp.maximum(tied - draws, 1).astype(dtype), where=draws < drawn)
        chance = jnp.where(before > 0, 1.0, 1.0 - missed)
        return jnp.where(jnp.any(ranking.relevant), chance, jnp.nan)

    return _over_queries(found, predictions, targets, two_stage)


def _count(ranking: Ranking, like: Array) -> Score:
    return jnp.sum(ranking.relevant, dtype=like.dtype)


def _over_queries(
    score: Callable[[Ranking], Score], predictions: Predictions, targets: Classes, two_stage: bool
) -> Score:
    predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
    embeddings = predictions[:, 0]
    near = anchor_distances(predictions)
    nearest = jnp.argmin(near, -1)

    def of_query(number: Int[Array, ""]) -> Score:
        distances = jnp.sum(jnp.square(embeddings - embeddings[number][None]), -1)
        # NaN is sorted to the end and ties with nothing.
        distances = distances.at[number].set(jnp.nan)
        relevant = targets == targets[number]
        # How near the query is to the anchor of each other example's group.
        groups = near[number][nearest].at[number].set(jnp.inf)
        keys = (groups, distances) if two_stage else (distances,)
        *keys, relevant = jax.lax.sort(
            (*keys, relevant.at[number].set(False)), num_keys=len(keys), is_stable=False
        )
        return score(_ranked(keys, relevant))

    numbers = jnp.arange(len(targets))
    if len(targets) <= _AT_ONCE:
        return jnp.nanmean(jax.vmap(of_query)(numbers))
    return jnp.nanmean(jax.lax.map(of_query, numbers, batch_size=_AT_ONCE))


def _ranked(keys: list[Array], relevant: Bool[Array, " examples"]) -> Ranking:
    differs = functools.reduce(jnp.logical_or, [key[1:] != key[:-1] for key in keys])
    edge = jnp.ones(1, bool)
    places = jnp.arange(len(relevant))
    first = jnp.concatenate([edge, differs])
    last = jnp.concatenate([differs, edge])
    begins = jax.lax.cummax(jnp.where(first, places, 0))
    ends = jax.lax.cummin(jnp.where(last, places, len(relevant)), reverse=True)
    return Ranking(relevant, begins, ends)


def is_retrieval_score(spec: str) -> bool:
    """Says whether a text is meant for a score of this module."""
    return spec.partition(":")[0].partition("@")[0] in ("map", "recall")


def retrieval_score(spec: str) -> Callable[[Predictions, Classes], Score]:
    """Finds a score by the short text that a person writes.

    Args:
        spec: ``"map"``, ``"recall@K"``, and either followed by ``":two_stage"``.

    Raises:
        InvalidInputError: it is none of these, or K is no whole number above 0.
    """
    name, colon, search = spec.partition(":")
    require(
        not colon or search == TWO_STAGE,
        f"metric {spec!r}: the only search that can be named is {TWO_STAGE}, as in "
        f"'{name}:{TWO_STAGE}'",
    )
    if name == "map":
        return functools.partial(mean_average_precision, two_stage=bool(colon))
    return functools.partial(recall_at, _places(spec), two_stage=bool(colon))


def require_enough(spec: str, others: int, split: str) -> None:
    """Refuses ``recall@K`` where there are fewer than K others.

    Raises:
        InvalidInputError: says how many there are.
    """
    if spec.partition("@")[0] == "recall":
        k = _places(spec)
        require(
            k <= others,
            f"metric {spec!r} looks at {k} examples, but beside a query the {split} split has only "
            f"{others}; choose a smaller K",
        )


def _places(spec: str) -> int:
    text = spec.partition(":")[0].partition("@")[2]
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise InvalidInputError(
            f"metric {spec!r}: expected a whole number above 0 after '@', as in 'recall@5'"
        )
    return int(text)
