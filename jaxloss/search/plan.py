"""How a population goes through each part of the way: trees run by which way, how many at once."""

from typing import Literal, NamedTuple

import jax

from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.population import MOST_AT_ONCE
from jaxloss.learning.sizes import element_count, parameter_bytes
from jaxloss.losses.ways import chosen_way
from jaxloss.search.settings import GeneticSettings
from jaxloss.tasks.task import Task

LARGE = 2**20
"""Bytes of parameters from which a network and its momentum crowd a core's cache (measured: MLPs of
12 kB train faster several at once, those of 4 MB alone)."""


class Execution(NamedTuple):
    """How one part of the way is run.

    Attributes:
        way: how trees are run.
        chunk: candidates on each device in one call; one for specialised trees.
    """

    way: Literal["interpreted", "specialised"]
    chunk: int


def execution_plan(
    task: Task, settings: GeneticSettings, tuning: LocalSearchSettings | None
) -> dict[str, Execution]:
    """Chooses for each part of the way, from the settings and what the network is like."""
    outputs = element_count(task)
    batch = min(settings.optimizer.batch_size, len(task.train.inputs))
    fitness, rejection = settings.fitness, settings.rejection
    unrolled = tuning.meta_steps * tuning.inner_steps if tuning else 0
    # Elements of the loss that are differentiated once, and mixed, along one candidate's way.
    elements = {
        "improve": (rejection.steps * rejection.examples * outputs, 0),
        "tune": (0, unrolled * batch * outputs),
        "norms": (rejection.examples * outputs, 0),
        "train": (fitness.seeds * fitness.steps * batch * outputs, 0),
        "advance": (fitness.seeds * fitness.mean_steps * batch * outputs, 0),
    }

    def execution(part: str) -> Execution:
        way = chosen_way(settings.way, *elements[part])
        own = 1 if way == "specialised" else settings.chunk
        return Execution(way, own or chunk_of(part, settings.population, task))

    return {part: execution(part) for part in elements}


def chunk_of(part: str, population: int, task: Task) -> int:
    """Chooses how many candidates each device runs at once in a part of the way.

    On a CPU several small networks at once share what a call costs (MLP 50-50, milliseconds of two
    cores for each candidate one by one, in pairs and in fours: rejection test 1.1, 0.7, 0.4; local
    search 20, 17, 14; training 17, 14, 12). But what fills the last call up is computed in vain:
    the rejection test sees most of a population, the other parts the few that passed it. Large
    networks train faster alone (MLP 1000-1000: 2.1 s, 2.6 s in fours). A race ends with so few that
    copies would eat up what it spares. None of this depends on the number of devices, and so no
    result does. Accelerators take many at once.
    """
    if jax.default_backend() != "cpu":
        return _side_by_side(part, population, task)
    training = 1 if parameter_bytes(task) > LARGE else 2
    return min(population, {"tune": 2, "train": training, "advance": 1}.get(part, 4))


def _side_by_side(part: str, population: int, task: Task) -> int:
    """Chooses how many candidates an accelerator takes at once.

    Its step takes about as long for one small network as for hundreds (H200, MLP 50-50, training:
    0.41 ms for 256, 0.63 ms for 1024), so that copies which fill a call up cost little. Large ones
    keep it busy sooner (MLP 1000-1000: 0.46 ms for 8, 1.64 ms for 64). The rejection test sees all;
    about one in four passes it.
    """
    share = -(-population // jax.device_count())
    if part not in ("improve", "norms"):
        fewest = 16 if parameter_bytes(task) > LARGE else 256
        share = min(share, max(fewest, -(-share // 4)))
    return min(share, MOST_AT_ONCE)
