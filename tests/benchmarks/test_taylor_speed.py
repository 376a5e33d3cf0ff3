"""The sequential TaylorGLO computes what jaxloss computes, and searches by itself."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import taylor_speed
from timing import Cost

from jaxloss.errors import InvalidInputError
from jaxloss.learning import BaseOptimizerSettings, RejectionSettings
from jaxloss.learning.filters import improvement
from jaxloss.learning.fitness import trained_from
from jaxloss.learning.inner import Draws, fresh_learner, predict
from jaxloss.losses.flat_binding import family_binding
from jaxloss.losses.taylor import TaylorForm
from jaxloss.tasks import Split, Task, TaskSettings, load_task

# Torch and deap are the extra "benchmark", not part of what every developer installs.
for library in ("torch", "deap"):
    pytest.importorskip(library, reason="torch and deap are needed for the rival of the benchmarks")

# By name and not by import statement: these modules need torch and deap.
torch: Any = importlib.import_module("torch")
problems: Any = importlib.import_module("sequential.problem")
settings: Any = importlib.import_module("sequential.settings")
taylor: Any = importlib.import_module("sequential.taylor")
training: Any = importlib.import_module("sequential.training")

STEPS = 5
SETTINGS = settings.SequentialSettings(
    batch_size=16, rejection_steps=20, rejection_learning_rate=0.1, training_steps=STEPS
)
SQUARE = (0.0, 0.0, 0.0, 1.0, 0.0, -2.0, 0.0, 0.0)
"""f² − 2fy: the square of the error, less what has no gradient."""

WRONG_WAY = tuple(-parameter for parameter in SQUARE)


@pytest.fixture(scope="module")
def candidates() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(4, taylor.PARAMETERS))
    return np.concatenate([[SQUARE, WRONG_WAY], 0.3 * drawn])


@pytest.fixture
def task(request: pytest.FixtureRequest) -> Task:
    request.getfixturevalue("float64")
    torch.set_num_threads(1)  # On arrays this small, threads only wait for each other.
    return load_task("diabetes", TaskSettings(model="mlp:8-8"))


def close(actual: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-5, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_polynomials_have_equal_values_and_slopes(candidates: np.ndarray):
    f, y = np.random.default_rng(1).normal(size=(2, 20, 3))
    family = TaylorForm(3).family()

    @jax.jit
    def both(parameters: Any) -> Any:
        def total(f: Any) -> Any:
            values = family.apply(parameters, f, jnp.asarray(y))
            return jnp.sum(values), values

        return jax.grad(total, has_aux=True)(jnp.asarray(f))

    for parameters in candidates:
        seen = torch.tensor(f, requires_grad=True)
        values = taylor.TaylorLoss(parameters)(seen, torch.tensor(y))
        values.sum().backward()
        slope, expected = both(jnp.asarray(parameters))
        close(values.detach(), expected)
        close(seen.grad, slope)


def test_trainings_reach_equal_fitness(task: Task, candidates: np.ndarray):
    key, optimizer, examples = jax.random.key(3), BaseOptimizerSettings(), len(task.train.inputs)
    learner = fresh_learner(key, task.model, optimizer.make(), task.train)
    batches = np.random.default_rng(2).integers(examples, size=(STEPS, 16))
    drawn = jax.tree.map(lambda leaf: leaf[None], Draws(learner, jnp.asarray(batches), key))
    problem, bind = problems.problem_of(task), family_binding(TaylorForm(3), task.view)

    @jax.jit
    def fitness(parameters: Any) -> Any:
        loss = bind(parameters)
        return trained_from(drawn, task, optimizer, loss, task.train, task.valid)[0]

    values, indices = [], torch.tensor(batches)
    for parameters in candidates:
        network = problem.network()
        layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
        for i, layer in enumerate(layers):
            given = learner.variables["params"][f"Dense_{i}"]
            layer.weight.data = torch.tensor(np.asarray(given["kernel"].T))
            layer.bias.data = torch.tensor(np.asarray(given["bias"]))
        loss = taylor.TaylorLoss(parameters)
        values.append(training.partial_training(problem, SETTINGS, loss, network, indices))
        close(values[-1], fitness(jnp.asarray(parameters)))
    assert len(set(values)) == len(values)


def test_rejection_tests_measure_equal_gains(task: Task, candidates: np.ndarray):
    examples = Split(task.train.inputs[:100], task.train.targets[:100])
    outputs = predict(
        task.model, task.model.init(jax.random.key(2), examples.inputs[:1]), examples.inputs
    )
    problem, bind = problems.problem_of(task), family_binding(TaylorForm(3), task.view)
    rejection = RejectionSettings(steps=20, learning_rate=0.1)

    @jax.jit
    def gain(parameters: Any) -> Any:
        return improvement(task, rejection, bind(parameters), outputs, examples.targets)

    gains = []
    for parameters in candidates:
        loss, targets = taylor.TaylorLoss(parameters), problem.train.targets[:100]
        tensor = torch.tensor(np.asarray(outputs))
        gains.append(training.improvement(problem, SETTINGS, loss, tensor, targets))
        close(gains[-1], gain(jnp.asarray(parameters)))
    assert min(gains) < 0 < max(gains)


def test_hopeless_polynomials_are_ranked_behind_all_others():
    problem = problems.problem_of(load_task("diabetes", TaskSettings(model="mlp:4")))
    good, wrong = (np.array(parameters) for parameters in (SQUARE, WRONG_WAY))
    huge = np.array([0.0, 0.0, 0.0, 0.0, 1e30, 0.0, 0.0, 0.0])
    judged = [taylor.judge(problem, SETTINGS, row, 0, True) for row in (wrong, good)]
    judged += [taylor.judge(problem, SETTINGS, row, 0, False) for row in (0.1 * wrong, huge)]
    rejected, trained, unfiltered, broken = judged
    assert [one.outcome for one in judged] == ["rejected", "trained", "trained", "not finite"]
    assert rejected.gain < 0 < trained.gain
    assert np.isposinf([rejected.fitness, broken.fitness]).all()
    assert trained.fitness < unfiltered.fitness
    ranked = sorted(judged, key=lambda one: one.order)
    assert [id(one) for one in ranked] == list(map(id, (trained, unfiltered, broken, rejected)))


def test_the_sequential_search_finds_losses_that_pass_and_repeats_itself():
    task = load_task("diabetes", TaskSettings(model="linear"))
    few = settings.SequentialSettings(rejection_steps=10, training_steps=5)
    one, other = (taylor.run(task, 10, 8, 0, True, 1, few) for _ in range(2))
    assert [len(generation) for generation in one] == [8] * 10
    for first, second in zip(one, other, strict=True):
        for row, same in zip(first, second, strict=True):
            np.testing.assert_array_equal(row.parameters, same.parameters)
    passed = [sum(row.outcome != "rejected" for row in generation) for generation in one]
    assert sum(passed[5:]) > sum(passed[:5])


def test_a_polynomial_has_eight_parameters():
    with pytest.raises(InvalidInputError, match="has 8 parameters, got 7"):
        taylor.TaylorLoss(np.zeros(7))


def test_the_sample_comes_from_all_of_the_search():
    asked = np.arange(100.0)[:, None]
    sample = taylor_speed.spread_sample(asked, 10, 0)
    assert (sample[:, 0] // 10).tolist() == list(range(10))
    assert len(taylor_speed.spread_sample(asked[:3], 10, 0)) == 3


def test_the_rival_pays_for_the_test_and_for_whom_it_lets_pass():
    costs = taylor_speed.RivalCosts([Cost(4.0, 5.0), Cost(6.0, 7.0)], [Cost(10.0, 20.0)] * 2, 1)
    assert costs.estimate(False, 1.0) == (10.0, 0.0, 20.0, 1)
    # The mean of 4 + 0.5 · 10 and 6 + 0.5 · 10; their deviation over √2 is 1.
    assert costs.estimate(True, 0.5) == pytest.approx((10.0, 1.0, 16.0, 1))
