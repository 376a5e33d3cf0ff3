"""A loss whose shape is trained along with the network."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import kv

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import BaseOptimizerSettings, train
from jaxloss.learning.joint import JointTask, online_adaptive, trained_shape
from jaxloss.losses.adaptive import shape_and_scale, start_parameters
from jaxloss.losses.zoo.adaptive import barron_likelihood, log_partition
from jaxloss.tasks import SupervisedTask, Task, TaskSettings, load_task, supervised_task


# Golden values: Barron (https://arxiv.org/abs/1701.03077, Section 2): Z(0) = π√2, Z(1) = 2e K₁(1),
# Z(2) = √(2π).
@pytest.mark.parametrize(
    ("alpha", "partition"),
    [(0.0, np.pi * np.sqrt(2)), (1.0, 2 * np.e * kv(1, 1)), (2.0, np.sqrt(2 * np.pi))],
)
def test_the_partition_is_known_at_special_shapes(alpha: float, partition: float):
    np.testing.assert_allclose(log_partition(jnp.float32(alpha)), np.log(partition), rtol=1e-5)


def test_the_likelihood_is_the_normal_one_at_two():
    d = np.linspace(-2, 2, 9, dtype=np.float32)
    found = barron_likelihood(jnp.asarray(d), jnp.zeros(9), jnp.float32(2.0), jnp.float32(0.5))
    expected = 0.5 * (d / 0.5) ** 2 + np.log(0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def noise(heavy: bool) -> SupervisedTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(600, 1))
    errors = generator.standard_cauchy(600).clip(-30, 30) if heavy else generator.normal(size=600)
    return supervised_task("noise", inputs, errors, "regression", model="linear")


@pytest.mark.parametrize("name", ["wine", "rl:tabular:horizon=2:episodes=20"])
def test_tasks_whose_score_is_not_of_values_are_refused(name: str):
    task = load_task(name, TaskSettings(model="linear"))
    with pytest.raises(InvalidInputError, match=f"oal is for predicted values.*; {name}"):
        JointTask(task)


@pytest.mark.parametrize(
    "adds", [{"companion": lambda f, _: f[:, 0]}, {"bootstrap": lambda *recorded: recorded[2]}]
)
def test_networks_that_add_to_their_loss_are_refused(adds: dict[str, Any]):
    task = noise(heavy=False)
    with pytest.raises(InvalidInputError, match="oal trains a network by its loss alone; linear"):
        JointTask(replace(task, model=task.model._replace(**adds)))


def test_it_hides_its_numbers_from_score_and_task_loss():
    base = noise(heavy=False)
    task = JointTask(base)
    assert isinstance(task, Task)
    variables = task.model.init(jax.random.key(0), task.train.inputs[:1])
    own = {"params": variables["params"]["network"]}
    expected, _ = base.model.apply(own, base.train.inputs, False, None)
    outputs, kept = task.model.apply(variables, base.train.inputs, True, None)
    np.testing.assert_array_equal(task.predictions(outputs), base.predictions(expected))
    np.testing.assert_array_equal(
        task.task_loss(outputs, base.train.targets), base.task_loss(expected, base.train.targets)
    )
    assert jax.tree.structure(kept) == jax.tree.structure(variables)
    np.testing.assert_allclose(trained_shape(variables), (2.01, np.sqrt(0.5)), rtol=1e-5)
    alpha, scale = shape_and_scale(jnp.asarray(start_parameters(), jnp.float32))
    values = barron_likelihood(expected, base.train.targets[:, None], alpha, scale)[:, 0]
    found = online_adaptive(outputs, base.train.targets)
    np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5)


def test_the_shape_follows_the_noise():
    optimizer = BaseOptimizerSettings(0.02, 0.9, 0.0, 128, "adam")

    def shape_after(task: Task) -> tuple[float, float]:
        joint = JointTask(task)

        @jax.jit
        def trained(key: Any) -> Any:
            return train(key, joint.model, optimizer, online_adaptive, joint.train, 600)[0]

        return trained_shape(trained(jax.random.key(0)))

    alpha, scale = shape_after(noise(heavy=False))
    # Standard normal errors: (d/c)²/2 at c = 1.
    assert alpha > 1.7
    np.testing.assert_allclose(scale, 1.0, atol=0.12)
    assert shape_after(noise(heavy=True))[0] < 0.8
