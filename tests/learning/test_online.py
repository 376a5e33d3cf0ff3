"""Training under a loss that goes on learning."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss.learning.inner import BaseOptimizerSettings, batch_indices, take, train, training_step
from jaxloss.learning.online import (
    draw_online,
    online_stepper,
    start_online,
    train_online,
)
from jaxloss.learning.unroll import Bind
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.taylor import TaylorForm
from jaxloss.models.model import Variables
from jaxloss.tasks import SupervisedTask, supervised_task

OPTIMIZER = BaseOptimizerSettings(learning_rate=0.05, batch_size=8)
KEY = jax.random.key(3)


def line(model: str = "linear") -> SupervisedTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(60, 2))
    targets = inputs @ np.array([1.0, -2.0]) + 0.1 * generator.normal(size=60)
    return supervised_task("line", inputs, targets, "regression", model=model)


def shifted_square(params: Array) -> Any:
    """(f - y - c)²: the task loss where c is 0."""
    return lambda outputs, targets: jnp.square(
        outputs - targets.reshape(outputs.shape) - params[0]
    )[:, 0]


def run(
    task: SupervisedTask,
    bind: Bind,
    params: list[float],
    rate: float,
    steps: int,
    observations: int = 1,
) -> tuple[Variables, Array, Array]:
    drawn = draw_online(KEY, task, OPTIMIZER, task.train, task.valid, steps)

    def error(variables: Variables) -> Array:
        outputs = task.model.apply(variables, task.valid.inputs, False, None)[0]
        return jnp.mean(task.task_loss(outputs, task.valid.targets))

    @jax.jit
    def trained(loss_params: Array) -> tuple[Variables, Array, Array]:
        splits = task.train, task.valid
        return train_online(
            drawn, task, OPTIMIZER, rate, bind, loss_params, *splits, error, observations
        )

    return trained(jnp.array(params))


@pytest.mark.usefixtures("float64")
def test_the_meta_gradient_of_a_step_is_that_of_a_finite_difference():
    task, form = line("mlp:4"), TaylorForm()
    bind = family_binding(form, task.view)
    params = jnp.array([0.1, -0.2, 0.3, 1.0, 0.1, 0.2, -0.3, 0.1])
    drawn = draw_online(KEY, task, OPTIMIZER, task.train, task.valid, 5)
    step = jax.jit(online_stepper(task, OPTIMIZER, 1e-3, bind, drawn, task.train, task.valid))
    number = 2
    start = start_online(drawn, params, 1e-3)
    after = step(start, jnp.array(number))
    # Adam's first moment after one step is a tenth of the gradient.
    moments = [leaf for leaf in jax.tree.leaves(after.outer_state) if leaf.shape == params.shape]
    gradient = moments[0] / 0.1
    assert gradient.dtype == jnp.float64

    @jax.jit
    def judged(params: Array) -> Array:
        batch = take(task.train, drawn.training.batches[number])
        held_out = take(task.valid, drawn.judging[number])
        learner = training_step(
            task.model, OPTIMIZER.make(), bind(params), start.learner, batch, KEY
        )
        outputs, _ = task.model.apply(learner.variables, held_out.inputs, False, None)
        return jnp.mean(jnp.square(outputs[:, 0] - held_out.targets))

    width = 1e-5
    differences = [
        (judged(params + width * unit) - judged(params - width * unit)) / (2 * width)
        for unit in np.eye(form.parameter_count)
    ]
    assert np.min(np.abs(differences)) > 1e-6
    np.testing.assert_allclose(gradient, differences, rtol=1e-4)
    # And the loss goes down it.
    moved = after.loss_params - params
    np.testing.assert_array_equal(np.sign(moved), -np.sign(gradient))


def test_training_and_judging_draw_noise_apart():
    task, seen = line(), list[list[int]]()

    def noisy(variables: Variables, inputs: Array, train: bool, key: Any) -> Any:
        seen.append(jax.random.key_data(key).tolist())
        return task.model.apply(variables, inputs, train, key)

    watched = replace(task, model=task.model._replace(apply=noisy))
    drawn = draw_online(KEY, watched, OPTIMIZER, task.train, task.valid, 3)
    splits = task.train, task.valid
    step = online_stepper(watched, OPTIMIZER, 0.5, shifted_square, drawn, *splits)
    for number in range(2):
        step(start_online(drawn, jnp.array([0.7]), 0.5), jnp.array(number))
    assert len(seen) == 4
    assert len({tuple(key) for key in seen}) == 4


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_judging_examples_have_a_key_of_their_own(steps: int):
    task = line()
    drawn = draw_online(KEY, task, OPTIMIZER, task.train, task.valid, steps)

    def with_key(key: Any) -> list[list[int]]:
        return batch_indices(key, len(task.valid.targets), OPTIMIZER.batch_size, steps).tolist()

    others = [with_key(key) for key in jax.random.split(KEY, 3)]
    assert drawn.judging.tolist() not in others
    # What longer trainings draw stays as it was.
    assert (drawn.judging.tolist() == with_key(jax.random.fold_in(KEY, steps))) == (steps > 2)


def test_the_network_of_a_step_is_trained_by_the_loss_before_it():
    task = line()
    drawn = draw_online(KEY, task, OPTIMIZER, task.train, task.valid, 3)
    step = online_stepper(task, OPTIMIZER, 0.5, shifted_square, drawn, task.train, task.valid)
    params = jnp.array([0.7])
    after = jax.jit(step)(start_online(drawn, params, 0.5), jnp.array(1))
    batch = take(task.train, drawn.training.batches[1])
    expected = training_step(
        task.model,
        OPTIMIZER.make(),
        shifted_square(params),
        drawn.training.learner,
        batch,
        KEY,
    )
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-5),
        after.learner.variables,
        expected.variables,
    )
    assert abs(float(after.loss_params[0]) - 0.7) == pytest.approx(0.5, rel=1e-3)


def test_a_loss_that_hardly_moves_trains_as_any_other():
    """Network, batches and noise are those of plain training with the same key."""
    task = line()
    variables, _, params = run(task, shifted_square, [0.5], 1e-30, 24)
    expected, _ = train(
        KEY, task.model, OPTIMIZER, shifted_square(jnp.array([0.5])), task.train, 24
    )
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6),
        variables,
        expected,
    )
    assert params.tolist() == [0.5]


def test_a_wrong_centre_is_found_on_the_way():
    task = line()
    _, records, params = run(task, shifted_square, [1.0], 0.02, 300, observations=3)
    assert abs(float(params[0])) < 0.1
    assert records.shape == (3,)
    assert float(records[-1]) < 0.1
    # The loss that stays as it is leaves the network beside the targets by as much.
    _, stuck, _ = run(task, shifted_square, [1.0], 1e-30, 300, observations=3)
    assert float(stuck[-1]) > 0.5


def test_a_step_of_the_loss_that_is_not_finite_is_left_out():
    task = line()

    def broken(params: Array) -> Any:
        # At 0 the slope of the root for the parameter is infinite, and the outputs' is 0.
        usual = shifted_square(jnp.zeros(1))
        return lambda outputs, targets: (
            usual(outputs, targets) + jnp.sqrt(params[0]) * outputs[:, 0] * 0.0 + 0.0 * params[1]
        )

    variables, _, params = run(task, broken, [0.0, 2.0], 0.1, 24)
    assert params.tolist() == [0.0, 2.0]
    expected, _ = train(KEY, task.model, OPTIMIZER, shifted_square(jnp.zeros(1)), task.train, 24)
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-6),
        variables,
        expected,
    )


def test_judging_examples_are_held_out_ones_drawn_anew_each_step():
    task = line()
    drawn = draw_online(KEY, task, OPTIMIZER, task.train, task.valid, 30)
    assert drawn.judging.shape == (30, 8)
    assert len({tuple(row) for row in np.sort(drawn.judging).tolist()}) > 20
    assert int(drawn.judging.max()) == len(task.valid.inputs) - 1
    assert drawn.training.batches.shape == (30, 8)
