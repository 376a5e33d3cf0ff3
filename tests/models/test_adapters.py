import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxloss.errors import InvalidInputError
from jaxloss.models import MLP, Model, adapt, from_functions, from_linen, from_nnx

BATCH = jax.random.normal(jax.random.key(7), (16, 3)) * 2 + 1


class LinenNormed(nn.Module):
    @nn.compact
    def __call__(self, inputs, train: bool):
        hidden = nn.Dense(4)(inputs)
        hidden = nn.BatchNorm(use_running_average=not train, momentum=0.9)(hidden)
        hidden = nn.Dropout(0.5, deterministic=not train)(nn.relu(hidden))
        return nn.Dense(2)(hidden)


class NnxNormed(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Linear(3, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(4, 2, rngs=rngs)])

    def __call__(self, inputs):
        return self.blocks[0](self.dropout(nnx.relu(self.norm(self.first(inputs)))))


def normed_models() -> list[Model]:
    return [adapt(LinenNormed(), "linen"), adapt(NnxNormed, "nnx")]


def rest(variables):
    return {name: value for name, value in variables.items() if name != "params"}


def largest_difference(left, right) -> float:
    differences = jax.tree.map(lambda one, other: jnp.max(jnp.abs(one - other)), left, right)
    return float(max(jax.tree.leaves(differences)))


@pytest.mark.parametrize("model", normed_models(), ids=lambda model: model.name)
def test_statistics_change_in_training_only_through_jit_vmap_and_grad(model: Model):
    keys = jax.random.split(jax.random.key(0), 3)
    variables = jax.vmap(lambda key: model.init(key, BATCH))(keys)

    def step(variables, key, train):
        def loss(params):
            outputs, renewed = model.apply({**variables, "params": params}, BATCH, train, key)
            return jnp.mean(outputs**2), renewed

        return jax.grad(loss, has_aux=True)(variables["params"])

    in_training = jax.jit(jax.vmap(lambda variables, key: step(variables, key, True)))
    in_evaluation = jax.jit(jax.vmap(lambda variables, key: step(variables, key, False)))
    gradient, renewed = in_training(variables, keys)
    assert jax.tree.structure(renewed) == jax.tree.structure(variables)
    assert largest_difference(rest(renewed), rest(variables)) > 0.01
    assert largest_difference(renewed["params"], variables["params"]) == 0
    assert any(float(jnp.max(jnp.abs(leaf))) > 1e-4 for leaf in jax.tree.leaves(gradient))
    _, kept = in_evaluation(renewed, keys)
    assert largest_difference(kept, renewed) == 0


@pytest.mark.parametrize("model", normed_models(), ids=lambda model: model.name)
def test_evaluation_uses_the_statistics_and_ignores_the_key(model: Model):
    variables = model.init(jax.random.key(0), BATCH)
    alone, _ = model.apply(variables, BATCH[:1], False, None)
    together, _ = model.apply(variables, BATCH, False, jax.random.key(5))
    np.testing.assert_allclose(alone, together[:1], rtol=1e-5)
    _, renewed = model.apply(variables, BATCH, True, jax.random.key(1))
    shifted, _ = model.apply(renewed, BATCH, False, None)
    assert largest_difference(shifted, together) > 1e-3


@pytest.mark.parametrize("model", normed_models(), ids=lambda model: model.name)
def test_the_key_decides_dropout(model: Model):
    variables = model.init(jax.random.key(0), BATCH)
    outputs = [model.apply(variables, BATCH, True, jax.random.key(seed))[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert largest_difference(outputs[0], outputs[2]) > 1e-3


def test_running_statistics_follow_the_definition_of_batch_normalisation():
    model = from_linen(LinenNormed(), "normed")
    variables = model.init(jax.random.key(0), BATCH)
    _, renewed = model.apply(variables, BATCH, True, jax.random.key(1))
    hidden = BATCH @ variables["params"]["Dense_0"]["kernel"]
    expected = 0.9 * 0 + 0.1 * hidden.mean(0)  # by hand: momentum 0.9 from a start at 0
    np.testing.assert_allclose(
        renewed["batch_stats"]["BatchNorm_0"]["mean"], expected, rtol=1e-4, atol=1e-6
    )


def test_an_nnx_network_in_training_without_key_is_refused_only_if_it_draws():
    model = from_nnx(NnxNormed, "normed")
    variables = model.init(jax.random.key(0), BATCH)
    with pytest.raises(InvalidInputError, match="give apply a key"):
        model.apply(variables, BATCH, True, None)
    plain = from_nnx(lambda rngs: nnx.Linear(3, 2, rngs=rngs), "plain")
    made = plain.init(jax.random.PRNGKey(0), BATCH)
    outputs, _ = plain.apply(made, BATCH, True, None)
    expected = BATCH @ made["params"]["kernel"] + made["params"]["bias"]
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_an_nnx_network_initialises_as_nnx_itself_does():
    model = from_nnx(NnxNormed, "normed")
    variables = model.init(jax.random.key(3), BATCH)
    direct = NnxNormed(nnx.Rngs(jax.random.key(3)))
    np.testing.assert_array_equal(variables["params"]["first"]["kernel"], direct.first.kernel[...])


def test_short_functions_with_bare_parameters():
    model = adapt(
        (lambda key, inputs: jax.random.normal(key, (inputs.shape[1], 2)), lambda w, x: x @ w),
        "line",
    )
    variables = model.init(jax.random.key(0), BATCH)
    assert set(variables) == {"params"}
    outputs, same = jax.jit(model.apply, static_argnums=2)(variables, BATCH, True, None)
    np.testing.assert_allclose(outputs, BATCH @ variables["params"], rtol=1e-5)
    assert largest_difference(same, variables) == 0
    population = jax.vmap(model.init, in_axes=(0, None))(
        jax.random.split(jax.random.key(0), 4), BATCH
    )
    mapped, _ = jax.vmap(lambda one: model.apply(one, BATCH, False, None))(population)
    assert mapped.shape == (4, 16, 2)


def test_short_functions_of_variables_see_their_params_entry():
    net = MLP((5,), 2)
    model = adapt((net.init, lambda variables, inputs: net.apply(variables, inputs)), "mlp")
    variables = model.init(jax.random.key(0), BATCH)
    outputs, _ = model.apply(variables, BATCH, False, None)
    np.testing.assert_array_equal(outputs, net.apply(variables, BATCH))


def test_full_functions_are_used_as_they_are():
    def init(key, inputs):
        return {"params": jax.random.normal(key, (inputs.shape[1], 1)), "seen": jnp.zeros(())}

    def apply(variables, inputs, train, key):
        del key
        seen = variables["seen"] + jnp.where(train, 1.0, 0.0)
        return inputs @ variables["params"], {**variables, "seen": seen}

    model = from_functions(init, apply, "counting")
    _, renewed = model.apply(model.init(jax.random.key(0), BATCH), BATCH, True, None)
    assert renewed["seen"] == 1


def test_an_object_with_init_and_apply_is_taken():
    class Pair:
        @staticmethod
        def init(key, inputs):
            return jax.random.normal(key, (inputs.shape[1],))

        @staticmethod
        def apply(params, inputs):
            return inputs @ params

    assert adapt(Pair(), "pair").init(jax.random.key(0), BATCH)["params"].shape == (3,)


def test_a_linen_module_without_parameters_or_train_argument():
    class Sum(nn.Module):
        @nn.compact
        def __call__(self, inputs):
            return inputs.sum(-1, keepdims=True)

    model = adapt(Sum(), "sum")
    variables = model.init(jax.random.key(0), BATCH)
    assert variables == {"params": {}}
    outputs, _ = model.apply(variables, BATCH, True, jax.random.key(0))
    np.testing.assert_allclose(outputs, BATCH.sum(-1, keepdims=True))


def called_by(call: Callable[..., Any]) -> nn.Module:
    return type("Flagged", (nn.Module,), {"__call__": call})()


@pytest.mark.parametrize(
    "call",
    [
        lambda _, inputs, training=False: inputs * training,
        lambda _, inputs, is_training=False: inputs * is_training,
        lambda _, inputs, *, deterministic=True: inputs * deterministic,
        lambda _, inputs, use_running_average=None: (inputs, use_running_average),
    ],
)
def test_a_linen_module_must_call_its_flag_train(call: Callable[..., Any]):
    flag = list(inspect.signature(call).parameters)[-1]
    with pytest.raises(InvalidInputError, match=f"takes '{flag}', .* rename it train"):
        adapt(called_by(call), "flagged")


def test_a_linen_module_with_a_train_argument_may_have_others():
    module = called_by(lambda _, inputs, train, deterministic=True: inputs * train * deterministic)
    outputs, _ = adapt(module, "both").apply({"params": {}}, BATCH, True, None)
    np.testing.assert_array_equal(outputs, BATCH)


def test_a_model_is_returned_as_it_is():
    model = adapt(MLP((), 1), "one")
    assert adapt(model, "other") is model


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (3, "is a int; expected a Model"),
        (MLP, "linen class MLP; give an instance"),
        (lambda rngs: rngs, "did not return an nnx module; a model can be"),
        (lambda: 3, r"failed \(TypeError"),
        (nnx.Linear(1, 1, rngs=nnx.Rngs(0)), "already initialised"),
        ((max, lambda p, x, train: p + x + train), r"takes \(p, x, train\); expected"),
        ((max, lambda params, rng, *inputs: (params, rng, inputs)), "use without_apply_rng"),
        ((max, lambda: 0), "apply takes"),
    ],
)
def test_what_is_no_network_is_refused(thing, message):
    with pytest.raises(InvalidInputError, match=message):
        adapt(thing, "bad")
