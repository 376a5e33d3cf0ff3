"""The sequential EvoMAL computes what jaxloss computes, so that only speed differs."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning import BaseOptimizerSettings, FitnessSettings, RejectionSettings
from jaxloss.learning.filters import improvement
from jaxloss.learning.fitness import partial_training
from jaxloss.learning.inner import Learner, batch_indices, predict, training_step
from jaxloss.learning.unroll import meta_loss
from jaxloss.losses import LearnedLoss, TreeForm, assemble, interpret
from jaxloss.losses.views import per_example
from jaxloss.symbols import Alphabet, parse
from jaxloss.tasks import Split, Task, TaskSettings, load_task

# Torch and deap are the extra "benchmark", not part of what every developer installs.
for library in ("torch", "deap"):
    pytest.importorskip(library, reason="torch and deap are needed for the rival of the benchmarks")

# By name and not by import statement: these modules need torch and deap.
torch: Any = importlib.import_module("torch")
primitives: Any = importlib.import_module("sequential.primitives")
problems: Any = importlib.import_module("sequential.problem")
training: Any = importlib.import_module("sequential.training")
settings: Any = importlib.import_module("sequential.settings")

ALPHABET = Alphabet()
SETTINGS = settings.SequentialSettings(
    batch_size=16, rejection_steps=20, rejection_learning_rate=0.1, training_steps=15
)
OPTIMIZER = BaseOptimizerSettings(batch_size=16)


class Candidate(NamedTuple):
    formula: str
    weights: np.ndarray

    @property
    def genome(self) -> Any:
        return jnp.asarray(ALPHABET.encode(parse(self.formula)))

    @property
    def padded(self) -> Any:
        rest = ALPHABET.capacity - 1 - len(self.weights)
        return jnp.asarray(np.concatenate([self.weights, np.ones(rest)]))

    @property
    def network(self) -> Any:
        return primitives.WeightedTree(primitives.tree_of(self.formula), torch.tensor(self.weights))


class Sides(NamedTuple):
    task: Task
    problem: Any

    def loss(self, genome: Any, weights: Any) -> Callable[[Any, Any], Any]:
        """The loss of jaxloss's search; one compiled program serves all candidates."""
        program = assemble(ALPHABET, genome)

        def evaluate(outputs: Any, targets: Any) -> Any:
            seen = self.task.view.see(outputs, targets)
            return per_example(interpret(ALPHABET, program, weights, *seen))

        return evaluate

    def network(self, variables: Any) -> Any:
        """Copies a network's parameters to PyTorch."""
        network = self.problem.network()
        layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
        for i, layer in enumerate(layers):
            parameters = variables["params"][f"Dense_{i}"]
            layer.weight.data = torch.tensor(np.asarray(parameters["kernel"].T))
            layer.bias.data = torch.tensor(np.asarray(parameters["bias"]))
        return network


@pytest.fixture(scope="module")
def candidates(random_formulas: Callable[..., list[str]]) -> list[Candidate]:
    generator = np.random.default_rng(1)
    formulas = [
        formula for formula in random_formulas(5, 60) if parse(formula).variables == ("f", "y")
    ][:12]
    assert all(f"{name}(" in "".join(formulas) for name in primitives.FUNCTIONS)
    return [
        Candidate(formula, 1 + 0.3 * generator.normal(size=parse(formula).size - 1))
        for formula in formulas
    ]


@pytest.fixture(params=["diabetes", "digits"])
def sides(request: pytest.FixtureRequest) -> Sides:
    request.getfixturevalue("float64")
    # Wide enough that some last hidden unit is awake for every example: the slope of abs at an
    # output of exactly 0 is 1 in JAX and 0 in PyTorch.
    task = load_task(request.param, TaskSettings(model="mlp:16-16"))
    assert task.train.inputs.dtype == np.float64
    torch.set_num_threads(1)  # On arrays this small, threads only wait for each other.
    return Sides(task, problems.problem_of(task))


def rows(split: Any, count: int) -> Any:
    return type(split)(split.inputs[:count], split.targets[:count])


def close(actual: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert np.isfinite(expected).all()
    # What cancels to nothing, as slopes of a softmax may, leaves rounding errors behind.
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-6, atol=1e-15)


def test_losses_have_equal_values(sides: Sides, candidates: list[Candidate]):
    outputs = np.random.default_rng(0).normal(size=(20, sides.problem.train.targets.shape[1]))
    for candidate in candidates:
        form = TreeForm(parse(candidate.formula), ("f", "y"))
        loss = LearnedLoss(form, tuple(candidate.weights.tolist()), sides.task.view.name)
        expected = jnp.mean(loss(jnp.asarray(outputs), sides.task.train.targets[:20]))
        with torch.no_grad():
            value = sides.problem.mean_loss(
                candidate.network, torch.tensor(outputs), sides.problem.train.targets[:20]
            )
        close(value, expected)


def test_an_inner_step_gives_equal_parameters(sides: Sides, candidates: list[Candidate]):
    task, key = sides.task, jax.random.key(0)
    variables = task.model.init(key, task.train.inputs[:1])
    transformation = OPTIMIZER.make()

    @jax.jit
    def stepped(genome: Any, weights: Any) -> Any:
        learner = Learner(variables, transformation.init(variables["params"]))
        loss, batch = sides.loss(genome, weights), rows(task.train, 16)
        return training_step(task.model, transformation, loss, learner, batch, key).variables

    network = sides.network(variables)
    for candidate in candidates:
        found = training.inner_step(
            sides.problem,
            SETTINGS,
            network,
            dict(network.named_parameters()),
            candidate.network,
            rows(sides.problem.train, 16),
        )
        expected = sides.network(stepped(candidate.genome, candidate.padded))
        for name, parameter in expected.named_parameters():
            start = network.get_parameter(name).detach()
            close(found[name].detach() - start, parameter.detach() - start)


def test_meta_gradients_are_equal(sides: Sides, candidates: list[Candidate]):
    task, key = sides.task, jax.random.key(1)
    batches = Split(task.train.inputs[None, :16], task.train.targets[None, :16])
    held_out = rows(task.valid, 16)

    @jax.jit
    def gradient(genome: Any, weights: Any) -> Any:
        def objective(weights: Any) -> Any:
            return meta_loss(
                key,
                task.model,
                OPTIMIZER,
                task.task_loss,
                lambda weights: sides.loss(genome, weights),
                batches,
                held_out,
                weights,
            )

        return jax.grad(objective)(weights)

    network = sides.network(task.model.init(jax.random.split(key)[0], held_out.inputs[:1]))
    moved = 0
    for candidate in candidates:
        found = training.meta_gradient(
            sides.problem,
            SETTINGS,
            network,
            candidate.network,
            rows(sides.problem.train, 16),
            rows(sides.problem.valid, 16),
        )
        expected = gradient(candidate.genome, candidate.padded)[: len(candidate.weights)]
        moved += int(np.max(np.abs(expected)) > 1e-12)
        close(found, expected)
    assert moved >= 8


def test_rejection_measures_equal_improvements(sides: Sides, candidates: list[Candidate]):
    task = sides.task
    examples = rows(task.train, 100)
    variables = task.model.init(jax.random.key(2), examples.inputs[:1])
    outputs = predict(task.model, variables, examples.inputs)
    rejection = RejectionSettings(steps=20, learning_rate=0.1)

    @jax.jit
    def gain(genome: Any, weights: Any) -> Any:
        loss = sides.loss(genome, weights)
        return improvement(task, rejection, loss, outputs, examples.targets)

    gains = []
    for candidate in candidates:
        gains.append(
            training.improvement(
                sides.problem,
                SETTINGS,
                candidate.network.requires_grad_(False),
                torch.tensor(np.asarray(outputs)),
                sides.problem.train.targets[:100],
            )
        )
        close(gains[-1], gain(candidate.genome, candidate.padded))
    assert min(gains) < 0 < max(gains)


def test_partial_training_reaches_equal_fitness(sides: Sides, candidates: list[Candidate]):
    task, key = sides.task, jax.random.key(3)
    start_key, batch_key, _ = jax.random.split(jax.random.split(key, 1)[0], 3)
    variables = task.model.init(start_key, task.train.inputs[:1])
    batches = batch_indices(batch_key, len(task.train.inputs), 16, 15)

    @jax.jit
    def fitness(genome: Any, weights: Any) -> Any:
        steps, loss = FitnessSettings(steps=15), sides.loss(genome, weights)
        return partial_training(key, task, OPTIMIZER, steps, loss, task.train, task.valid)[0]

    for candidate in candidates:
        found = training.partial_training(
            sides.problem,
            SETTINGS,
            candidate.network.requires_grad_(False),
            sides.network(variables),
            torch.tensor(np.asarray(batches)),
        )
        close(found, fitness(candidate.genome, candidate.padded))
