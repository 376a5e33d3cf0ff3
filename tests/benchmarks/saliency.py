"""The progressive self-guided loss beside its bases and other losses of masks, all of them tuned.

Every loss gets the same tuning budget: learning rate, weight decay and, where it has one, its own
parameter, on the validation split. Trainings with fresh seeds follow, the same networks and batches
for every loss, and are scored on the test split.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxloss.keys import named_key
from jaxloss.learning import BaseOptimizerSettings
from jaxloss.learning.inner import predict, train
from jaxloss.learning.tuning import TunedTraining, tune_training
from jaxloss.learning.tuning_settings import TuningSettings
from jaxloss.losses import zoo
from jaxloss.losses.tunable import TunableLoss, fixed
from jaxloss.losses.zoo.tunable import tunable
from jaxloss.runs.statistics import paired
from jaxloss.tasks import METRIC_NAMES, Task, TaskSettings, load_task, metric_named

SCORES = METRIC_NAMES["masks"]

VIEW = "masks"


class Row(NamedTuple):
    """What is compared.

    Attributes:
        name: of the row.
        loss: what `jaxloss.zoo.read` takes.
        tuned: whether the loss's own parameter is tuned too.
        base: name of the row that it is to improve on.
    """

    name: str
    loss: str
    tuned: bool = False
    base: str | None = None


ROWS = (
    Row("BCE", "binary_cross_entropy"),
    # The one of PSG's base, which smooths with 1 where the zoo's dice has 2.
    Row("Dice", "psg:alpha=0:entropy=0"),
    Row("BCE + Dice", "psg:alpha=0"),
    Row("IoU", "mask_iou"),
    Row("focal", "focal", tuned=True),
    Row("PSG over BCE", "psg:overlap=0", tuned=True, base="BCE"),
    Row("PSG over Dice", "psg:entropy=0", tuned=True, base="Dice"),
    Row("PSG over BCE + Dice", "psg", tuned=True, base="BCE + Dice"),
)


def rows(
    task: str,
    split_seed: int,
    model: str = "fcn:8-16-16",
    steps: int = 600,
    batch_size: int = 16,
    tunings: int = 24,
    seeds: int = 10,
) -> list[dict[str, Any]]:
    """Measures every loss on one task.

    Args:
        task: what `jaxloss.load_task` takes.
        split_seed: draws the scenes.
        model: the network.
        steps: of every training, by Adam.
        batch_size: of every training.
        tunings: trainings that tune each loss.
        seeds: fresh trainings.
    """
    loaded = load_task(task, TaskSettings(model=model, split_seed=split_seed))
    optimizer = BaseOptimizerSettings(rule="adam", batch_size=batch_size)
    settings = TuningSettings(
        tunings * steps,
        steps=steps,
        observations=1,
        learning_rates=(1e-3, 1e-1),
        weight_decays=(1e-6, 1e-2),
    )
    table, scores = [], dict[str, dict[str, np.ndarray]]()
    for row in ROWS:
        loss = _loss(row)
        tuned = tune_training(loaded, optimizer, settings, jax.random.key(0), loss)
        found = _scores(loaded, row, tuned, optimizer, seeds)
        scores[row.name] = found
        numbers = "".join(f", {key} {value:.2g}" for key, value in tuned.parameters.items())
        line: dict[str, Any] = {
            "loss": row.name,
            **{name: float(values.mean()) for name, values in found.items()},
            **{f"{name}_std": float(values.std(ddof=1)) for name, values in found.items()},
            "valid": -tuned.valid,
            "tuned": f"rate {tuned.learning_rate:.2g}, decay {tuned.weight_decay:.1g}{numbers}",
        }
        if row.base is not None:
            base = scores[row.base]["max_f"]
            against = paired(base, found["max_f"], True)
            line |= {
                "base": row.base,
                "gain": float(np.mean(found["max_f"] - base)),
                "ahead": f"{against.wins}/{seeds}",
                "p": against.p,
            }
        table.append(line)
    return table


def _loss(row: Row) -> TunableLoss:
    entry, parameters = zoo.read(row.loss)
    if row.tuned:
        return tunable(entry, VIEW, **parameters)
    return fixed(zoo.as_task_loss(entry, VIEW, **parameters))


def _scores(
    task: Task, row: Row, tuned: TunedTraining, optimizer: BaseOptimizerSettings, seeds: int
) -> dict[str, Float[np.ndarray, " seeds"]]:
    """Trains with fresh seeds and scores every network on the test split in every way."""
    entry, parameters = zoo.read(row.loss)
    loss = zoo.as_task_loss(entry, VIEW, **{**parameters, **tuned.parameters})
    own = BaseOptimizerSettings(
        tuned.learning_rate,
        weight_decay=tuned.weight_decay,
        batch_size=optimizer.batch_size,
        rule=optimizer.rule,
    )

    @jax.jit
    def run(key: Array) -> dict[str, Array]:
        variables, _ = train(key, task.model, own, loss, task.train, tuned.steps)
        maps = task.predictions(predict(task.model, variables, task.test.inputs))
        return {name: metric_named(name, VIEW).function(maps, task.test.targets) for name in SCORES}

    keys = jax.random.split(named_key(jax.random.key(0), "fresh"), seeds)
    results = [jax.device_get(run(key)) for key in keys]
    return {name: np.array([result[name] for result in results]) for name in SCORES}
