"""Losses that PyTorch or a newer optax also has, where they are installed."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from zoo_inputs import drawn

from jaxloss import zoo

pytestmark = pytest.mark.usefixtures("float64")

PLAIN = {
    "mae": "l1_loss",
    "mse": "mse_loss",
    "huber": "huber_loss",
    "smooth_l1": "smooth_l1_loss",
    "binary_cross_entropy": "binary_cross_entropy_with_logits",
    "cross_entropy": "cross_entropy",
    "sparse_cross_entropy": "cross_entropy",
    "nll": "nll_loss",
}


def functional() -> Any:
    return pytest.importorskip("torch").nn.functional


def in_torch(function: Callable[..., Any], *inputs: Any, **settings: Any) -> np.ndarray:
    torch = pytest.importorskip("torch")
    tensors = [torch.from_numpy(np.array(array)) for array in inputs]
    return function(*tensors, reduction="none", **settings).numpy()


@pytest.mark.parametrize("name", PLAIN)
def test_values_are_those_of_torch(name: str):
    inputs = drawn(zoo.get(name).kind)
    expected = in_torch(getattr(functional(), PLAIN[name]), *inputs)
    np.testing.assert_allclose(zoo.get(name).function(*inputs), expected, rtol=1e-10)


@pytest.mark.parametrize("size", [0.3, 2.5])
def test_parameters_are_those_of_torch(size: float):
    inputs = drawn(zoo.get("huber").kind)
    expected = in_torch(functional().huber_loss, *inputs, delta=size)
    np.testing.assert_allclose(zoo.huber(*inputs, delta=size), expected, rtol=1e-10)
    expected = in_torch(functional().smooth_l1_loss, *inputs, beta=size)
    np.testing.assert_allclose(zoo.smooth_l1(*inputs, beta=size), expected, rtol=1e-10)


def test_other_losses_are_those_of_torch():
    inputs = drawn(zoo.get("label_smoothing").kind)
    expected = in_torch(functional().cross_entropy, *inputs, label_smoothing=0.25)
    np.testing.assert_allclose(zoo.label_smoothing(*inputs, xi=0.25), expected, rtol=1e-10)
    inputs = drawn(zoo.get("margin_ranking").kind)
    expected = in_torch(functional().margin_ranking_loss, *inputs, margin=0.5)
    np.testing.assert_allclose(zoo.margin_ranking(*inputs, margin=0.5), expected, rtol=1e-10)
    log_f, y = drawn("log_probabilities")
    expected = in_torch(functional().kl_div, log_f, y).sum(-1)
    np.testing.assert_allclose(zoo.kl_divergence(log_f, y), expected, rtol=1e-10)
    f, y = drawn("vectors")
    expected = in_torch(functional().cosine_embedding_loss, f, y, jnp.ones(len(f)))
    np.testing.assert_allclose(zoo.cosine(f, y), expected, rtol=1e-6)
    triples = drawn(zoo.get("triplet").kind)
    expected = in_torch(functional().triplet_margin_loss, *triples, margin=2.0)
    # PyTorch has its epsilon elsewhere.
    np.testing.assert_allclose(zoo.triplet(*triples, margin=2.0), expected, atol=1e-5)


@pytest.mark.skipif(not hasattr(optax.losses, "dice_loss"), reason="optax before 0.2.6")
def test_dice_and_tversky_are_those_of_optax():
    logits, masks = drawn(zoo.get("dice").kind)
    expected = optax.losses.dice_loss(
        logits[..., None], masks[..., None], alpha=0.2, beta=0.6, smooth=0.5
    )
    found = zoo.tversky(logits, masks, alpha=0.2, beta=0.6, smooth=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    expected = optax.losses.dice_loss(logits[..., None], masks[..., None])
    np.testing.assert_allclose(zoo.dice(logits, masks), expected, rtol=1e-10)
