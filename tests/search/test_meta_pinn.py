"""Losses that are tuned on draws of a distribution of equations."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses import AdaptiveForm, pinn_network
from jaxloss.losses.adaptive import shape_and_scale
from jaxloss.losses.family import LossFamily
from jaxloss.losses.flat_binding import family_binding
from jaxloss.search.meta_pinn import (
    MetaPINNSettings,
    drawn_meta_loss,
    drawn_way,
    meta_pinn,
    property_penalty,
)
from jaxloss.tasks import TaskSettings, load_task
from jaxloss.tasks.pde import PDETask

KEY = jax.random.key(0)
OPTIMIZER = BaseOptimizerSettings(1e-2, 0.9, 0.0, 24, rule="adam")


@cache
def task_of(name: str, outliers: float = 0.0) -> PDETask:
    task = load_task(
        f"pde:{name}", TaskSettings(model="mlp:8", outliers=outliers, outlier_splits="train")
    )
    assert isinstance(task, PDETask)
    return task


def tuned(task: PDETask, tuning: LocalSearchSettings, start: Any) -> np.ndarray:
    form = AdaptiveForm()
    way = drawn_way([task], OPTIMIZER, tuning)
    bind = family_binding(form, task.view)
    return np.asarray(jax.jit(lambda params: way.tune((KEY, []), bind, params))(start))


@pytest.mark.usefixtures("float64")
def test_meta_gradients_agree_with_finite_differences():
    task, form = load_task("pde:burgers", TaskSettings(model="mlp:3")), AdaptiveForm()
    assert isinstance(task, PDETask)
    bind = family_binding(form, task.view)
    tuning = LocalSearchSettings(inner_steps=2)

    def objective(params: Any) -> Any:
        return drawn_meta_loss(KEY, task, OPTIMIZER, tuning, bind, params)

    value_of = jax.jit(objective)
    start = form.family().init(jax.random.key(1)).astype(float) + 0.1
    gradient = np.asarray(jax.jit(jax.grad(objective))(start))
    moves = 1e-6 * np.eye(len(start))
    differences = [(value_of(start + m) - value_of(start - m)) / 2e-6 for m in moves]
    assert np.max(np.abs(gradient)) > 1e-7
    np.testing.assert_allclose(gradient, differences, rtol=1e-3, atol=1e-8)


def test_equations_differ_from_step_to_step():
    """With the same networks, two draws of the distribution give two meta-losses."""
    task = task_of("regression")
    bind = family_binding(AdaptiveForm(), task.view)
    start = AdaptiveForm().family().init(KEY)
    tuning = LocalSearchSettings(inner_steps=1)

    @jax.jit
    @jax.vmap
    def values(key: Any) -> Any:
        return drawn_meta_loss(key, task, OPTIMIZER, tuning, bind, start)

    found = values(jax.random.split(KEY, 20))
    assert np.all(np.isfinite(found))
    assert np.std(found) > 0.01


def test_outliers_among_the_known_values_lower_the_shape():
    tuning = LocalSearchSettings(40, 8, learning_rate=0.1, clip_norm=1.0)
    start = AdaptiveForm().family().init(KEY)
    spoilt = shape_and_scale(jnp.asarray(tuned(task_of("regression", 0.2), tuning, start)))
    # Without outliers it comes to 2.1.
    assert float(spoilt.alpha) < 1.5


def squared(params: Any, f: Any, y: Any) -> Any:
    return params * jnp.square(f - y)


def test_the_penalty_is_zero_for_squared_errors_only():
    square = LossFamily(lambda _: jnp.ones(()), squared)
    assert float(property_penalty(KEY, square, 0.0, jnp.float32(1.0))) == 0.0
    shifted = LossFamily(square.init, lambda params, f, y: jnp.square(f - y - params))
    # (2 params)² at q = q', whatever q is.
    found = property_penalty(KEY, shifted, 0.0, jnp.float32(0.5))
    np.testing.assert_allclose(found, 1.0, rtol=1e-5)
    flat = LossFamily(square.init, lambda params, f, y: params * 0.0 * f * y)
    np.testing.assert_allclose(property_penalty(KEY, flat, 0.01, jnp.float32(1.0)), 0.01, rtol=1e-5)


def test_ffn_learns_to_rest_where_there_is_no_error():
    task, form = task_of("regression"), pinn_network()
    family = form.family()
    tuning = LocalSearchSettings(60, 1, learning_rate=1e-2, clip_norm=1.0)

    def penalty(key: Any, params: Any) -> Any:
        return property_penalty(key, family, 1e-2, params)

    way = drawn_way([task], OPTIMIZER, tuning, penalty)
    bind = family_binding(form, task.view)
    start = family.init(jax.random.key(2))
    after = jax.jit(lambda params: way.tune((KEY, []), bind, params))(start)
    judge = jax.jit(lambda params: penalty(jax.random.key(3), params))
    assert float(judge(after)) < 0.3 * float(judge(start))


def test_the_search_improves_on_its_start():
    """Plain SGD is slow under the start; meta-gradients make the loss steeper."""
    task = task_of("regression")
    settings = MetaPINNSettings(
        generations=2,
        chunk=1,
        optimizer=BaseOptimizerSettings(0.005, 0.0, 0.0, 24),
        fitness=FitnessSettings(steps=20),
        trial=TrialSettings(steps=20, seeds=2, finalist_seeds=2, finalists=2),
        tuning=LocalSearchSettings(40, 5, learning_rate=0.05, clip_norm=1.0),
    )
    search = meta_pinn(task, settings)
    start = search.init(KEY)
    state = start
    for _ in range(2):
        state, _ = search.step(state)
    bind = family_binding(AdaptiveForm(), task.view)

    @jax.jit
    def meta_loss(params: Any) -> Any:
        def of_key(key: Any) -> Any:
            return drawn_meta_loss(key, task, settings.optimizer, settings.tuning, bind, params)

        return jnp.mean(jax.vmap(of_key)(jax.random.split(jax.random.key(9), 32)))

    before, after = (
        float(meta_loss(jnp.asarray(one.losses.loss_params[0]))) for one in (start, state)
    )
    assert after < 0.8 * before


def test_tasks_of_one_problem_are_refused():
    with pytest.raises(InvalidInputError, match="'diabetes' is one problem; choose tasks such as"):
        meta_pinn(load_task("diabetes"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"family": "fnn"}, "unknown family 'fnn'"),
        ({"spread": -1.0}, "spread must be 0 or more"),
        ({"penalty": float("nan")}, "penalty must be 0 or more"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        MetaPINNSettings(**settings)
