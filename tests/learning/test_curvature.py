from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.flatten_util import ravel_pytree

from jaxloss.errors import InvalidInputError
from jaxloss.learning.curvature import (
    Eigenvalues,
    LanczosSettings,
    loss_curvature,
    top_eigenvalues,
)
from jaxloss.learning.inner import targets_of
from jaxloss.losses import LearnedLoss, TreeForm, ZooForm
from jaxloss.symbols import parse
from jaxloss.tasks import TaskSettings, load_task, supervised_task

GENERATOR = np.random.default_rng(1)
INPUTS = GENERATOR.normal(size=(40, 3))
TARGETS = np.sin(INPUTS @ np.array([1.0, -2.0, 0.5]))
KEY = jax.random.key(0)
TIGHT = LanczosSettings(basis=16, tolerance=1e-9)


def network_loss(params: Any) -> Any:
    hidden = jnp.tanh(INPUTS @ params["kernel"] + params["bias"])
    return jnp.mean(jnp.square(hidden @ params["last"] - TARGETS))


def network_params() -> Any:
    generator = np.random.default_rng(2)
    shapes = {"kernel": (3, 5), "bias": (1, 5), "last": (5,)}
    return {name: jnp.asarray(generator.normal(size=shape)) for name, shape in shapes.items()}


def eigenvalues_of(matrix: Any) -> np.ndarray:
    """All eigenvalues, those of largest magnitude first."""
    values = np.linalg.eigh(np.asarray(matrix, float))[0]
    return values[np.argsort(-np.abs(values))]


def dense(function: Any, params: Any) -> np.ndarray:
    flat, unravel = ravel_pytree(params)
    return np.asarray(jax.jit(jax.hessian(lambda point: function(unravel(point))))(flat))


def require_pairs(found: Eigenvalues, matrix: np.ndarray) -> None:
    """Checks that the vectors are unit vectors which the matrix scales by the values."""
    flat = np.asarray(jax.vmap(lambda tree: ravel_pytree(tree)[0])(found.vectors), float)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-8)
    images = np.asarray(found.values)[:, None] * flat
    np.testing.assert_allclose(flat @ matrix, images, atol=1e-7)


@pytest.mark.usefixtures("float64")
def test_a_networks_eigenvalues_are_those_of_the_dense_hessian():
    params = network_params()

    @jax.jit
    def top(sign: float) -> Eigenvalues:
        return top_eigenvalues(KEY, lambda params: sign * network_loss(params), params, 3, TIGHT)

    matrix = dense(network_loss, params)
    expected = eigenvalues_of(matrix)
    assert expected[0] > 0
    for sign in (1.0, -1.0):
        found = top(sign)
        assert found.converged
        np.testing.assert_allclose(found.values, sign * expected[:3], rtol=1e-8)
        assert np.all(found.residuals <= TIGHT.tolerance)
        require_pairs(found, sign * matrix)


SPREAD = np.linspace(-1.0, 1.0, 58)


def rotated(eigenvalues: Any) -> np.ndarray:
    """Makes a matrix that has these eigenvalues, and is far from diagonal."""
    values = np.asarray(eigenvalues, float)
    axes = np.linalg.qr(np.random.default_rng(3).normal(size=(values.size, values.size)))[0]
    return axes @ np.diag(values) @ axes.T


@partial(jax.jit, static_argnums=(1, 2))
def top_of(matrix: Any, count: int = 2, settings: LanczosSettings = TIGHT) -> Eigenvalues:
    """Finds the top eigenvalues of the Hessian of the quadratic that a matrix makes."""

    def quadratic(point: Any) -> Any:
        return point @ matrix @ point / 2 + jnp.sum(point)

    return top_eigenvalues(KEY, quadratic, jnp.zeros(len(matrix)), count, settings)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("first", "second"), [(-5.0, 3.0), (5.0, 4.995), (-5.0, 4.999), (-5.0, -4.99)]
)
def test_signs_and_close_neighbours_are_told_apart(first: float, second: float):
    matrix = rotated([second, *SPREAD, first])
    found = top_of(matrix)
    assert found.converged
    np.testing.assert_allclose(found.values, [first, second], rtol=1e-8)
    require_pairs(found, matrix)
    assert int(found.products) < TIGHT.products


@pytest.mark.usefixtures("float64")
def test_an_iteration_that_is_cut_short_says_so_and_bounds_its_error():
    values = np.array([5.0, 4.99, *SPREAD])
    found = top_of(rotated(values), 1, LanczosSettings(basis=4, products=8, tolerance=1e-9))
    assert not found.converged
    assert 8 <= int(found.products) <= 11
    miss = np.min(np.abs(float(found.values[0]) - values))
    assert 0 < miss <= float(found.residuals[0] * abs(found.values[0]))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("values", [[-7.0, 2.0, 1.0], [4.0] * 3, [0.0] * 3])
def test_what_fits_the_basis_whole_is_found_at_once(values: list[float]):
    found = top_of(rotated(values), 3)
    np.testing.assert_allclose(found.values, values, rtol=1e-10, atol=1e-12)
    assert np.all(found.residuals < TIGHT.tolerance)
    assert int(found.products) == 3


@pytest.mark.usefixtures("float64")
def test_a_matrix_of_few_different_eigenvalues_needs_fresh_directions():
    found = top_of(rotated([4.0] * 30 + [0.0] * 30))
    np.testing.assert_allclose(found.values[0], 4.0, rtol=1e-10)
    assert found.residuals[0] < TIGHT.tolerance


def test_the_iteration_lowers_for_accelerators_that_are_not_there():
    exported = export.export(top_of, platforms=("cuda", "tpu"))(jnp.eye(60, dtype=jnp.float32))
    assert exported.platforms == ("cuda", "tpu")
    assert exported.out_avals[0].shape == (2,)


@pytest.mark.usefixtures("float64")
def test_a_function_that_is_no_number_ends_at_once_and_does_not_converge():
    found = top_of(np.full((60, 60), np.nan))
    assert np.all(np.isnan(found.values))
    assert not found.converged
    assert int(found.products) == TIGHT.basis


TRACES = {"loss": 0}
TASK = supervised_task("toy", INPUTS, TARGETS, "regression", model="mlp:4")
TREE = parse("tanh((f - y)**2)")
LOSS = LearnedLoss(TreeForm(TREE), (1.5, *(1.0,) * (TREE.size - 2)), "identity")


def counted(outputs: Any, targets: Any) -> Any:
    TRACES["loss"] += 1
    return LOSS(outputs, targets)


def test_a_tasks_curvature_is_that_of_its_mean_training_loss_and_compiles_once():
    for seed in range(2):
        variables = TASK.model.init(jax.random.key(seed), TASK.train.inputs[:1])
        before = TRACES["loss"]
        found = loss_curvature(KEY, TASK, counted, variables, 2)
        assert (TRACES["loss"] == before) == (seed == 1)

        def mean(params: Any) -> Any:
            outputs, _ = TASK.model.apply({"params": params}, TASK.train.inputs, False, None)
            return jnp.mean(LOSS(outputs, TASK.train.targets))

        expected = eigenvalues_of(dense(mean, variables["params"]))[:2]
        np.testing.assert_allclose(found.values, expected, rtol=1e-3)
        assert found.converged


def test_the_curvature_takes_targets_that_a_network_makes_as_data():
    task = load_task("rl:tabular:horizon=2:episodes=20", TaskSettings(model="linear"))
    loss = LearnedLoss(ZooForm("mse", "identity"), (), "identity")
    variables = jax.jit(task.model.init)(jax.random.key(0), task.train.inputs[:1])
    variables = jax.tree.map(lambda leaf: leaf + 0.3, variables)
    targets = jax.jit(lambda: targets_of(task.model, variables, task.train))()
    assert not np.allclose(targets, task.train.targets)

    def mean(params: Any) -> Any:
        outputs, _ = task.model.apply({"params": params}, task.train.inputs, False, None)
        # To the fourth power, so that the curvature depends on how far targets are away.
        return jnp.mean(loss(outputs, targets) ** 2)

    def fourth(outputs: Any, targets: Any) -> Any:
        return loss(outputs, targets) ** 2

    found = loss_curvature(KEY, task, fourth, variables, 2)
    expected = eigenvalues_of(dense(mean, variables["params"]))[:2]
    np.testing.assert_allclose(found.values, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"basis": 1}, "basis must be 2 or more, got 1"),
        ({"products": 0}, "products must be 1 or more, got 0"),
        ({"tolerance": 0.0}, "tolerance must be above 0, got 0.0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        LanczosSettings(**settings)


@pytest.mark.parametrize("count", [0, 4])
def test_counts_beyond_the_parameters_are_refused(count: int):
    with pytest.raises(InvalidInputError, match=f"count must be within 1 and 3 .* got {count}"):
        top_eigenvalues(KEY, jnp.sum, jnp.ones(3), count)
