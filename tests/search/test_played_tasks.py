"""Searches on tasks that play the trained network: one program for all candidates."""

from collections.abc import Callable
from typing import Any

import jax

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search import METHODS
from jaxloss.search.evomal import EvoMALSettings
from jaxloss.tasks import TaskSettings, load_task

GoesOn = Callable[[Any, Any], None]


def test_generations_of_24_run_in_one_program_and_can_be_resumed(goes_on_alike: GoesOn):
    task = load_task("rl:tabular:horizon=2:episodes=20", TaskSettings(model="linear"))
    settings = EvoMALSettings(
        population=24,
        generations=3,
        max_nodes=40,
        chunk=12,
        rejection=RejectionSettings(when="before", steps=20, examples=12),
        local_search=LocalSearchSettings(meta_steps=2),
        fitness=FitnessSettings(steps=20),
        optimizer=BaseOptimizerSettings(learning_rate=0.1),
    )
    search = METHODS["evomal"].make(task, settings)
    state, info = search.step(search.init(jax.random.key(0)))
    assert info.candidates == 24
    assert info.trained > 2
    # Values of policies over two stages.
    assert 0 < -info.best_fitness <= 2
    state, _ = search.step(state)
    goes_on_alike(search, state)
