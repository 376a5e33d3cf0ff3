"""Losses that optax or PyTorch also has, the latter where it is installed."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
import pytest
from zoo_inputs import Inputs, drawn, evaluated

from jaxloss import zoo
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses.zoo import ZooLoss

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
IN_OPTAX = [name for name, entry in zoo.ZOO.items() if entry.optax]
SETTINGS: dict[str, dict[str, Any]] = {
    # It takes the mean over all lists unless told otherwise.
    "ranking_softmax": {"reduce_fn": None},
    "tversky": {"reduction": "sum"},
}


def in_optax(entry: ZooLoss, inputs: Inputs) -> Any:
    if entry.name == "tversky":
        # Its masks have an axis of classes.
        inputs = tuple(array[..., None] for array in inputs)
    function = getattr(optax.losses, str(entry.optax))
    return function(*inputs, **entry.defaults, **SETTINGS.get(entry.name, {}))


@functools.cache
def all_in_optax() -> dict[str, Any]:
    inputs = {zoo.get(name).kind: drawn(zoo.get(name).kind) for name in IN_OPTAX}

    def found(inputs: dict[str, Inputs]) -> dict[str, Any]:
        entries = map(zoo.get, IN_OPTAX)
        return {entry.name: in_optax(entry, inputs[entry.kind]) for entry in entries}

    return jax.tree.map(np.asarray, jit_brief(found)(inputs))


@pytest.mark.parametrize("name", IN_OPTAX)
def test_losses_of_optax_are_optax_own(name: str):
    values, _ = evaluated(name, *drawn(zoo.get(name).kind))
    np.testing.assert_allclose(values, all_in_optax()[name], rtol=1e-10, atol=1e-14)


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
    np.testing.assert_allclose(evaluated(name, *inputs)[0], expected, rtol=1e-10)


@functools.cache
def with_parameters() -> dict[str, Any]:
    """Losses with other parameters than their defaults."""
    settings = {
        "huber 0.3": {"delta": 0.3},
        "huber 2.5": {"delta": 2.5},
        "smooth_l1 0.3": {"beta": 0.3},
        "smooth_l1 2.5": {"beta": 2.5},
        "label_smoothing": {"xi": 0.25},
        "margin_ranking": {"margin": 0.5},
        "triplet": {"margin": 2.0},
    }
    entries = {key: zoo.get(key.split()[0]) for key in settings}
    inputs = {entry.kind: drawn(entry.kind) for entry in entries.values()}

    def found(inputs: dict[str, Inputs]) -> dict[str, Any]:
        return {
            key: entry.bind(**settings[key])(*inputs[entry.kind]) for key, entry in entries.items()
        }

    return jax.tree.map(np.asarray, jit_brief(found)(inputs))


@pytest.mark.parametrize("size", [0.3, 2.5])
def test_parameters_are_those_of_torch(size: float):
    inputs = drawn("real")
    expected = in_torch(functional().huber_loss, *inputs, delta=size)
    np.testing.assert_allclose(with_parameters()[f"huber {size}"], expected, rtol=1e-10)
    expected = in_torch(functional().smooth_l1_loss, *inputs, beta=size)
    np.testing.assert_allclose(with_parameters()[f"smooth_l1 {size}"], expected, rtol=1e-10)


def test_other_losses_are_those_of_torch():
    found = with_parameters()
    expected = in_torch(functional().cross_entropy, *drawn("logits"), label_smoothing=0.25)
    np.testing.assert_allclose(found["label_smoothing"], expected, rtol=1e-10)
    expected = in_torch(functional().margin_ranking_loss, *drawn("pair"), margin=0.5)
    np.testing.assert_allclose(found["margin_ranking"], expected, rtol=1e-10)
    log_f, y = drawn("log_probabilities")
    expected = in_torch(functional().kl_div, log_f, y).sum(-1)
    np.testing.assert_allclose(evaluated("kl", log_f, y)[0], expected, rtol=1e-10)
    f, y = drawn("vectors")
    expected = in_torch(functional().cosine_embedding_loss, f, y, np.ones(len(f)))
    np.testing.assert_allclose(evaluated("cosine", f, y)[0], expected, rtol=1e-6)
    expected = in_torch(functional().triplet_margin_loss, *drawn("triplet"), margin=2.0)
    # PyTorch has its epsilon elsewhere.
    np.testing.assert_allclose(found["triplet"], expected, atol=1e-5)
