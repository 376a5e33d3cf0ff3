"""Scores of retrieval against plain loops, scikit-learn and all orders of ties."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import Metric, metric_named, retrieval_scores
from jaxloss.tasks.retrieval_scores import mean_average_precision, recall_at, retrieval_score


def drawn(seed: int, examples: int, ties: bool) -> tuple[jax.Array, jax.Array]:
    """Embeddings beside three anchors and classes; with ties, on a small grid."""
    generator = np.random.default_rng(seed)
    outputs = generator.normal(size=(examples, 4, 2))
    outputs[:, 1:] = generator.normal(size=(3, 2))
    if ties:
        outputs[:, 0] = generator.integers(0, 2, (examples, 2))
    return jnp.asarray(outputs, jnp.float32), jnp.asarray(generator.integers(0, 3, examples))


def keys_of(outputs: jax.Array, query: int, two_stage: bool) -> list[tuple[float, ...]]:
    """What a query ranks each example by, least first."""
    embeddings, anchors = np.asarray(outputs)[:, 0], np.asarray(outputs)[0, 1:]
    distances = np.sum((embeddings - embeddings[query]) ** 2, -1)
    to_anchors = np.sqrt(np.sum((embeddings[:, None] - anchors) ** 2, -1))
    groups = to_anchors[query][np.argmin(to_anchors, -1)]
    if not two_stage:
        return [(distance,) for distance in distances.tolist()]
    return list(zip(groups.tolist(), distances.tolist(), strict=True))


@pytest.mark.parametrize("two_stage", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_map_is_the_mean_of_scikit_learns_average_precision(ties: bool, two_stage: bool):
    outputs, targets = drawn(3, 40, ties)
    expected = []
    for query in range(40):
        others = [i for i in range(40) if i != query]
        keys = keys_of(outputs, query, two_stage)
        # Places of equal keys are equal, so that scikit-learn sees the same ties.
        places = {key: place for place, key in enumerate(sorted(set(keys)))}
        relevant = np.asarray(targets)[others] == int(targets[query])
        expected.append(average_precision_score(relevant, [-places[keys[i]] for i in others]))
    found = jax.jit(partial(mean_average_precision, two_stage=two_stage))(outputs, targets)
    np.testing.assert_allclose(found, np.mean(expected), rtol=1e-5)


def in_all_orders(outputs: jax.Array, targets: jax.Array, query: int, k: int) -> float:
    """How often a query finds its class among the k first, over all orders of what is tied."""
    keys, classes = keys_of(outputs, query, two_stage=False), targets.tolist()
    others = [i for i in range(len(targets)) if i != query]
    found = [
        any(classes[i] == classes[query] for i in order[:k])
        for order in itertools.permutations(others)
        if [keys[i] for i in order] == sorted(keys[i] for i in others)
    ]
    return float(np.mean(found))


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_recall_is_the_chance_over_all_orders_of_ties(k: int):
    outputs, targets = drawn(0, 7, ties=True)
    targets = jnp.array([0, 1, 0, 1, 2, 1, 0])
    expected = [in_all_orders(outputs, targets, query, k) for query in range(7) if query != 4]
    found = jax.jit(partial(recall_at, k))(outputs, targets)
    np.testing.assert_allclose(found, np.mean(expected), rtol=1e-5)


@pytest.mark.parametrize("two_stage", [False, True])
def test_recall_without_ties_looks_at_the_first_ones(two_stage: bool):
    outputs, targets = drawn(5, 40, ties=False)
    classes = targets.tolist()
    for k in (1, 5):
        expected = []
        for query in range(40):
            keys = keys_of(outputs, query, two_stage)
            order = sorted((i for i in range(40) if i != query), key=lambda i: keys[i])
            expected.append(any(classes[i] == classes[query] for i in order[:k]))
        found = retrieval_score(f"recall@{k}" + two_stage * ":two_stage")(outputs, targets)
        np.testing.assert_allclose(found, np.mean(expected), rtol=1e-6)


def test_embeddings_that_are_all_the_same_find_no_more_than_chance():
    outputs = jnp.zeros((9, 4, 2))
    targets = jnp.repeat(jnp.arange(3), 3)
    # By hand: of 8 others 2 are relevant; with one draw 2/8, with two 1 - (6/8)(5/7).
    np.testing.assert_allclose(mean_average_precision(outputs, targets), 2 / 8, rtol=1e-6)
    np.testing.assert_allclose(recall_at(1, outputs, targets), 2 / 8, rtol=1e-6)
    np.testing.assert_allclose(recall_at(2, outputs, targets), 1 - 30 / 56, rtol=1e-6)


def test_a_split_of_many_examples_is_ranked_in_parts(monkeypatch: pytest.MonkeyPatch):
    outputs, targets = drawn(1, 30, ties=True)
    whole = mean_average_precision(outputs, targets), recall_at(3, outputs, targets)
    monkeypatch.setattr(retrieval_scores, "_AT_ONCE", 7)
    parts = mean_average_precision(outputs, targets), recall_at(3, outputs, targets)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_queries_without_anything_to_find_are_left_out():
    outputs = jnp.zeros((3, 3, 1)).at[:, 0, 0].set(jnp.array([0.0, 1.0, 5.0]))
    targets = jnp.array([0, 0, 1])
    assert float(mean_average_precision(outputs, targets)) == 1.0
    assert float(recall_at(1, outputs, targets)) == 1.0
    assert np.isnan(mean_average_precision(outputs, jnp.arange(3)))
    assert np.isnan(recall_at(1, outputs, jnp.arange(3)))


@pytest.mark.parametrize("name", [*retrieval_scores.NAMES, "recall@7:two_stage"])
def test_metrics_are_found_by_name_and_never_finite_for_what_is_not(name: str):
    metric = metric_named(name, "retrieval")
    assert isinstance(metric, Metric)
    assert (metric.name, metric.higher_is_better) == (name, True)
    outputs, targets = drawn(2, 12, ties=False)
    function = jax.jit(metric.function)
    assert 0 < float(function(outputs, targets)) <= 1
    assert np.isnan(function(outputs.at[3, 0, 0].set(jnp.inf), targets))


def test_scores_of_retrieval_are_not_for_classes():
    with pytest.raises(InvalidInputError, match="'map' is not for classification"):
        metric_named("map", "classification")


def test_scores_can_be_mapped_over_networks():
    outputs, targets = drawn(4, 12, ties=False)
    both = jnp.stack([outputs, outputs[::-1]])
    found = jax.vmap(lambda one: mean_average_precision(one, targets))(both)
    expected = [mean_average_precision(one, targets) for one in both]
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-6)
