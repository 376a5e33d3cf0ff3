"""Programs are loaded back by JAX alone, run on other sizes, and differentiated."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from export_cases import INPUTS, random_tree

from jaxloss import LearnedLoss, export_code, export_program, zoo
from jaxloss.losses import zoo_form
from jaxloss.losses.export import exported_entry
from jaxloss.symbols.detection_primitives import ALL_PRIMITIVES
from jaxloss.symbols.primitives import PRIMITIVES

LOSSES = {
    "tree": random_tree(1, "logits", ALL_PRIMITIVES, 3),
    "zoo": LearnedLoss(zoo_form("label_smoothing", "softmax"), (), "softmax"),
    "boxes": LearnedLoss(zoo_form("iou", "boxes"), (), "boxes"),
    "anchors": random_tree(0, "anchors", PRIMITIVES, 3),
    "masks": random_tree(0, "masks", PRIMITIVES, 3),
    "psg": LearnedLoss(zoo_form("psg", "masks"), (), "masks"),
}


@functools.cache
def program_of(name: str) -> bytes:
    return export_program(LOSSES[name])


def loaded(content: bytes | str) -> Callable[..., Any]:
    assert isinstance(content, bytes)
    return jax.export.deserialize(bytearray(content)).call


def gradient(loss: Callable[..., Any], targets: Any) -> Callable[[Any], Any]:
    return jax.grad(lambda outputs: jnp.mean(loss(outputs, targets)))


@pytest.mark.parametrize("name", LOSSES)
def test_a_program_is_the_loss_for_any_number_of_examples(name: str):
    loss = LOSSES[name]
    program = loaded(program_of(name))
    outputs, targets = (jnp.asarray(array[:5]) for array in INPUTS[loss.view])
    values, slopes = loss(outputs, targets), gradient(loss, targets)(outputs)
    np.testing.assert_allclose(program(outputs, targets), values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(program(outputs[:2], targets[:2]), values[:2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient(program, targets)(outputs), slopes, rtol=1e-4, atol=1e-6)


def test_a_program_can_be_differentiated_twice():
    loss = LOSSES["zoo"]
    program = loaded(program_of("zoo"))
    # Of another number of classes, too.
    outputs, targets = jnp.asarray([[0.3, -1.0, 2.0, 0.1]]), jnp.asarray([2])

    def slope(loss: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda outputs: jnp.sum(jnp.square(gradient(loss, targets)(outputs)))

    np.testing.assert_allclose(
        jax.grad(slope(program))(outputs), jax.grad(slope(loss))(outputs), rtol=1e-4, atol=1e-6
    )


def test_a_program_names_no_files_and_runs_anywhere():
    content = program_of("zoo")
    program = jax.export.deserialize(bytearray(content))
    assert {"cpu", "cuda", "tpu"} <= set(program.platforms)
    for word in (b".py", b"losses/", zoo.__file__.encode()):
        assert word not in content


def test_a_program_can_be_read_as_text():
    text = export_code(LOSSES["boxes"], "stablehlo")
    assert text.startswith("module @jit_iou_loss ")
    assert "tensor<?x4xf32>" in text
    assert "loc(" not in text


def test_losses_of_other_inputs_are_programs_too():
    entry = zoo.get("triplet")
    program = loaded(exported_entry(entry, {"margin": 0.5}, "stablehlo").content)
    inputs = zoo.example_inputs(entry.kind, jax.random.key(0), 3)
    np.testing.assert_allclose(program(*inputs), zoo.triplet(*inputs, margin=0.5), rtol=1e-5)


def test_latents_need_not_be_as_many_as_the_data():
    program = loaded(exported_entry(zoo.get("elbo"), {}, "stablehlo").content)
    data, latents = jnp.linspace(-1, 1, 16).reshape(2, 8), jnp.linspace(-1, 1, 6).reshape(2, 3)
    inputs = data, data[::-1], latents, latents[::-1]
    np.testing.assert_allclose(program(*inputs), zoo.get("elbo").bind()(*inputs), rtol=1e-5)
