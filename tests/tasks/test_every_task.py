"""Every kind of task on the same rails: its signature, its slopes, and a search that goes on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings, network_score
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search import METHODS
from jaxloss.search.evomal import EvoMALSettings
from jaxloss.tasks import Task, TaskSettings, load_task
from jaxloss.tasks.registry import FAMILIES
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
    assert task.task_loss_name
    assert task.metric.name


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
