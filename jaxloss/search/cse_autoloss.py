"""CSE-Autoloss: trees of many primitives, of which two cheap filters leave the promising few.

Liu et al., "Loss Function Discovery for Object Detection via Convergence-Simulation Driven
Search", https://arxiv.org/abs/2102.04700. The class branch learns on classification, from logits;
the box branch on boxes, from the areas of intersection, union and enclosing box. Numbers of
proposals, of trained trees and of parents are *assumed*.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from jaxloss.errors import require
from jaxloss.keys import named_key
from jaxloss.learning.compilation import jit_brief
from jaxloss.learning.filters import Archive, empty_archive, look_up, record
from jaxloss.learning.finalists import Finalist
from jaxloss.losses.forms import TreeForm
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.views import view_named
from jaxloss.search.cse_judging import branch_of, cse_programs
from jaxloss.search.cse_proposals import proposer
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.search.finals import fittest_first, judged_again, origin_of
from jaxloss.search.search import FrontEntry, Info, Search, unbeaten
from jaxloss.search.seeds import seed_trees, with_numbers_of
from jaxloss.search.several import as_tasks, mean_over_tasks
from jaxloss.symbols.genome import PAD, Alphabet
from jaxloss.tasks.task import Task


class CSEState(NamedTuple):
    """All that the next generation needs.

    Attributes:
        key: of the whole search.
        generation: how many generations have been judged.
        genomes: the best trees so far, best first; padding where there are fewer.
        fitness: theirs; infinite for empty places.
        archive: every tree that the filters have seen.
    """

    key: PRNGKeyArray
    generation: Int[np.ndarray, ""]
    genomes: Int[np.ndarray, "places capacity"]
    fitness: Float[np.ndarray, " places"]
    archive: Archive


class Passed(NamedTuple):
    """What has passed the filters in a generation.

    Attributes:
        archive: every tree that the filters have seen.
        genomes: the trees that passed both.
        scores: theirs in simulation, higher is better.
        dropped: how many were dropped, and by what.
    """

    archive: Archive
    genomes: Int[np.ndarray, "trees capacity"]
    scores: Float[np.ndarray, " trees"]
    dropped: dict[str, int]

    @property
    def proposed(self) -> int:
        """How many were proposed."""
        return len(self.genomes) + sum(self.dropped.values())


def cse_autoloss(
    tasks: Task | Sequence[Task], settings: CSEAutoLossSettings | None = None
) -> Search:
    """Makes a CSE-Autoloss search.

    Args:
        tasks: classification tasks with an output for each class, or box tasks; one or several.
        settings: *assumed* by default.

    Raises:
        InvalidInputError: the tasks are of another kind, or do not fit each other; or a formula to
            start from cannot be read.
    """
    settings = settings or CSEAutoLossSettings()
    together = as_tasks(tasks)
    branch = branch_of(together[0])
    primitives, tallest = branch.primitives, settings.proposal.max_height
    seeds = seed_trees(settings.seed_from, view_named(branch.view), primitives, tallest)
    require(
        len(seeds) <= settings.proposals,
        f"seed_from has {len(seeds)} losses for {settings.proposals} proposals",
    )
    alphabet = Alphabet(with_numbers_of(primitives, seeds), settings.proposal.max_nodes)
    propose = jit_brief(proposer(alphabet, settings.proposal, settings.proposals))
    programs = cse_programs(together, settings, branch, alphabet)
    first = np.array([alphabet.encode(tree) for tree in seeds], np.int32)
    first = first.reshape(-1, alphabet.capacity)
    places = max(settings.parents, settings.trial.finalists)
    steps_of_one = len(together) * settings.fitness.seeds * settings.fitness.steps

    def init(key: PRNGKeyArray) -> CSEState:
        return CSEState(
            key,
            np.array(0, np.int32),
            np.full((places, alphabet.capacity), PAD, np.int32),
            np.full(places, np.inf, np.float32),
            empty_archive(
                settings.proposals * (settings.generations + settings.first_rounds - 1), 0
            ),
        )

    def filtered(key: PRNGKeyArray, passed: Passed, genomes: np.ndarray) -> Passed:
        """Adds what passes both filters to what has passed them before."""
        hashes = np.asarray(programs.hashes(genomes))
        rows = _new(passed.archive, hashes)
        # A tree on its own in the archive is judged; what matters is that it is not seen again.
        unknown = np.full((len(rows), 0), np.nan, np.float32)
        worst = np.full(len(rows), np.inf, np.float32)
        archive = record(passed.archive, hashes[rows], worst, unknown)
        converging = rows[programs.converges(key, genomes[rows])]
        scores = programs.simulates(key, genomes[converging])
        sound = np.isfinite(scores)
        dropped = {
            "archive": len(genomes) - len(rows),
            "not converging": len(rows) - len(converging),
            "poor in simulation": len(converging) - int(np.sum(sound)),
        }
        return Passed(
            archive,
            np.concatenate([passed.genomes, genomes[converging[sound]]]),
            np.concatenate([passed.scores, scores[sound]]),
            {name: passed.dropped.get(name, 0) + number for name, number in dropped.items()},
        )

    def step(state: CSEState) -> tuple[CSEState, Info]:
        number = int(state.generation)
        require(
            number < settings.generations,
            f"the search has gone through its {settings.generations} generations",
        )
        key = jax.random.fold_in(named_key(state.key, "proposals"), number)
        parents = state.genomes[: settings.parents]
        count = int(np.sum(np.isfinite(state.fitness[: settings.parents])))
        passed = Passed(state.archive, state.genomes[:0], state.fitness[:0], dict[str, int]())
        for turn in range(1 if number else settings.first_rounds):
            genomes = np.array(propose(jax.random.fold_in(key, turn), parents, count))
            if number == turn == 0:
                genomes[: len(first)] = first
            passed = filtered(state.key, passed, genomes)
            if len(passed.genomes) >= settings.population:
                break
        order = np.argsort(-passed.scores, kind="stable")[: settings.population]
        chosen, dropped = passed.genomes[order], dict(passed.dropped)
        dropped["poor in simulation"] += len(passed.genomes) - len(chosen)

        fitness = np.zeros(0, np.float32)
        if len(chosen):
            training_key = named_key(state.key, "partial training")
            scored = programs.train(training_key, chosen)
            fitness = mean_over_tasks(scored, programs.scales(training_key))
        dropped["not finite"] = int(np.sum(~np.isfinite(fitness)))
        everyone = np.concatenate([state.genomes, chosen])
        values = np.concatenate([state.fitness, np.asarray(fitness, np.float32)])
        best = np.argsort(np.where(np.isfinite(values), values, np.inf), kind="stable")[:places]
        values = np.where(np.isfinite(values), values, np.inf)[best].astype(np.float32)
        generation = np.array(number + 1, np.int32)
        state = CSEState(state.key, generation, everyone[best], values, passed.archive)
        return state, Info(
            generation=number,
            best_fitness=float(state.fitness[0]),
            best=loss_at(state, 0) if np.isfinite(state.fitness[0]) else None,
            candidates=passed.proposed,
            trained=len(chosen),
            dropped=dropped,
            training_steps=steps_of_one * len(chosen),
        )

    def loss_at(state: CSEState, place: int) -> LearnedLoss:
        tree = alphabet.decode(state.genomes[place])
        form = TreeForm(tree, branch.primitives.variables)
        origin = origin_of("cse_autoloss", together)
        return LearnedLoss(form, (1.0,) * form.parameter_count, branch.view, origin)

    def entries(state: CSEState) -> list[FrontEntry]:
        found = range(int(np.sum(np.isfinite(state.fitness))))
        losses = [loss_at(state, place) for place in found]
        return [
            FrontEntry(loss, loss.form.size, float(fitness))
            for loss, fitness in zip(losses, state.fitness, strict=False)
        ]

    def front(state: CSEState) -> list[FrontEntry]:
        return unbeaten(entries(state))

    def finalists(state: CSEState) -> list[Finalist]:
        losses, normalize = fittest_first(entries(state)), settings.fitness.normalize
        return judged_again("cse_autoloss", together, settings, state.key, losses, normalize)

    def best(state: CSEState) -> LearnedLoss:
        return finalists(state)[0].loss

    return Search(init, step, best, front, finalists, settings.generations, settings.proposals)


def _new(archive: Archive, hashes: np.ndarray) -> Int[np.ndarray, " rows"]:
    """Finds trees that neither the archive nor an earlier row has."""
    known, seen, rows = look_up(archive, hashes), set[tuple[int, ...]](), []
    for row, found in enumerate(known):
        name = tuple(hashes[row].tolist())
        if found is None and name not in seen:
            rows.append(row)
        seen.add(name)
    return np.array(rows, int)
