import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxloss.errors import InvalidInputError
from jaxloss.models import MLP, LeNet5, create_model


def count(variables) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(variables))


def abstract_variables(network, shape):
    return jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(shape))


# 32x32: LeCun et al. 1998, in the fully connected form used today. 28x28 without padding, by hand:
# 156 + 2416 + (4*4*16 + 1) * 120 + 121 * 84 + 85 * 10.
@pytest.mark.parametrize(("side", "parameters"), [(32, 61_706), (28, 44_426)])
def test_lenet_has_the_classical_number_of_parameters(side: int, parameters: int):
    assert count(abstract_variables(LeNet5(10), (2, side, side, 1))) == parameters
    assert count(abstract_variables(LeNet5(10), (2, side, side))) == parameters


def test_lenet_takes_the_smallest_image_and_colours():
    assert count(abstract_variables(LeNet5(3), (2, 16, 16, 3))) > 0
    with pytest.raises(InvalidInputError, match="at least 16x16 pixels, got 15x40"):
        abstract_variables(LeNet5(3), (2, 15, 40, 1))


@pytest.mark.parametrize("shape", [(2, 7), (2, 3, 3, 3, 3)])
def test_lenet_refuses_what_is_no_image(shape):
    with pytest.raises(InvalidInputError, match="needs images of shape"):
        abstract_variables(LeNet5(3), shape)


# EvoMAL's MNIST perceptron: 785 * 1000 + 1001 * 1000 + 1001 * 10, by hand.
def test_mlp_1000_1000_has_the_number_of_parameters_computed_by_hand():
    model = create_model("mlp:1000-1000", 10)
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    assert count(variables) == 1_796_010


@settings(deadline=None, max_examples=15)
@given(
    widths=st.lists(st.integers(1, 6), max_size=3),
    outputs=st.integers(1, 4),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_mlp_parameters_follow_the_formula_and_inputs_are_flattened(widths, outputs, shape):
    sizes = [int(np.prod(shape)), *widths, outputs]
    expected = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    inputs = jnp.ones((2, *shape))
    network = MLP(tuple(widths), outputs)
    assert count(abstract_variables(network, inputs.shape)) == expected
    outputs_shape = jax.eval_shape(
        lambda batch: network.apply(network.init(jax.random.key(0), batch), batch), inputs
    )
    assert outputs_shape.shape == (2, outputs)


def test_linear_model_is_affine_and_mlp_is_relu():
    inputs = jax.random.normal(jax.random.key(1), (5, 3))
    linear = create_model("linear", 2)
    variables = linear.init(jax.random.key(0), inputs)
    kernel = variables["params"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(
        linear.apply(variables, inputs, True, None)[0], inputs @ kernel, rtol=1e-5
    )
    mlp = create_model("mlp:4", 2)
    variables = mlp.init(jax.random.key(0), inputs)
    layers = [variables["params"][f"Dense_{layer}"]["kernel"] for layer in range(2)]
    np.testing.assert_allclose(
        mlp.apply(variables, inputs, False, None)[0],
        jnp.maximum(inputs @ layers[0], 0) @ layers[1],
        rtol=1e-4,
        atol=1e-6,
    )


# Glorot and Bengio 2010, eq. 16: uniform in ±sqrt(6 / (fan_in + fan_out)).
def test_mlp_kernels_are_xavier_uniform():
    variables = MLP((200,), 1).init(jax.random.key(0), jnp.zeros((1, 100)))
    kernel = np.asarray(variables["params"]["Dense_0"]["kernel"])
    bound = np.sqrt(6 / 300)
    assert np.abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.02)


@pytest.mark.parametrize(
    ("spec", "shape"), [("mlp:3", (2, 3)), ("fcn:3-3", (2, 4, 4)), ("lenet5", (2, 16, 16))]
)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_parameters_take_the_precision_of_the_inputs(
    spec: str, shape: tuple[int, ...], precision: str
):
    with jax.enable_x64(True):
        model, inputs = create_model(spec, 1), jnp.ones(shape, precision)
        variables = jax.eval_shape(model.init, jax.random.key(0), inputs)
        assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {precision}
