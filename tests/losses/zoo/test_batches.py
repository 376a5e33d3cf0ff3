"""Losses of pairs, triplets and anchors on a batch, against loops over who meets whom."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.losses import LearnedLoss, TreeForm, zoo
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo import batches
from jaxloss.symbols import PrimitiveSet, parse

CLASSES = np.array([0, 1, 0, 2, 1, 0, 3])
"""The 3 has no positive in the batch, and neither has the 2."""
EMBEDDINGS = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
ANCHORS = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
OUTPUTS = jnp.concatenate(
    [EMBEDDINGS[:, None], np.broadcast_to(ANCHORS, (7, 4, 3))], 1, dtype=jnp.float32
)
DISTANCES = np.sqrt(np.sum((EMBEDDINGS[:, None] - EMBEDDINGS[None]) ** 2, -1))


def loss_of(name: str, **parameters: float):
    return zoo.as_task_loss(zoo.get(name), "anchors", **parameters)


def test_triplets_are_mined_batch_hard():
    expected = []
    for i, own in enumerate(CLASSES):
        positives = [DISTANCES[i, j] for j in range(7) if j != i and CLASSES[j] == own]
        negatives = [DISTANCES[i, j] for j in range(7) if CLASSES[j] != own]
        expected.append(max(0.0, 0.5 + max(positives) - min(negatives)) if positives else 0.0)
    found = loss_of("triplet", margin=0.5)(OUTPUTS, jnp.asarray(CLASSES))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.count_nonzero(expected) >= 3


def test_contrastive_averages_the_pairs_with_all_others():
    expected = []
    for i, own in enumerate(CLASSES):
        costs = [
            0.5 * d**2 if CLASSES[j] == own else 0.5 * max(0.0, 2.0 - d) ** 2
            for j, d in enumerate(DISTANCES[i])
            if j != i
        ]
        expected.append(np.mean(costs))
    found = loss_of("contrastive", margin=2.0)(OUTPUTS, jnp.asarray(CLASSES))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# Golden values: the distances in double precision, of the embeddings before they are moved.
def test_pairs_far_from_zero_are_as_far_apart_as_near_it():
    exact = np.subtract(*np.broadcast_arrays(EMBEDDINGS[:, None], EMBEDDINGS[None])).astype(float)
    sizes = np.sqrt(np.sum(exact**2, -1))
    directions = exact / np.where(sizes > 0, sizes, 1)[..., None]
    moved = OUTPUTS.at[:, 0].add(30.0)

    def apart(outputs):
        return batches.pairs(outputs, jnp.asarray(CLASSES))[0][..., 0]

    # Moved there, the embeddings themselves are rounded to 2e-6.
    np.testing.assert_allclose(apart(moved), sizes, atol=1e-5)
    slopes = jax.grad(lambda outputs: jnp.sum(apart(outputs)))(moved)
    # Each pair is there twice.
    np.testing.assert_allclose(slopes[:, 0], 2 * directions.sum(1), atol=1e-4)
    assert not np.any(slopes[:, 1:])


@pytest.mark.parametrize("name", ["contrastive", "triplet", "nt_xent"])
def test_products_of_embeddings_are_exact_on_accelerators_too(name: str):
    def summed(outputs):
        return jnp.sum(loss_of(name)(outputs, jnp.asarray(CLASSES)))

    written = str(jax.make_jaxpr(jax.grad(summed))(OUTPUTS))
    products = written.count("dot_general[")
    assert products >= 1
    exact = written.count("precision=(Precision.HIGHEST, Precision.HIGHEST)")
    assert exact == products


# Golden values: optax.losses.ntxent, where every example has others of both kinds.
def test_nt_xent_is_that_of_the_embeddings():
    classes = jnp.asarray([0, 1, 0, 1, 1, 0, 0])
    expected = optax.losses.ntxent(jnp.asarray(EMBEDDINGS), classes, temperature=0.3)
    found = loss_of("nt_xent", temperature=0.3)(OUTPUTS, classes)
    np.testing.assert_allclose(found, np.full(7, expected), rtol=1e-5)


@pytest.mark.parametrize("name", ["cam", "triplet", "contrastive", "nt_xent", "cross_entropy"])
def test_any_classes_of_a_batch_give_finite_values_and_slopes(name: str):
    loss = loss_of(name)
    targets = jnp.asarray([[0] * 7, [0, 1, 2, 3, 0, 1, 2], [3, 2, 1, 0, 0, 0, 0]])
    outputs = OUTPUTS.at[1].set(OUTPUTS[0]).at[2, 0].set(0.0).at[3, 0].set(OUTPUTS[3, 1])

    def summed(outputs, targets):
        values = loss(outputs, targets)
        return jnp.sum(values), values

    slope = jax.jit(jax.vmap(jax.grad(summed, has_aux=True), (None, 0)))
    slopes, values = slope(outputs, targets)
    assert values.shape == (3, 7)
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(slopes))


def test_logits_are_minus_the_squared_distances_to_the_anchors():
    logits = -np.sum((EMBEDDINGS[:, None] - ANCHORS[None]) ** 2, -1)
    chances = np.exp(logits) / np.sum(np.exp(logits), -1, keepdims=True)
    expected = -np.log(chances[np.arange(7), CLASSES])
    found = loss_of("cross_entropy")(OUTPUTS, jnp.asarray(CLASSES))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    one_hot = jax.nn.one_hot(CLASSES, 4)
    np.testing.assert_allclose(loss_of("cross_entropy")(OUTPUTS, one_hot), expected, rtol=1e-4)
    np.testing.assert_array_equal(
        loss_of("triplet")(OUTPUTS, one_hot), loss_of("triplet")(OUTPUTS, jnp.asarray(CLASSES))
    )


def test_the_attractor_is_a_formula_of_the_distances():
    primitives = PrimitiveSet(variables=("d", "y"))
    tree = parse("mul(square(d), y)", primitives)
    formula = LearnedLoss(TreeForm(tree, ("d", "y")), (1.0,) * (tree.size - 1), "anchors")
    expected = loss_of("cam_attractor")(OUTPUTS, jnp.asarray(CLASSES))
    np.testing.assert_allclose(0.5 * formula(OUTPUTS, jnp.asarray(CLASSES)), expected, rtol=1e-5)


# The repeller acts between anchors; a loss of distances has its like where embeddings lie on their
# anchors: with one embedding of each class the sum over the batch is the repeller.
def test_the_repeller_is_seen_from_embeddings_on_their_anchors():
    outputs = jnp.concatenate([ANCHORS[:, None], np.broadcast_to(ANCHORS, (4, 4, 3))], 1)
    d, y = view_named("anchors").see(outputs, jnp.arange(4))
    seen = 0.5 * jnp.sum((1 - y) * jnp.square(jnp.maximum(0.0, 4.0 - d)))
    np.testing.assert_allclose(seen, zoo.repeller(jnp.asarray(ANCHORS)), rtol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 3)])
@pytest.mark.parametrize("of_loss", [None, *(loss.name for loss in zoo.select(view="anchors"))])
def test_outputs_without_anchors_are_refused(of_loss: str | None, shape: tuple[int, ...]):
    seen = view_named("anchors").see if of_loss is None else loss_of(of_loss)
    for targets in (jnp.zeros(5, int), jnp.zeros((5, 2))):
        with pytest.raises(InvalidInputError, match=r"needs outputs of shape \[batch, 1 \+ class"):
            seen(jnp.zeros(shape), targets)


@pytest.mark.parametrize("name", ["cam", "triplet", "contrastive", "nt_xent", "cross_entropy"])
def test_classes_of_fewer_examples_are_refused(name: str):
    with pytest.raises(InvalidInputError, match=r"shape \(1,"):
        loss_of(name)(OUTPUTS, jnp.zeros(1, int))
