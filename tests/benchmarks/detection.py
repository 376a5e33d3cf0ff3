"""Losses of a detector beside each other: usual pairs, published pairs, and what a search finds.

Two searches run first, one for each branch, beside a usual loss of the other branch. Then each pair
of a class loss and a box loss gets the same tuning on the validation split. Trainings with fresh
seeds follow, the same networks and batches for every pair; they alone are scored on the test split.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxloss.keys import named_key
from jaxloss.learning import BaseOptimizerSettings
from jaxloss.learning.fitness import network_score
from jaxloss.learning.inner import ExampleLoss, train
from jaxloss.learning.optimizers import TracedOptimizer
from jaxloss.learning.population import over_population
from jaxloss.losses import LearnedLoss, zoo
from jaxloss.runs.statistics import paired, summarise
from jaxloss.search import METHODS
from jaxloss.search.cse_autoloss import cse_autoloss
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.tasks import Task, TaskSettings, load_task

USUAL = ("cross_entropy", "giou")
"""The pair that is to be reached; a loss that is found takes the place of one of the two."""

PAIRS = (
    USUAL,
    ("focal", "giou"),
    ("focal", "iou"),
    ("cse_a_class", "cse_a_box"),
    ("cse_b_class", "cse_b_box"),
)
"""Class loss and box loss, by their names in the zoo."""

FACTOR = 10.0
"""Of the box loss in one more row: a loss that is found may weigh the two branches anew, and that
alone changes what is learned."""

RATES = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3)

OPTIMIZER = BaseOptimizerSettings(learning_rate=RATES[2], batch_size=64, rule="adam")
"""Of all trainings, those of the searches included; tuning changes the rate."""

_AT_ONCE = 5
"""Trainings on each device in one call."""


class Pair(NamedTuple):
    """What trains a detector.

    Attributes:
        class_name: what the table calls the class loss.
        box_name: what it calls the box loss.
        class_loss: the loss of the classes.
        box_loss: the loss of the boxes.
        found: whether a search has found one of them.
    """

    class_name: str
    box_name: str
    class_loss: ExampleLoss
    box_loss: ExampleLoss
    found: bool


class Found(NamedTuple):
    """What a search came to.

    Attributes:
        loss: the best of its finalists, the usual loss apart.
        handed_over: whether it beat the usual loss there.
    """

    loss: LearnedLoss
    handed_over: bool


def rows(
    count: int = 960,
    steps: int = 500,
    tuning_seeds: int = 3,
    seeds: int = 10,
    search_seed: int = 0,
    model: str = "detector",
    **searches: int,
) -> list[dict[str, Any]]:
    """Measures all pairs.

    Args:
        count: scenes of all splits together.
        steps: of every training that is compared.
        tuning_seeds: trainings with each learning rate.
        seeds: fresh trainings.
        search_seed: of both searches.
        model: the network.
        **searches: settings of both that are not the quick preset's.
    """
    settings = METHODS["cse_autoloss"].presets["quick"]
    assert isinstance(settings, CSEAutoLossSettings)
    settings = replace(settings, optimizer=OPTIMIZER, **searches)
    spec = f"detection:scenes:count={count}:class_loss={USUAL[0]}:box_loss={USUAL[1]}"

    def task_of(branch: str) -> Task:
        return load_task(f"{spec}:branch={branch}", TaskSettings(model=model))

    found = {branch: _found(task_of(branch), settings, search_seed) for branch in ("class", "box")}
    task = task_of("box")
    score = {name: _scoring(task, name) for name in ("valid", "test")}
    table, usual = [], np.zeros(0)
    for pair in _pairs(found):
        trained = _training(task, pair, steps)
        keys = _keys("tuning", tuning_seeds)
        valid = score["valid"](trained(np.tile(keys, (len(RATES), 1)), np.repeat(RATES, len(keys))))
        means = valid.reshape(len(RATES), -1).mean(1)
        best = int(np.argmax(np.where(np.isfinite(means), means, -np.inf)))
        fresh = _keys("fresh", seeds)
        values = score["test"](trained(fresh, np.full(len(fresh), RATES[best])))
        usual = usual if len(usual) else values
        against, own = paired(usual, values, True), summarise(values)
        table.append(
            {
                "classes": pair.class_name,
                "boxes": pair.box_name,
                "found": pair.found,
                "rate": RATES[best],
                "valid": float(means[best]),
                "test": own.mean,
                "deviation": own.deviation,
                "ahead": f"{against.wins}/{seeds}" if table else None,
                "p": against.p if table else None,
            }
        )
    return table


def _found(task: Task, settings: CSEAutoLossSettings, seed: int) -> Found | None:
    search = cse_autoloss(task, settings)
    state = search.init(jax.random.key(seed))
    for _ in range(search.steps):
        state, _ = search.step(state)
    finalists = search.finalists(state)
    learned = [finalist.loss for finalist in finalists if finalist.learned]
    return Found(learned[0], finalists[0].learned) if learned else None


def _pairs(found: dict[str, Found | None]) -> list[Pair]:
    def usual(name: str, view: str) -> ExampleLoss:
        return zoo.read_task_loss(name, view)

    pairs = [
        Pair(classes, boxes, usual(classes, "cell_classes"), usual(boxes, "cell_boxes"), False)
        for classes, boxes in PAIRS
    ]
    boxes = pairs[0].box_loss
    more = pairs[0]._replace(
        box_name=f"{FACTOR:g} {pairs[0].box_name}",
        box_loss=lambda outputs, targets: FACTOR * boxes(outputs, targets),
    )
    pairs.insert(1, more)
    for branches in (("box",), ("class",), ("class", "box")):
        pair = pairs[0]._replace(found=True)
        losses = {branch: own for branch in branches if (own := found[branch]) is not None}
        for branch, own in losses.items():
            name = own.loss.formula() + "*" * own.handed_over
            pair = pair._replace(**{f"{branch}_name": name, f"{branch}_loss": own.loss})
        if len(losses) == len(branches):
            pairs.append(pair)
    return pairs


def _keys(purpose: str, count: int) -> np.ndarray:
    keys = jax.random.split(named_key(jax.random.key(0), purpose), count)
    return np.asarray(jax.random.key_data(keys))


def _training(task: Task, pair: Pair, steps: int) -> Callable[[np.ndarray, np.ndarray], PyTree]:
    """Makes ``(keys, learning rates) -> trained networks``."""
    model = task.model._replace(companion=pair.class_loss)
    decay, batch = OPTIMIZER.weight_decay, OPTIMIZER.batch_size

    def one(split: Any, candidate: tuple[PRNGKeyArray, Float[Array, ""]]) -> PyTree:
        key_data, rate = candidate
        optimizer = TracedOptimizer(rate, OPTIMIZER.momentum, decay, batch, OPTIMIZER.rule)
        key = jax.random.wrap_key_data(key_data)
        return train(key, model, optimizer, pair.box_loss, split, steps)[0]

    program = over_population(one, _AT_ONCE)
    return lambda keys, rates: program(task.train, (keys, rates.astype(np.float32)))


def _scoring(task: Task, split: str) -> Callable[[PyTree], Float[np.ndarray, " networks"]]:
    score = jax.jit(jax.vmap(lambda network: network_score(task, network, getattr(task, split))))
    return lambda networks: np.asarray(score(jax.tree.map(jnp.asarray, networks)))
