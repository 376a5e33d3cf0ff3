"""Reference solutions, and residuals that vanish on them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from jaxloss.tasks.pde import PDES, outputs_of, rows_of
from jaxloss.tasks.pde.burgers import cole_hopf
from jaxloss.tasks.pde.network import BOUNDARY, INITIAL, INTERIOR, SCORED
from jaxloss.tasks.pde.problem import Problem

KEY = jax.random.key(0)


def points_of(problem: Problem, rows: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.uniform(problem.low, problem.high, (rows, problem.dimensions))


def spectral_burgers(viscosity: float, x: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Solves for the amplitudes of the first sines on [-1, 1], all products without aliasing."""
    modes = 128
    numbers = np.arange(1, modes + 1)
    nodes = (np.arange(3 * modes) + 0.5) * 2 / (3 * modes) - 1
    sines, cosines = (wave(np.pi * np.outer(nodes, numbers)) for wave in (np.sin, np.cos))

    def change(_: float, amplitudes: np.ndarray) -> np.ndarray:
        product = (sines @ amplitudes) * (cosines @ (np.pi * numbers * amplitudes))
        projected = sines.T @ product * 2 / len(nodes)
        return -projected - viscosity * (np.pi * numbers) ** 2 * amplitudes

    start = -(numbers == 1).astype(float)
    solved = solve_ivp(change, (0, times[-1]), start, "RK45", t_eval=times, rtol=1e-9, atol=1e-11)
    return np.sin(np.pi * np.outer(x, numbers)) @ solved.y


@pytest.mark.parametrize("viscosity", [0.02, 0.1])
def test_cole_hopf_agrees_with_a_spectral_solution(viscosity: float):
    x, times = np.linspace(-1, 1, 41), np.array([0.1, 0.4, 1.0])
    expected = spectral_burgers(viscosity, x, times)
    grid = np.stack(np.meshgrid(x, times, indexing="ij"), -1).reshape(-1, 2)
    found = cole_hopf(grid, viscosity).reshape(len(x), len(times))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_cole_hopf_starts_as_the_sine_and_is_steep_where_the_viscosity_is_small():
    x = np.linspace(-1, 1, 21)
    start = cole_hopf(np.stack([x, np.zeros(21)], 1), 0.01)
    np.testing.assert_allclose(start, -np.sin(np.pi * x), atol=1e-12)
    # Golden value: the slope at the origin at t = 1.6037/π for ν = 0.01/π is -152.00516
    # (Basdevant et al. 1986, https://doi.org/10.1016/0045-7930(86)90036-8, Table 1).
    near = np.array([[-1e-5, 1.6037 / np.pi], [1e-5, 1.6037 / np.pi]])
    before, after = cole_hopf(near, 0.01 / np.pi)
    np.testing.assert_allclose((after - before) / 2e-5, -152.00516, rtol=1e-4)


def test_advection_moves_the_bump_along():
    problem = PDES["advection"]
    points = np.array([[0.2, 0.7], [-0.5, 0.0], [0.5, 1.0], [0.0, 0.25]])
    expected = [1.0, 1.0, 1.0, np.exp(-0.5 * (0.25 / 0.2) ** 2)]
    np.testing.assert_allclose(problem.solution(points, 0.2), expected, atol=1e-12)


def test_the_discontinuous_function_jumps_at_the_origin():
    problem = PDES["regression"]
    before, after = problem.solution(np.array([[-1e-9], [0.0]]), 1.0)
    np.testing.assert_allclose([before, after], [0.0, 2.0], atol=1e-6)


def exact_field(problem: Problem, parameter: float) -> Any:
    """The true solution as a function of points that can be differentiated."""
    if problem.name != "burgers":
        return lambda points: problem.values(points, jnp.full(len(points), parameter))
    s = jnp.linspace(-1.0, 1.0, 401)[None, :] * np.sqrt(1 / (np.pi * parameter) + 45)

    def field(points: Any) -> Any:
        x, t = points[:, :1], points[:, 1:]
        angle = jnp.pi * (x - s * jnp.sqrt(4 * parameter * t))
        exponent = -jnp.cos(angle) / (2 * jnp.pi * parameter) - jnp.square(s)
        return -jnp.sum(jnp.sin(angle) * jax.nn.softmax(exponent, axis=1), axis=1)

    return field


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", [name for name, one in PDES.items() if one.residual])
def test_the_true_solution_as_the_network_has_no_residual(name: str):
    problem = PDES[name]
    parameter = problem.training.centre
    points = points_of(problem, 12)
    # At t = 0 the quadrature's root has no slope.
    points = jnp.asarray(np.maximum(points, np.where(np.array(problem.low) == 0, 0.05, -1.0)))
    rows = rows_of(points, INTERIOR, jnp.full(12, parameter))
    exact = exact_field(problem, parameter)
    residual = jax.jit(partial(outputs_of, problem, exact))(rows)
    np.testing.assert_allclose(residual, 0.0, atol=1e-9)
    # The test can fail: another parameter or another field is no solution.
    doubled = jax.jit(partial(outputs_of, problem, lambda points: 1.1 * exact(points)))
    other = rows_of(points, INTERIOR, jnp.full(12, 1.5 * parameter))
    if name == "advection":  # Linear and without its parameter in the equation.
        tilted = partial(outputs_of, problem, lambda points: exact(points) + points[:, 0])
        np.testing.assert_allclose(tilted(rows), 1.0, atol=1e-9)
    else:
        assert np.max(np.abs(doubled(rows))) > 1e-2
        assert np.max(np.abs(outputs_of(problem, exact, other))) > 1e-2


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", PDES)
def test_known_values_are_the_solution_where_they_are_known(name: str):
    problem = PDES[name]
    parameter = 1.2 * problem.training.centre
    points = jnp.asarray(points_of(problem, 30))
    places = {BOUNDARY: problem.boundary, INITIAL: problem.initial}
    moved = [place(points) for place in places.values() if place]
    for where in moved if problem.residual else [points]:
        values = problem.values(where, jnp.full(30, parameter))
        expected = problem.solution(np.asarray(where), parameter)
        np.testing.assert_allclose(values, expected, atol=1e-9)
    assert len(moved) == {"regression": 0, "reaction_diffusion": 1}.get(name, 2)


def test_other_rows_put_out_the_field_itself():
    problem = PDES["burgers"]
    points = jnp.asarray(points_of(problem, 5), jnp.float32)

    def field(points: Any) -> Any:
        return jnp.square(points[:, 0]) + points[:, 1]

    for kind in (BOUNDARY, INITIAL, SCORED):
        rows = rows_of(points, kind, jnp.full(5, 0.5))
        np.testing.assert_allclose(outputs_of(problem, field, rows)[:, 0], field(points), rtol=1e-6)
    x, t = points.T
    # u_t + u u_x − ν u_xx of u = x² + t by hand.
    expected = 1 + (x**2 + t) * 2 * x - 0.5 * 2
    rows = rows_of(points, INTERIOR, jnp.full(5, 0.5))
    np.testing.assert_allclose(outputs_of(problem, field, rows)[:, 0], expected, rtol=1e-5)
