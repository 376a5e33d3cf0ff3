"""Finds equations by the short text that a person writes for them."""

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.tasks.metrics import metric_named
from jaxloss.tasks.options import require_usual
from jaxloss.tasks.pde.advection import ADVECTION
from jaxloss.tasks.pde.burgers import BURGERS
from jaxloss.tasks.pde.draws import Outliers
from jaxloss.tasks.pde.network import widths_of
from jaxloss.tasks.pde.problem import Problem, Weights
from jaxloss.tasks.pde.reaction_diffusion import REACTION_DIFFUSION
from jaxloss.tasks.pde.regression import REGRESSION
from jaxloss.tasks.pde.task import PDETask, pde_task
from jaxloss.tasks.settings import TaskSettings

PDES: dict[str, Problem] = {
    problem.name: problem for problem in (REGRESSION, ADVECTION, REACTION_DIFFUSION, BURGERS)
}
"""Every family of equations by its name."""

METRIC = "relative_l2"
"""The metric that meta-learned PINN losses are reported by (https://arxiv.org/abs/2107.05544)."""

_OTHERS = (
    "target",
    "kind",
    "train_fraction",
    "valid_fraction",
    "test_fraction",
    "data_dir",
    "imbalance",
    "label_noise",
)
"""Settings of tasks that are rows of data."""


def load_pde(text: str, settings: TaskSettings) -> PDETask:
    """Makes the task of an equation.

    Args:
        text: a name of `PDES`, perhaps with values: ``"burgers:viscosity=0.01"``; beside the
            parameter of the equation ``interior``, ``boundary`` and ``initial`` weigh the terms,
            those that there are.
        settings: its ``model`` is ``mlp:WIDTH-WIDTH-...``, with tanh between the layers;
            ``outliers`` spoil known values of the training rows, and of those that judge in
            meta-training unless ``outlier_splits`` is train alone; ``split_seed`` draws them.

    Raises:
        InvalidInputError: there is no such equation or value, the parameter is out of its solver's
            range, or a setting does not fit.
    """
    name, *words = text.split(":")
    if name not in PDES:
        raise unknown_name("equation", name, PDES)
    problem = PDES[name]
    values = _values(problem, words)
    require_usual(settings, _OTHERS, f"pde:{name} draws its own points", "data")
    judging = "valid" in settings.outlier_splits.split(",")
    spoilt = Outliers(settings.outliers, settings.outlier_scale, judging)
    return pde_task(
        f"pde:{text}",
        problem,
        metric_named(settings.metric or METRIC, "regression", settings.metric_direction),
        values.pop(problem.parameter, None),
        Weights(**values),
        spoilt if settings.outliers > 0 else None,
        widths_of(problem, settings.model),
        settings.task_loss or "mse",
        settings.split_seed,
    )


def _values(problem: Problem, words: list[str]) -> dict[str, float]:
    known, values = (problem.parameter, *problem.terms), dict[str, float]()
    for word in words:
        key, _, number = word.partition("=")
        require(
            key in problem.terms or key not in Weights._fields,
            f"pde:{problem.name} has no {key} term to weigh; it has: "
            f"{', '.join(problem.terms) or 'known values alone'}",
        )
        if key not in known:
            raise unknown_name(f"value of pde:{problem.name}", key, known)
        require(key not in values, f"pde:{problem.name}: {key} is given twice")
        try:
            values[key] = float(number)
        except ValueError as error:
            raise InvalidInputError(
                f"pde:{problem.name}: expected {key}=NUMBER, got {word!r}"
            ) from error
    return values
