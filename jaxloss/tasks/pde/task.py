"""Equations as tasks: train on collocation points and known values, be scored on the solution."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

from jaxloss.losses import zoo
from jaxloss.losses.views import View, view_named
from jaxloss.models.model import Model
from jaxloss.tasks.metrics import Metric
from jaxloss.tasks.options import usual_loss
from jaxloss.tasks.pde.draws import Outliers, draw_rows, terms_of
from jaxloss.tasks.pde.network import SCORED, pde_model, rows_of, widths_of
from jaxloss.tasks.pde.problem import Problem, Weights
from jaxloss.tasks.task import Split

TRAIN_ROWS = 4096
"""Training rows of all kinds together, enough to fill the domain (*assumed*)."""
VALID_ROWS = 512
"""Scored points that steer a search, at random (*assumed*)."""
TEST_SIDE = 33
"""Points along each side of the grid that tests; its square along the only one (*assumed*)."""


@dataclasses.dataclass(frozen=True, eq=False)
class PDETask:
    """A task whose network solves an equation; fulfils `jaxloss.tasks.task.DistributedTask`.

    A row is a point, its kind and the parameter of the equation. On interior rows the network puts
    out the residual of the equation, whose target is 0, and on rows of known values the value of
    the solution: any loss of predictions and targets works on both. The mean over a batch weighs
    the terms of the equation as their shares of the rows. Rows of valid and test are of the
    solution itself.

    Attributes:
        name: how reports call the task; `load_task` takes it.
        problem: the family of equations.
        parameter: of this equation.
        weights: of the terms.
        outliers: whether and how known values of the training rows are spoilt.
        model: the network that is trained.
        train: moves the model's parameters.
        valid: steers the fitness, and the meta-gradient of methods that draw no problems.
        test: is seen by the final comparison only.
        view: turns outputs and targets into the variables of a loss.
        metric: what a person wants to be good.
        task_loss_name: a loss of the zoo, perhaps with parameters, as `jaxloss.zoo.spelled` writes.
    """

    name: str
    problem: Problem
    parameter: float
    weights: Weights
    outliers: Outliers | None
    model: Model
    train: Split
    valid: Split
    test: Split
    view: View
    metric: Metric
    task_loss_name: str

    def with_model(self, model: str) -> "PDETask":
        """Gives the rows to another network, ``mlp:WIDTH-WIDTH-...``.

        Raises:
            InvalidInputError: the text names no such network.
        """
        network = pde_model(self.problem, widths_of(self.problem, model))
        return dataclasses.replace(self, model=network)

    def task_loss(
        self, outputs: Float[Array, "batch 1"], targets: Num[Array, " batch"]
    ) -> Float[Array, " batch"]:
        """The usual loss, one value for each row; the squared error unless another was chosen."""
        return zoo.read_task_loss(self.task_loss_name, self.view.name)(outputs, targets)

    def predictions(self, outputs: Float[Array, "examples 1"]) -> Float[Array, " examples"]:
        """The values of the solution, on scored rows."""
        return outputs[:, 0]

    def draw_problem(self, key: PRNGKeyArray) -> Float[Array, ""]:
        """Draws a parameter from the range of meta-training."""
        return self.problem.training.at(jax.random.uniform(key))

    def draw_batch(
        self, key: PRNGKeyArray, parameter: Float[Array, ""], examples: int, judging: bool = False
    ) -> Split:
        """Draws rows of the equation with this parameter, each term its share."""
        terms, spoilt = terms_of(self.problem, self.weights), self.outliers
        if judging and spoilt is not None and not spoilt.judging:
            spoilt = None
        return draw_rows(key, self.problem, terms, parameter, examples, spoilt)


def pde_task(
    name: str,
    problem: Problem,
    metric: Metric,
    parameter: float | None = None,
    weights: Weights | None = None,
    outliers: Outliers | None = None,
    widths: tuple[int, ...] = (50, 50),
    task_loss: str = "mse",
    seed: int = 0,
) -> PDETask:
    """Makes the task of one equation.

    Args:
        name: how reports call the task.
        problem: the family of equations.
        metric: the score.
        parameter: of the equation; by default the middle of the range of meta-training.
        weights: of the terms, 1 each by default.
        outliers: whether and how known values of the training rows are spoilt.
        widths: of the hidden layers of the tanh perceptron.
        task_loss: what `jaxloss.zoo.read` takes.
        seed: draws the rows.

    Raises:
        InvalidInputError: there is no reference solution for the parameter, a weight cannot be
            used, or the usual loss is not one of predictions and targets.
    """
    parameter = problem.training.centre if parameter is None else parameter
    problem.require_solvable(parameter)
    weights, view = weights or Weights(), view_named("identity")
    terms = terms_of(problem, weights)
    usual = usual_loss(task_loss, view.name)
    train = _pool(problem, terms, outliers, seed, parameter)
    generator = np.random.default_rng(seed)
    scattered = generator.uniform(problem.low, problem.high, (VALID_ROWS, problem.dimensions))
    return PDETask(
        name,
        problem,
        parameter,
        weights,
        outliers,
        pde_model(problem, widths),
        train,
        _scored(problem, scattered, parameter),
        _scored(problem, grid_points(problem), parameter),
        view,
        metric,
        usual,
    )


def grid_points(problem: Problem) -> Float[np.ndarray, "rows dimensions"]:
    """Makes the points of the test split: a regular grid, the last coordinate running fastest."""
    side = TEST_SIDE ** (2 if problem.dimensions == 1 else 1)
    lines = [np.linspace(*ends, side) for ends in zip(problem.low, problem.high, strict=True)]
    return np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, problem.dimensions)


def _pool(
    problem: Problem,
    terms: dict[float, float],
    outliers: Outliers | None,
    seed: int,
    parameter: float,
) -> Split:
    """Draws the training rows, their kinds in random order as some take the first ones only."""

    @jax.jit
    def draw(key: PRNGKeyArray, parameter: Array) -> Split:
        row_key, order_key = jax.random.split(key)
        rows = draw_rows(row_key, problem, terms, parameter, TRAIN_ROWS, outliers)
        order = jax.random.permutation(order_key, TRAIN_ROWS)
        return Split(rows.inputs[order], rows.targets[order])

    return draw(jax.random.key(seed), jnp.asarray(parameter, jnp.result_type(float)))


def _scored(
    problem: Problem, points: Float[np.ndarray, "rows dimensions"], parameter: float
) -> Split:
    values = problem.solution(points, parameter)
    precision = jnp.result_type(float)
    parameters = jnp.full(len(points), parameter, precision)
    rows = rows_of(jnp.asarray(points, precision), SCORED, parameters)
    return Split(rows, jnp.asarray(values, precision))
