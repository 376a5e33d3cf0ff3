"""Class anchor margin beside rivals of pairs and triplets, at equal steps, all of them tuned.

Every loss gets the same tuning budget: learning rate, weight decay and its own parameters, on the
validation split. Trainings with fresh seeds follow, the same networks and batches for every loss,
and are scored on the test split. What a step costs is measured in pairs with class anchor margin,
in turns on one core.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from timing import one_core, timed

from jaxloss.keys import named_key
from jaxloss.learning import BaseOptimizerSettings
from jaxloss.learning.inner import ExampleLoss, predict, train
from jaxloss.learning.tuning import TunedTraining, tune_training
from jaxloss.learning.tuning_settings import TuningSettings
from jaxloss.losses import zoo
from jaxloss.losses.zoo.tunable import tunable
from jaxloss.runs.statistics import paired
from jaxloss.tasks import Task, TaskSettings, load_task
from jaxloss.tasks.retrieval_scores import retrieval_score

CAM = "cam"
RIVALS = ("triplet", "contrastive", "nt_xent")
"""Losses of pairs and triplets; the best of them is to be reached."""

SCORES = ("map", "map:two_stage", "recall@1", "recall@5")

_TURNS = 15
"""Pairs of timings."""

_FRESH = 1
"""Seed of splits, tuning and networks. With seed 0, test scores had been seen while ranges of
parameters were still chosen; they have not been changed since."""


def rows(
    task: str,
    seen: str | None = None,
    losses: tuple[str, ...] = (CAM, *RIVALS, "cross_entropy"),
    model: str = "mlp:50-50",
    steps: int = 1000,
    tunings: int = 48,
    seeds: int = 10,
    timed_steps: int = 300,
) -> list[dict[str, Any]]:
    """Measures one task.

    Args:
        task: what `jaxloss.load_task` takes.
        seen: the same with the classes of training in its test split, where ``task`` tests others.
        losses: names in the zoo, class anchor margin first.
        model: the network.
        steps: of every training.
        tunings: trainings that tune each loss.
        seeds: fresh trainings.
        timed_steps: steps of the trainings that are timed; 0 times nothing.
    """
    settings = TaskSettings(model=model, split_seed=_FRESH)
    loaded = load_task(task, settings)
    tests = {"": loaded} | ({"seen_": load_task(seen, settings)} if seen else {})
    table, scores = [], dict[str, dict[str, np.ndarray]]()
    for name in losses:
        tuned = _tuned(loaded, name, steps, tunings)
        scores[name] = _scores(tests, name, tuned, steps, seeds)
        found, own = scores[name], scores[losses[0]]
        against = paired(own["map"], found["map"], True)
        numbers = ", ".join(f"{key} {value:.2g}" for key, value in tuned.parameters.items())
        table.append(
            {
                "task": loaded.name,
                "loss": name,
                **{score: found[score].mean() for score in found},
                "deviation": found["map"].std(ddof=1),
                "ahead": None if name == losses[0] else f"{against.wins}/{seeds}",
                "p": None if name == losses[0] else against.p,
                "tuned": f"rate {tuned.learning_rate:.2g}, decay {tuned.weight_decay:.1g}"
                + (f", {numbers}" if numbers else ""),
            }
        )
    if timed_steps:
        table = _with_costs(loaded, table, timed_steps)
    return table


def _tuned(task: Task, name: str, steps: int, tunings: int) -> TunedTraining:
    settings = TuningSettings(tunings * steps, steps=steps, observations=1)
    loss = tunable(zoo.get(name), task.view.name)
    return tune_training(task, BaseOptimizerSettings(), settings, jax.random.key(_FRESH), loss)


def _scores(
    tests: Mapping[str, Task], name: str, tuned: TunedTraining, steps: int, seeds: int
) -> dict[str, Float[np.ndarray, " seeds"]]:
    """Trains with fresh seeds and scores every network on each test split in every way."""
    task = tests[""]
    optimizer = BaseOptimizerSettings(tuned.learning_rate, weight_decay=tuned.weight_decay)
    loss = zoo.as_task_loss(zoo.get(name), task.view.name, **tuned.parameters)

    @jax.jit
    def run(key: Array) -> dict[str, Array]:
        variables, _ = train(key, task.model, optimizer, loss, task.train, steps)
        found = dict[str, Array]()
        for prefix, tested in tests.items():
            outputs = predict(task.model, variables, tested.test.inputs)
            for score in SCORES:
                found[prefix + score] = retrieval_score(score)(outputs, tested.test.targets)
        return found

    keys = jax.random.split(named_key(jax.random.key(_FRESH), "fresh"), seeds)
    results = [jax.device_get(run(key)) for key in keys]
    return {score: np.array([result[score] for result in results]) for score in results[0]}


def all_triplets(
    outputs: Float[Array, "batch rows features"], targets: Array
) -> Float[Array, " batch"]:
    """Averages the triplet loss over every triplet of the batch that an example belongs to."""
    embeddings, same = outputs[:, 0], targets[:, None] == targets[None]
    squares = jnp.sum(jnp.square(embeddings[:, None] - embeddings[None]), -1)
    distances = jnp.sqrt(squares + 1e-6)
    counts = (same & ~jnp.eye(len(targets), dtype=bool))[:, :, None] & ~same[:, None, :]
    values = jnp.maximum(0.0, 1.0 + distances[:, :, None] - distances[:, None, :])
    total = jnp.sum(values, (1, 2), where=counts)
    return total / jnp.maximum(jnp.sum(counts, (1, 2)), 1).astype(total.dtype)


def _nothing(outputs: Float[Array, "batch rows features"], _targets: Array) -> Array:
    """Costs next to nothing: what is left of a step is the network's and the optimiser's."""
    return jnp.sum(jnp.square(outputs[:, 0]), -1)


def _with_costs(task: Task, table: list[dict[str, Any]], steps: int) -> list[dict[str, Any]]:
    """Adds the time of a step, and its ratio to class anchor margin's, the median of pairs."""
    losses: dict[str, ExampleLoss] = {
        row["loss"]: zoo.as_task_loss(zoo.get(row["loss"]), task.view.name) for row in table
    }
    table = [*table, {"task": task.name, "loss": "all triplets"}]
    losses["all triplets"] = all_triplets
    table.append({"task": task.name, "loss": "(network alone)"})
    losses["(network alone)"] = _nothing
    programs = {name: _training(task, loss, steps) for name, loss in losses.items()}
    key = jax.random.key(0)
    costs: dict[str, list[float]] = {name: [] for name in programs}
    with one_core():
        for program in programs.values():
            jax.block_until_ready(program(key))
        for _ in range(_TURNS):
            for name, program in programs.items():
                cost = timed(lambda program=program: program(key))[1]
                costs[name].append(1e6 * cost.core_seconds / steps)
    usual = np.array(costs[table[0]["loss"]])
    return [
        row
        | {
            "step_us": float(np.median(costs[row["loss"]])),
            "ratio": float(np.median(np.array(costs[row["loss"]]) / usual)),
        }
        for row in table
    ]


def _training(task: Task, loss: ExampleLoss, steps: int) -> Callable[[Array], Any]:
    def run(key: Array) -> Any:
        return train(key, task.model, BaseOptimizerSettings(), loss, task.train, steps)[0]

    return jax.jit(run)
