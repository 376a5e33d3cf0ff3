"""Every family of equations as a task."""

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import BaseOptimizerSettings, predict, train
from jaxloss.losses.targets import same_shape_targets
from jaxloss.tasks import Task, TaskSettings, load_task, load_tasks
from jaxloss.tasks.pde import PDES, PDETask, Weights, grid_points
from jaxloss.tasks.pde.draws import Outliers, draw_rows, row_counts, terms_of
from jaxloss.tasks.pde.network import BOUNDARY, INITIAL, INTERIOR, SCORED
from jaxloss.tasks.task import DistributedTask

SETTINGS = TaskSettings(model="mlp:8-8")


@cache
def task_of(name: str) -> PDETask:
    task = load_task(f"pde:{name}", SETTINGS)
    assert isinstance(task, PDETask)
    return task


@pytest.fixture(params=PDES)
def task(request: pytest.FixtureRequest) -> PDETask:
    return task_of(request.param)


def test_every_equation_is_a_task_of_a_distribution(task: PDETask):
    assert isinstance(task, Task)
    assert isinstance(task, DistributedTask)
    assert (task.view.name, task.metric.name, task.task_loss_name) == (
        "identity",
        "relative_l2",
        "mse",
    )
    assert task.parameter == task.problem.training.centre
    columns = task.problem.dimensions + 2
    for split in (task.train, task.valid, task.test):
        assert split.inputs.shape == (len(split.targets), columns)
        assert np.all(np.isfinite(split.inputs))
        assert np.all(np.isfinite(split.targets))
    points = np.asarray(task.train.inputs[:, :-2])
    assert np.all(points >= np.array(task.problem.low) - 1e-6)
    assert np.all(points <= np.array(task.problem.high) + 1e-6)


def test_valid_and_test_are_of_the_solution(task: PDETask):
    for split in (task.valid, task.test):
        assert np.all(split.inputs[:, -2] == SCORED)
        points = np.asarray(split.inputs[:, :-2], np.float64)
        expected = task.problem.solution(points, task.parameter)
        smooth = np.abs(points[:, 0]) > 1e-6 if task.problem.name == "regression" else slice(None)
        np.testing.assert_allclose(split.targets[smooth], expected[smooth], atol=2e-5)
    np.testing.assert_allclose(task.test.inputs[:, :-2], grid_points(task.problem), atol=1e-6)


def test_the_task_loss_has_finite_first_and_mixed_derivatives(task: PDETask):
    model = task.model
    rows = task.train.inputs[:40], task.train.targets[:40]
    params = model.init(jax.random.key(0), rows[0])["params"]

    def mean_loss(params: Any, shift: Any) -> Any:
        outputs, _ = model.apply({"params": params}, rows[0], True, None)
        return jnp.mean(task.task_loss(outputs * shift, rows[1]))

    def norm(shift: Any) -> Any:
        gradient = jax.grad(mean_loss)(params, shift)
        return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient))

    value, mixed = jax.jit(jax.value_and_grad(norm))(1.0)
    assert 0 < float(value) < 1e6
    assert np.isfinite(mixed)
    assert abs(float(mixed)) > 0


def test_draws_are_of_their_equation_and_compile_once(task: PDETask):
    traced: list[str] = []

    @jax.jit
    def compiled(key: Any) -> Any:
        traced.append(task.name)
        parameter = task.draw_problem(key)
        return parameter, task.draw_batch(key, parameter, 50)

    seen = set[float]()
    for seed in range(3):
        parameter, rows = compiled(jax.random.key(seed))
        assert task.problem.training.holds(float(parameter))
        np.testing.assert_array_equal(rows.inputs[:, -1], np.full(50, parameter))
        known = np.asarray(rows.inputs[:, -2]) != INTERIOR
        points = np.asarray(rows.inputs[known, :-2], np.float64)
        expected = task.problem.solution(points, float(parameter))
        np.testing.assert_allclose(rows.targets[known], expected, atol=1e-4)
        assert np.all(np.asarray(rows.targets)[~known] == 0)
        seen.add(float(parameter))
    assert len(seen) == 3
    assert len(traced) == 1


def test_terms_have_their_share_of_the_rows():
    problem = PDES["burgers"]
    terms = terms_of(problem, Weights(2.0, 1.0, 1.0))
    assert row_counts(terms, 40) == {INTERIOR: 20, BOUNDARY: 10, INITIAL: 10}
    assert row_counts(terms, 42) == {INTERIOR: 21, BOUNDARY: 11, INITIAL: 10}
    assert row_counts({INTERIOR: 1.0, BOUNDARY: 100.0, INITIAL: 1.0}, 4) == {
        INTERIOR: 1,
        BOUNDARY: 2,
        INITIAL: 1,
    }
    assert terms_of(problem, Weights(1.0, 0.0, 1.0)) == {INTERIOR: 1.0, INITIAL: 1.0}
    assert terms_of(PDES["reaction_diffusion"], Weights()) == {INTERIOR: 1.0, BOUNDARY: 1.0}
    rows = draw_rows(jax.random.key(0), problem, terms, jnp.float32(0.1), 40)
    assert np.bincount(np.asarray(rows.inputs[:, 2], int)).tolist() == [20, 10, 10]


def test_outliers_spoil_known_values_of_training_rows_only():
    clean = task_of("advection")
    spoilt = load_task("pde:advection", replace(SETTINGS, outliers=0.2))
    np.testing.assert_array_equal(spoilt.train.inputs, clean.train.inputs)
    changed = np.asarray(spoilt.train.targets) != np.asarray(clean.train.targets)
    known = np.asarray(clean.train.inputs[:, -2]) != INTERIOR
    assert not np.any(changed & ~known)
    assert 0.15 < np.mean(changed[known]) < 0.25
    np.testing.assert_array_equal(spoilt.valid.targets, clean.valid.targets)
    np.testing.assert_array_equal(spoilt.test.targets, clean.test.targets)
    assert isinstance(spoilt, PDETask)
    drawn = draw_batches(spoilt), draw_batches(clean)
    assert 0.1 < np.mean(drawn[0] != drawn[1]) < 0.2


def test_outliers_of_all_kinds_are_of_one_size():
    """Burgers' boundary is 0 everywhere: its own deviation would leave it as it is."""
    clean = task_of("burgers")
    spoilt = load_task("pde:burgers", replace(SETTINGS, outliers=0.2))
    changes = np.abs(np.asarray(spoilt.train.targets) - np.asarray(clean.train.targets))
    kinds = np.asarray(clean.train.inputs[:, -2])
    of_kind = [changes[kinds == kind] for kind in (BOUNDARY, INITIAL)]
    for found in of_kind:
        assert 0.15 < np.mean(found > 0) < 0.25
    boundary, initial = (found[found > 0].mean() for found in of_kind)
    np.testing.assert_allclose(boundary, initial, rtol=0.2)
    # By hand: 10 E|N(0, 1)| of the deviation, where half are 0 and half are sines of deviation √½.
    np.testing.assert_allclose(initial, 10 * np.sqrt(2 / np.pi) * 0.5, rtol=0.15)


def test_the_size_of_outliers_does_not_depend_on_the_batch():
    problem, parameter = PDES["burgers"], jnp.float32(0.1)
    terms = terms_of(problem, Weights(interior=0.0))
    keys = jax.random.split(jax.random.key(0), 400)

    def mean_change(rows: int) -> float:
        def changes(key: Any) -> Any:
            clean, spoilt = (
                draw_rows(key, problem, terms, parameter, rows, outliers).targets
                for outliers in (None, Outliers(1.0, 1.0))
            )
            return jnp.mean(spoilt - clean)

        return float(jnp.mean(jax.jit(jax.vmap(changes))(keys)))

    np.testing.assert_allclose(mean_change(2), mean_change(40), rtol=0.1)


def draw_batches(task: PDETask) -> np.ndarray:
    keys = jax.random.split(jax.random.key(1), 20)
    drawn = jax.jit(jax.vmap(lambda key: task.draw_batch(key, jnp.float32(0.2), 60).targets))
    return np.asarray(drawn(keys))


def test_training_solves_the_equation():
    task = load_task("pde:advection:width=0.4", replace(SETTINGS, model="mlp:16-16"))
    optimizer = BaseOptimizerSettings(0.01, 0.9, 0.0, 64, rule="adam")

    @jax.jit
    def error(key: Any, steps: Any = 400) -> Any:
        variables, _ = train(key, task.model, optimizer, task.task_loss, task.train, steps)
        outputs = predict(task.model, variables, task.test.inputs)
        return task.metric.function(task.predictions(outputs), task.test.targets)

    assert float(error(jax.random.key(0))) < 0.1


def test_values_of_a_spec_choose_the_equation():
    (one, other) = load_tasks("pde:burgers:viscosity=0.05,pde:burgers:boundary=4:viscosity=0.1")
    assert isinstance(one, PDETask)
    assert isinstance(other, PDETask)
    assert (one.name, one.parameter) == ("pde:burgers:viscosity=0.05", 0.05)
    assert (other.parameter, other.weights) == (0.1, Weights(1.0, 4.0, 1.0))
    assert one.model.name == "mlp:50-50"
    assert load_task(other.name).name == other.name


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pde:burger", "unknown equation 'burger'; valid, nearest first: burgers"),
        ("pde:", "unknown equation ''"),
        (
            "pde:burgers:viscosity=0.0001",
            "viscosity must be within 0.002 and 2, where its reference solution holds, got 0.0001",
        ),
        ("pde:burgers:viscosity=nan", "viscosity must be within"),
        ("pde:burgers:viscosity=thin", "expected viscosity=NUMBER, got 'viscosity=thin'"),
        ("pde:burgers:viscosity", "expected viscosity=NUMBER"),
        ("pde:burgers:viscosity=1:viscosity=1", "viscosity is given twice"),
        ("pde:burgers:width=1", "unknown value of pde:burgers 'width'"),
        ("pde:burgers:boundary=-1", "must be 0 or more and finite, got boundary=-1"),
        ("pde:burgers:boundary=nan", "must be 0 or more and finite, got boundary=nan"),
        ("pde:burgers:interior=inf", "must be 0 or more and finite, got interior=inf"),
        ("pde:regression:boundary=5", "has no boundary term to weigh; it has: known values alone"),
        ("pde:reaction_diffusion:initial=3", "no initial term to weigh; it has: interior, bound"),
        ("pde:advection:interior=0:boundary=0:initial=0", "no term has a weight above 0"),
    ],
)
def test_specs_that_name_no_equation_are_refused(spec: str, message: str):
    with pytest.raises(InvalidInputError, match=message):
        load_task(spec)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (TaskSettings(model="linear"), "trains a perceptron with tanh, .*got model 'linear'"),
        (TaskSettings(model="mlp:4-0"), "got model 'mlp:4-0'"),
        (TaskSettings(model="mlp:²"), "got model 'mlp:²'"),
        (TaskSettings(label_noise=0.1), "draws its own points; label_noise is for data"),
        (TaskSettings(target="y"), "target is for data"),
        (TaskSettings(metric="error_rate"), "is not for regression"),
        (TaskSettings(task_loss="cross_entropy"), "cross_entropy"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: TaskSettings, message: str):
    with pytest.raises(InvalidInputError, match=message):
        load_task("pde:burgers", settings)


def test_a_batch_has_a_row_for_each_term():
    with pytest.raises(InvalidInputError, match="a batch needs 3 rows or more, got 2"):
        task_of("burgers").draw_batch(jax.random.key(0), jnp.float32(0.1), 2)


def test_targets_fit_the_outputs(task: PDETask):
    outputs = jnp.zeros((7, 1))
    assert same_shape_targets(outputs, task.train.targets[:7]).shape == (7, 1)
    assert task.predictions(outputs).shape == (7,)
