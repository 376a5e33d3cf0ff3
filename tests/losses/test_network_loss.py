from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.losses import LearnedLoss, NetworkForm, OnlineForm, adalfl_network, ml3_network
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.network_parts import LEAK, SMOOTHNESS, smooth_leaky_relu
from jaxloss.losses.views import view_named

F, Y = np.random.default_rng(0).normal(0.0, 2.0, (2, 5, 3)).astype(np.float32)
SMALL = NetworkForm((3, 2), biases=True, activation="smooth_leaky_relu")
HOSTILE = jnp.asarray([0.0, 1.0, -1.0, 1e3, -1e3, 1e30, -1e30])


def drawn(form: NetworkForm) -> jax.Array:
    return form.family().init(jax.random.key(0)) + 0.1


@pytest.mark.parametrize(
    ("form", "parameters"),
    [
        (ml3_network(), 2 * 50 + 50 * 50 + 50),
        (adalfl_network(), 2 * 40 + 40 * 40 + 40),
        (NetworkForm(biases=True), 2 * 50 + 50 + 50 * 50 + 50 + 50 + 1),
        (NetworkForm((7,), variables=("i", "u", "e")), 3 * 7 + 7),
    ],
)
def test_how_many_parameters_there_are(form: NetworkForm, parameters: int):
    assert form.parameter_count == form.size == parameters
    assert form.family().init(jax.random.key(0)).shape == (parameters,)


@pytest.mark.parametrize("output", ["softplus", "relu", "identity"])
@pytest.mark.parametrize("biases", [False, True])
def test_it_is_the_network_written_out(output: str, biases: bool):
    form = NetworkForm((3, 2), biases, output=output)
    numbers = drawn(form)
    # In numpy, by hand: rows are inputs, biases follow the weights of their layer.
    cuts = np.split(np.asarray(numbers), np.cumsum([6, 3, 6, 2, 2] if biases else [6, 6]))
    if not biases:
        cuts = [cuts[0], np.zeros(3), cuts[1], np.zeros(2), cuts[2], np.zeros(1)]
    first, second, third = cuts[0].reshape(2, 3), cuts[2].reshape(3, 2), cuts[4].reshape(2, 1)
    signal = np.maximum(np.stack([F, Y], -1) @ first + cuts[1], 0)
    signal = (np.maximum(signal @ second + cuts[3], 0) @ third + cuts[5])[..., 0]
    expected = {
        "identity": signal,
        "relu": np.maximum(signal, 0),
        "softplus": np.log1p(np.exp(signal)),
    }[output]
    values = form.family().apply(numbers, jnp.asarray(F), jnp.asarray(Y))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


def test_every_element_stands_for_itself():
    form = NetworkForm((4,))
    apply, numbers = form.family().apply, drawn(NetworkForm((4,)))
    whole = apply(numbers, jnp.asarray(F), jnp.asarray(Y))
    assert whole.shape == F.shape
    flat = apply(numbers, jnp.asarray(F.ravel()), jnp.asarray(Y.ravel()))
    np.testing.assert_allclose(whole.ravel(), flat, rtol=1e-6)
    np.testing.assert_allclose(apply(numbers, *jnp.asarray([F[0, 0], Y[0, 0]])), whole[0, 0], 1e-6)


def test_fresh_weights_are_normal_by_the_number_of_inputs_and_biases_zero():
    form = NetworkForm((50, 50), biases=True)
    numbers = np.asarray(form.family().init(jax.random.key(3)))
    parts = np.split(numbers, np.cumsum([100, 50, 2500, 50, 50]))
    for biases in parts[1::2]:
        np.testing.assert_array_equal(biases, 0.0)
    # √(2 / inputs); within five standard errors of a spread, σ/√(2n).
    for weights, inputs in zip(parts[::2], (2, 50, 50), strict=True):
        spread = np.sqrt(2 / inputs)
        np.testing.assert_allclose(
            weights.std(), spread, atol=5 * spread / np.sqrt(2 * len(weights))
        )
    assert not np.array_equal(numbers, form.family().init(jax.random.key(4)))


def test_the_smooth_leaky_relu_has_its_limits():
    far = jnp.asarray([1e30, 1e3, 10.0, -10.0, -1e3, -1e30])
    expected = np.where(far > 0, far, LEAK * far)
    np.testing.assert_allclose(smooth_leaky_relu(far), expected, rtol=1e-6)
    np.testing.assert_allclose(
        smooth_leaky_relu(jnp.asarray(0.0)), np.log(2) / SMOOTHNESS * (1 - LEAK), rtol=1e-6
    )
    slope = jax.vmap(jax.grad(smooth_leaky_relu))(far)
    np.testing.assert_allclose(slope, np.where(far > 0, 1.0, LEAK), rtol=1e-6)
    near = jnp.linspace(-1.0, 1.0, 9)
    # The formula as the paper writes it.
    plain = np.log(np.exp(10.0 * near) + 1) / 10.0 * 0.99 + 0.01 * near
    np.testing.assert_allclose(smooth_leaky_relu(near), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", [ml3_network(), adalfl_network(), SMALL])
def test_derivatives_are_finite_on_hostile_inputs(form: NetworkForm):
    apply, numbers = form.family().apply, drawn(form)
    f, y = (part.ravel() for part in jnp.meshgrid(HOSTILE, HOSTILE))
    values, slopes = apply(numbers, f, y), jax.grad(lambda f: apply(numbers, f, y).sum())(f)
    mixed = jax.grad(lambda numbers: jax.grad(lambda f: apply(numbers, f, y).sum())(f).sum())(
        numbers
    )
    for part in (values, slopes, mixed):
        assert np.all(np.isfinite(part))
    assert np.any(mixed != 0)


FORMS = (SMALL, replace(SMALL, averages=True), replace(SMALL, output="relu"))


@pytest.mark.parametrize("form", [*FORMS, OnlineForm(SMALL, 1e-3)], ids=str)
def test_it_reads_back_from_its_text_exactly(form: NetworkForm | OnlineForm):
    parameters = tuple(np.asarray(form.family().init(jax.random.key(2))).tolist())
    loss = LearnedLoss(form, parameters, "identity")
    again = LearnedLoss.from_json(loss.to_json())
    assert again == loss
    assert hash(again) == hash(loss)
    np.testing.assert_array_equal(again(F, Y), loss(F, Y))


def test_it_says_that_it_is_no_formula():
    loss = LearnedLoss(adalfl_network(), (0.5,) * 1720, "identity")
    words = (
        "network 2-40-40-1 of f, y, smooth_leaky_relu, softplus, mean over outputs; 1720 weights"
    )
    assert (loss.formula(), str(loss), loss.is_symbolic) == (words, words, False)
    assert loss.latex() == rf"\text{{{words}}}".replace("_", r"\_")
    for ask in (loss.sympy, lambda: loss.expression):
        with pytest.raises(InvalidInputError, match="'network' is no formula"):
            ask()
    online = LearnedLoss(OnlineForm(SMALL), (0.5,) * SMALL.parameter_count, "identity")
    assert online.formula().endswith(
        "; 20 weights and biases, adapting in training with learning rate 1e-05"
    )


@pytest.mark.parametrize("wrap", [lambda form: form, OnlineForm], ids=["fixed", "online"])
def test_adalfls_value_is_the_mean_over_outputs_where_ml3s_is_their_sum(wrap: Any):
    numbers = tuple(np.asarray(drawn(SMALL)).tolist())
    summed = LearnedLoss(wrap(SMALL), numbers, "identity")
    averaged = LearnedLoss(wrap(replace(SMALL, averages=True)), numbers, "identity")
    np.testing.assert_allclose(3 * averaged(F, Y), summed(F, Y), rtol=1e-6)
    np.testing.assert_allclose(averaged(F[:, 0], Y[:, 0]), summed(F[:, 0], Y[:, 0]))
    bound = family_binding(averaged.form, view_named("identity"))(jnp.asarray(numbers))
    np.testing.assert_allclose(bound(jnp.asarray(F), jnp.asarray(Y)), averaged(F, Y), rtol=1e-6)
    assert adalfl_network().averages
    assert not ml3_network().averages


def test_an_online_loss_is_the_one_of_its_start():
    form = OnlineForm(SMALL, 1e-2)
    numbers = tuple(np.asarray(drawn(SMALL)).tolist())
    online, fixed = (LearnedLoss(one, numbers, "identity") for one in (form, SMALL))
    assert form.size == form.parameter_count == SMALL.parameter_count
    np.testing.assert_array_equal(online(F, Y), fixed(F, Y))
    assert OnlineForm() == OnlineForm(adalfl_network(), 1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": []}, "widths"),
        ({"widths": 50}, "a list of widths"),
        ({"widths": [0]}, "whole numbers from 1"),
        ({"widths": [2000]}, "whole numbers from 1 to 1024"),
        ({"widths": [5.0]}, "whole numbers"),
        ({"widths": [True]}, "whole numbers"),
        ({"widths": [1] * 9}, "1 to 8 whole numbers"),
        ({"biases": 1}, "biases: 1; expected true or false"),
        ({"averages": 0}, "averages: 0; expected true or false"),
        ({"activation": "rely"}, "unknown activation 'rely'; valid, nearest first: relu"),
        ({"activation": None}, "names of its activations"),
        ({"output": "softmax"}, "unknown output activation 'softmax'; .* softplus"),
        ({"variables": []}, "at least one variable"),
        ({"variables": "fy"}, "a list of variable names"),
        ({"dropout": 0.1}, "described by .*; got .*dropout"),
    ],
    ids=str,
)
def test_data_of_no_network_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        NetworkForm.from_data(SMALL.as_data() | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": None}, "holds the data of its network"),
        ({"base": {"widths": [3]}}, "family 'network' is described by"),
        ({"learning_rate": 0.0}, "expected a number above 0"),
        ({"learning_rate": float("nan")}, "expected a number above 0"),
        ({"learning_rate": float("inf")}, "expected a number above 0"),
        ({"learning_rate": True}, "expected a number above 0"),
        ({"learning_rate": "1"}, "expected a number above 0"),
        ({"steps": 1}, "family 'online' is described by base, learning_rate"),
    ],
    ids=str,
)
def test_data_of_no_online_loss_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        OnlineForm.from_data(OnlineForm(SMALL).as_data() | changes)


def test_what_does_not_fit_is_refused():
    apply = SMALL.family().apply
    with pytest.raises(InvalidInputError, match=r"f, y of one shape, got shapes \(3,\), \(2,\)"):
        apply(jnp.zeros(20), jnp.zeros(3), jnp.zeros(2))
    with pytest.raises(InvalidInputError, match=r"has 20 parameters, got shape \(19,\)"):
        apply(jnp.zeros(19), jnp.zeros(3), jnp.zeros(3))
