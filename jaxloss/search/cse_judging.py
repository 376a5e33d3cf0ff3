"""CSE-Autoloss's branches, and the compiled parts of its candidates' way."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree, UInt32

from jaxloss.errors import InvalidInputError
from jaxloss.keys import named_key
from jaxloss.learning.compilation import jit_brief
from jaxloss.learning.convergence import boxes_converge, classes_converge
from jaxloss.learning.population import PopulationProgram, over_population
from jaxloss.learning.simulation import simulate_boxes, simulate_classes
from jaxloss.losses.interpreter import assemble
from jaxloss.losses.row_interpreter import interpret_rows, row_binding
from jaxloss.losses.views import per_example, view_named
from jaxloss.search.candidate import candidate_way
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.search.plan import chunk_of
from jaxloss.search.programs import drawing
from jaxloss.search.settings import PopulationSettings
from jaxloss.search.several import Scales, Tasks, task_scales
from jaxloss.symbols.detection_primitives import BOX_PRIMITIVES, CLASS_PRIMITIVES
from jaxloss.symbols.genome import Alphabet, canonical_hash
from jaxloss.symbols.primitives import PrimitiveSet
from jaxloss.tasks.task import Task


class Branch(NamedTuple):
    """One of the two kinds of losses.

    Attributes:
        primitives: what trees are made of.
        view: what the losses see.
        converges: the convergence filter.
        simulates: the simulation filter.
    """

    primitives: PrimitiveSet
    view: str
    converges: Callable[..., Bool[Array, ""]]
    simulates: Callable[..., Float[Array, ""]]


_BRANCHES = {
    "softmax": Branch(CLASS_PRIMITIVES, "logits", classes_converge, simulate_classes),
    "boxes": Branch(BOX_PRIMITIVES, "boxes", boxes_converge, simulate_boxes),
    "cell_classes": Branch(CLASS_PRIMITIVES, "cell_classes", classes_converge, simulate_classes),
    "cell_boxes": Branch(BOX_PRIMITIVES, "cell_boxes", boxes_converge, simulate_boxes),
}


def branch_of(task: Task) -> Branch:
    """Finds the branch that a task calls for.

    Raises:
        InvalidInputError: the task has neither a logit for each class nor boxes.
    """
    if task.view.name not in _BRANCHES:
        raise InvalidInputError(
            f"cse_autoloss learns class losses (a logit for each class) and box losses; "
            f"{task.name} shows its losses the {task.view.name} view. Use another method, such "
            "as evomal"
        )
    return _BRANCHES[task.view.name]


class CSEPrograms(NamedTuple):
    """The parts of the way, each for any number of genomes.

    Attributes:
        hashes: ``(genomes) -> canonical hashes``.
        converges: ``(key, genomes) -> whether each passes the convergence filter``.
        simulates: ``(key, genomes) -> score of each in simulation``, higher is better.
        train: ``(key, genomes) -> fitness for each seed``, one array for each task.
        scales: ``(key) -> what each task's fitness is divided by``.
    """

    hashes: Callable[[np.ndarray], UInt32[Array, "trees 2"]]
    converges: Callable[[PRNGKeyArray, np.ndarray], Bool[np.ndarray, " trees"]]
    simulates: Callable[[PRNGKeyArray, np.ndarray], Float[np.ndarray, " trees"]]
    train: Callable[[PRNGKeyArray, np.ndarray], list[Float[np.ndarray, "trees seeds"]]]
    scales: Scales


FILTERED_AT_ONCE = 16
"""Trees that each device filters in one call of a compiled program; they run one by one anyway."""


def cse_programs(
    tasks: Tasks, settings: CSEAutoLossSettings, branch: Branch, alphabet: Alphabet
) -> CSEPrograms:
    """Makes the parts."""

    def filtering(test: Callable[..., Array], own: Any, name: str) -> Callable[..., np.ndarray]:
        def of_one(key: PRNGKeyArray, candidate: tuple[Array]) -> Array:
            program = assemble(alphabet, candidate[0])

            def loss(*seen: Array) -> Array:
                return per_example(interpret_rows(alphabet, program, *seen))

            return test(key, loss, own)

        program = over_population(of_one, FILTERED_AT_ONCE)

        def run(key: PRNGKeyArray, genomes: np.ndarray) -> np.ndarray:
            if not len(genomes):
                return np.zeros(0, bool if name == "convergence" else np.float32)
            return program(named_key(key, name), (genomes,))

        return run

    parts = [_training(task, settings, branch, alphabet) for task in tasks]

    def train(key: PRNGKeyArray, genomes: np.ndarray) -> list[np.ndarray]:
        return [
            part((key, task.train, task.valid), (genomes,))
            for part, task in zip(parts, tasks, strict=True)
        ]

    return CSEPrograms(
        jit_brief(jax.vmap(lambda genome: canonical_hash(alphabet, genome))),
        filtering(branch.converges, settings.convergence, "convergence"),
        filtering(branch.simulates, settings.simulation, "simulation"),
        train,
        task_scales(tasks, settings.optimizer, settings.fitness),
    )


def _training(
    task: Task, settings: PopulationSettings, branch: Branch, alphabet: Alphabet
) -> PopulationProgram:
    way, view = candidate_way(task, settings), view_named(branch.view)

    def of_one(shared: PyTree, candidate: tuple[Array]) -> Array:
        loss = row_binding(alphabet, view, candidate[0])
        return way.train(shared, lambda _: loss, jnp.zeros(0))

    chunk = settings.chunk or chunk_of("train", settings.population, task)
    return drawing(way.draw_training, over_population(of_one, chunk))
