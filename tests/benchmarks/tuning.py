"""What tuning chooses, by ways of spending the same number of trainings.

Every configuration is trained with many networks once; then tunings are simulated, each with the
networks and configurations in another order. What a tuning is worth is the mean fitness, over all
networks, of the configuration and length that it chose.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from jaxloss.keys import named_key
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.tuning import choose, configured_trainings
from jaxloss.learning.tuning_settings import TuningSettings
from jaxloss.losses import zoo
from jaxloss.losses.zoo.tunable import tunable
from jaxloss.tasks import Task, TaskSettings, load_task

Table = Float[np.ndarray, "configurations networks lengths"]
Scheme = Callable[[Table, int], tuple[int, int]]
"""``(fitness, trainings) -> (configuration, length)``."""


def rows(
    task: str,
    loss: str,
    steps: int,
    outliers: float = 0.0,
    model: str = "mlp:50-50",
    count: int = 150,
    networks: int = 12,
    budgets: tuple[int, ...] = (20, 150),
    repeated: int = 300,
) -> list[dict[str, Any]]:
    """Measures every scheme at every budget.

    Args:
        task: what `jaxloss.load_task` takes.
        loss: of the zoo, tuned with its own parameters.
        steps: of the longest training.
        outliers: share of the training targets.
        model: the network.
        count: configurations, the default one among them.
        networks: that each of them is trained with.
        budgets: trainings that a tuning may take.
        repeated: simulated tunings.
    """
    loaded = load_task(task, TaskSettings(model=model, outliers=outliers, outlier_splits="train"))
    fitness = _fitness(loaded, loss, steps, count, networks)
    # A training that failed is worth what the worst finite one of the default is.
    worst = fitness[0][np.isfinite(fitness[0])].max()
    truth = np.minimum(fitness, worst).mean(axis=1)
    table = []
    for trainings in budgets:
        chosen: dict[str, list[float]] = {name: [] for name in _SCHEMES}
        generator = np.random.default_rng(0)
        for _ in range(repeated):
            order = np.concatenate([[0], 1 + generator.permutation(count - 1)])
            shuffled = fitness[order][:, generator.permutation(networks)]
            for name, scheme in _SCHEMES.items():
                row, length = scheme(shuffled, trainings)
                chosen[name].append(truth[order[row], length])
        table += [
            {
                "task": f"{task}, {outliers:.0%} outliers" if outliers else task,
                "loss": loss,
                "trainings": trainings,
                "scheme": name,
                "mean": np.mean(values),
                "worst": np.quantile(values, 0.95),
                "default": truth[0, -1],
                "best": truth.min(),
            }
            for name, values in chosen.items()
        ]
    return table


def _fitness(task: Task, loss: str, steps: int, count: int, networks: int) -> Table:
    """Trains every configuration with all networks."""
    settings, key = TuningSettings(budget=1, steps=steps), jax.random.key(0)
    held = tunable(zoo.get(loss), task.view.name)
    trainings = configured_trainings(task, BaseOptimizerSettings(), settings, key, held, count)
    return trainings.fitness(named_key(key, "networks"), np.arange(count), networks)


def _by_means(networks: int) -> Scheme:
    """Compares all configurations over as many networks each."""

    def scheme(fitness: Table, trainings: int) -> tuple[int, int]:
        found = fitness[: max(trainings // networks, 1), :networks].mean(axis=1)
        row, length = np.unravel_index(np.argmin(found), found.shape)
        return int(row), int(length)

    return scheme


def _with_finals(fitness: Table, trainings: int) -> tuple[int, int]:
    """Compares as jaxloss does."""

    def means(name: str, chosen: np.ndarray, seeds: int) -> np.ndarray:
        first = 0 if name == "networks" else settings.seeds
        return fitness[chosen, first : first + seeds].mean(axis=1)

    settings = TuningSettings(budget=trainings, steps=1, observations=1)
    choice = choose(settings, means)
    return choice.row, choice.length


_SCHEMES: dict[str, Scheme] = {
    "one network each": _by_means(1),
    "two networks each": _by_means(2),
    "five networks each": _by_means(5),
    "one each, then finals": _with_finals,
}
