"""Every kind of task on the same rails: its signature, its slopes, and a search that goes on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings, network_score
from jaxloss.learning.inner import BaseOptimizerSettings, train
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.losses import zoo
from jaxloss.search import METHODS
from jaxloss.search.evomal import EvoMALSettings
from jaxloss.tasks import (
    Metric,
    SupervisedTask,
    Task,
    TaskSettings,
    load_supervised_task,
    load_task,
    load_tasks,
    retrieval_task,
    saliency_task,
    supervised_task,
)
from jaxloss.tasks.detection import Annotations, DetectionSettings, detection_task
from jaxloss.tasks.families import FAMILIES
from jaxloss.tasks.task import Split

SPECS = {
    "wine": "linear",
    "diabetes": "linear",
    "boxes": "linear",
    "detection:scenes:count=60:branch=class": "detector:4",
    "detection:scenes:count=60:branch=box": "detector:4",
    "pde:advection": "mlp:4",
    "retrieval:wine": "linear",
    "rl:tabular:horizon=2:episodes=20": "linear",
    "saliency:scenes:count=30:side=16": "fcn:2-3",
}
"""A small task of each kind, with its network."""

SEARCHED = [spec for spec in SPECS if spec != "diabetes" and "branch=class" not in spec]
"""Searches on values are tried with every method elsewhere, and that on a detector's classes is no
other than that on its boxes but for the view."""

EXAMPLES = 6


ALIASES = {
    "wine": "Softmax-Cross-Entropy",
    "diabetes": "squared error",
    "boxes": "GIoU",
    "detection:scenes:count=60:branch=class": "Focal:gamma=2",
    "detection:scenes:count=60:branch=box": "GIoU",
    "pde:advection": "L2",
    "retrieval:wine": "class-anchor-margin:margin=2",
    "rl:tabular:horizon=2:episodes=20": "L2",
    "saliency:scenes:count=30:side=16": "BCE",
}
"""The usual loss of each, by another of its names or with a default written out."""


class Shown(NamedTuple):
    """A task, an untrained network's outputs for a few examples, and these."""

    task: Task
    outputs: Any
    part: Split


@pytest.fixture(scope="module", params=SPECS)
def shown(request: pytest.FixtureRequest) -> Shown:
    task = load_task(request.param, TaskSettings(model=SPECS[request.param]))
    part = Split(task.train.inputs[:EXAMPLES], task.train.targets[:EXAMPLES])
    variables = task.model.init(jax.random.key(0), part.inputs)
    return Shown(task, task.model.apply(variables, part.inputs, True, None)[0], part)


def test_every_family_is_tried():
    assert {spec.partition(":")[0] for spec in SPECS if ":" in spec} == set(FAMILIES)


def test_every_task_has_the_one_signature(shown: Shown):
    task, outputs, part = shown
    assert isinstance(task, Task)
    for split in (task.train, task.valid, task.test):
        assert len(split.inputs) == len(split.targets) > 1
        assert np.all(np.isfinite(split.inputs))
    seen = task.view.see(outputs, part.targets)
    assert len(seen) == len(task.view.variables)
    values = task.task_loss(outputs, part.targets)
    assert values.shape == (EXAMPLES,)
    assert np.all(np.isfinite(values))
    variables = task.model.init(jax.random.key(1), part.inputs)
    assert np.isfinite(network_score(task, variables, task.valid))
    assert task.metric.name


OWN: dict[str, Any] = {
    "metric": Metric("own", lambda predictions, _: jnp.mean(predictions), higher_is_better=True)
}
IMAGES = [np.random.default_rng(0).random((3, 8, 8, 3))] * 3
MASKS = [np.ones((3, 8, 8))] * 3
OBJECTS = [Annotations(np.zeros((3, 1), int), np.tile([0.0, 0, 4, 4], (3, 1, 1)))] * 3
SMALL = DetectionSettings(side=8, stride=4)


def rows_of_wine() -> SupervisedTask:
    return load_supervised_task("wine", TaskSettings(model="linear"))


MAKERS: dict[str, Callable[..., Task]] = {
    "supervised": lambda **given: supervised_task(
        "own", np.eye(20), np.arange(20), "regression", model="linear", **given
    ),
    "retrieval": lambda **given: retrieval_task(rows_of_wine(), model="linear", **given),
    "saliency": lambda **given: saliency_task("own", IMAGES, MASKS, model="fcn:2", **given),
    "detection": lambda **given: detection_task(
        "own", IMAGES, OBJECTS, ("it",), settings=SMALL, model="detector:2", **given
    ),
}
"""Every maker of tasks that can be given a metric."""


@pytest.mark.parametrize("family", MAKERS)
def test_a_metric_that_is_given_knows_its_own_direction(family: str):
    assert MAKERS[family](**OWN).metric is OWN["metric"]
    with pytest.raises(InvalidInputError, match="metric 'own' knows its own direction; give none"):
        MAKERS[family](**OWN, direction="lower")


@pytest.mark.parametrize("spec", SPECS)
def test_every_task_spells_its_usual_loss_one_way(spec: str):
    usual, other = (
        load_task(spec, TaskSettings(model=SPECS[spec], task_loss=text)).task_loss_name
        for text in (None, ALIASES[spec])
    )
    assert other == usual == zoo.get(usual).name


NARROWER = {"linear": "mlp:3", "detector:4": "detector:3", "fcn:2-3": "fcn:2", "mlp:4": "mlp:3"}
"""Another network in the place of each."""


@pytest.mark.parametrize("spec", SPECS)
def test_networks_of_every_task_share_its_data(spec: str):
    texts = SPECS[spec], NARROWER[SPECS[spec]]
    first, second = load_tasks(spec, TaskSettings(model=",".join(texts)))
    alone = load_task(spec, TaskSettings(model=texts[1]))
    for own, shared, other in zip(splits(first), splits(second), splits(alone), strict=True):
        assert shared is own
        np.testing.assert_array_equal(shared.inputs, other.inputs)
        np.testing.assert_array_equal(shared.targets, other.targets)
    part = Split(first.train.inputs[:EXAMPLES], first.train.targets[:EXAMPLES])
    of_first, of_second, of_alone = (trained(task, part) for task in (first, second, alone))
    assert [jnp.shape(leaf) for leaf in of_first] != [jnp.shape(leaf) for leaf in of_second]
    for mine, expected in zip(of_second, of_alone, strict=True):
        np.testing.assert_array_equal(mine, expected)


def splits(task: Task) -> tuple[Split, ...]:
    return task.train, task.valid, task.test


def trained(task: Task, part: Split) -> list[Any]:
    """One step under the usual loss, with the network's companion and own targets."""
    settings = BaseOptimizerSettings(learning_rate=0.1)
    train_once = jax.jit(lambda key: train(key, task.model, settings, task.task_loss, part, 1)[0])
    return jax.tree.leaves(train_once(jax.random.key(0)))


def test_every_task_loss_has_finite_first_and_mixed_derivatives(shown: Shown):
    task, outputs, part = shown

    def slope(weight: Any, outputs: Any) -> Any:
        return jax.grad(lambda own: jnp.sum(weight * task.task_loss(own, part.targets)))(outputs)

    derivatives = jax.jit(lambda own: (slope(1.0, own), jax.jacfwd(slope)(1.0, own)))
    for scale in (0.0, 1.0, 1e4):
        for found in derivatives(scale * outputs):
            assert np.all(np.isfinite(found))
            assert np.any(found) or scale != 1.0


@pytest.mark.parametrize("spec", SEARCHED)
def test_24_candidates_run_in_one_program_and_a_search_goes_on_where_it_was_stopped(
    spec: str, goes_on_alike: Callable[[Any, Any], None]
):
    task = load_task(spec, TaskSettings(model=SPECS[spec]))
    settings = EvoMALSettings(
        population=24,
        generations=3,
        max_nodes=40,
        chunk=12,
        rejection=RejectionSettings(when="before", steps=20, examples=12),
        local_search=LocalSearchSettings(meta_steps=2),
        fitness=FitnessSettings(steps=10),
        optimizer=BaseOptimizerSettings(learning_rate=0.02, batch_size=16),
    )
    search = METHODS["evomal"].make(task, settings)
    state, first = search.step(search.init(jax.random.key(0)))
    assert first.candidates == 24
    assert first.trained > 0
    assert np.isfinite(first.best_fitness)
    assert first.best is not None
    assert first.best.view == task.view.name
    state, _ = search.step(state)
    goes_on_alike(search, state)
