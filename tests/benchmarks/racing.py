"""What racing costs and saves: searches in pairs, with it and without.

For each seed one search trains every candidate to the end and one lets them race. The fittest loss
of each is trained again with fresh seeds, the same for both, and scored on the test split.

How well a short training foretells a full one is measured on random trees that passed the rejection
test, local search behind them: the rank correlation of their fitness after part of the training
with that after all of it, and how often the fittest of a random group wins the group's race.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.stats import rankdata
from timing import Cost, timed

from jaxloss.keys import named_key
from jaxloss.learning import FitnessSettings, RejectionSettings, trial_runner
from jaxloss.learning.finalists import task_loss_of
from jaxloss.learning.fitness import draw_seeds
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.population import over_population
from jaxloss.learning.racing import Leg, staying
from jaxloss.losses import LearnedLoss
from jaxloss.losses.binding import interpreted_binding
from jaxloss.search import EvoMALSettings, evomal
from jaxloss.search.candidate import candidate_way
from jaxloss.search.evolution import alphabet_of
from jaxloss.search.programs import candidate_programs, tuning_program
from jaxloss.symbols.variation import first_population
from jaxloss.tasks import Split, Task, TaskSettings, load_task

GROUP = 12
"""Candidates in a simulated race: about half of the paper's population is trained."""

COMPILED = 2
"""Generations of the first search after which nothing compiles any more."""


class Searched(NamedTuple):
    """Searches from several seeds.

    Attributes:
        losses: the fittest of each; the task loss where nothing was found.
        costs: of the generations in which nothing compiled.
        trained: candidates that were trained to the end, in each generation.
        outrun: candidates that left a race, likewise.
    """

    losses: list[LearnedLoss]
    costs: list[Cost]
    trained: float
    outrun: float


def rows(
    task: str,
    label_noise: float = 0.0,
    model: str = "mlp:50-50",
    generations: int = 20,
    seeds: int = 5,
    rungs: int = 3,
    keep: float = 0.5,
    steps: tuple[int, int, int] = (250, 1000, 500),
    trees: int = 200,
    trial_steps: int = 2000,
    trial_seeds: int = 5,
) -> list[dict]:
    """Measures one task.

    Args:
        task: name of a bundled task.
        label_noise: share of wrong labels in training.
        model: the network.
        generations: of each search.
        seeds: searches of each kind.
        rungs: comparisons of a race.
        keep: share that trains on after each.
        steps: meta steps, rejection steps and training steps; the paper's by default.
        trees: how many random ones foretell.
        trial_steps: training steps under the losses that were found.
        trial_seeds: fresh seeds of those trainings.
    """
    loaded = load_task(task, TaskSettings(model=model, label_noise=label_noise))
    races = [FitnessSettings(steps[2]), FitnessSettings(steps[2], rungs=rungs, keep=keep)]
    settings = [
        EvoMALSettings(
            generations=generations,
            rejection=RejectionSettings(steps=steps[1]),
            local_search=LocalSearchSettings(meta_steps=steps[0]),
            fitness=fitness,
        )
        for fitness in races
    ]
    found = [_searched(loaded, each, seeds) for each in settings]
    run_trials = trial_runner(loaded, settings[0].optimizer, trial_steps)
    scores = np.array(
        [
            [
                run_trials(loss, jax.random.key(1000 + seed), trial_seeds).test.mean()
                for seed, loss in enumerate(each.losses)
            ]
            for each in found
        ]
    )
    table = []
    for each, fitness, own in zip(found, races, scores, strict=True):
        seconds = [cost.seconds for cost in each.costs]
        table.append(
            {
                "task": loaded.name,
                "comparisons": fitness.rungs,
                "generation_ms": 1e3 * float(np.median(seconds)),
                "core_ms": 1e3 * float(np.median([cost.core_seconds for cost in each.costs])),
                "trained": each.trained,
                "outrun": each.outrun,
                "metric": loaded.metric.name,
                "score": own.mean(),
                "deviation": own.std(ddof=1),
            }
        )
    difference = scores[1] - scores[0]
    table[1] |= {
        "difference": difference.mean(),
        "error": difference.std(ddof=1) / np.sqrt(seeds),
        **_foretold(loaded, settings[1], trees),
    }
    return table


def _searched(task: Task, settings: EvoMALSettings, seeds: int) -> Searched:
    search = evomal(task, settings)
    losses, costs, infos = [], [], []
    for seed in range(seeds):
        state = search.init(jax.random.key(seed))
        for _ in range(search.steps):
            (state, info), cost = timed(lambda state=state: search.step(state))
            infos.append(info)
            costs.append(cost)
        losses.append(infos[-1].best or task_loss_of(task))
    return Searched(
        losses,
        costs[COMPILED:],
        float(np.mean([info.trained for info in infos])),
        float(np.mean([info.dropped["outrun"] for info in infos])),
    )


def _foretold(task: Task, settings: EvoMALSettings, trees: int) -> dict[str, Any]:
    """Compares fitness after parts of a training with that after all of it."""
    scores = _scores_on_the_way(task, settings, trees)
    ranks = np.corrcoef(rankdata(scores, axis=1))
    after = {f"correlation_{i + 1}": row[-1] for i, row in enumerate(ranks[:-1])}
    generator, won = np.random.default_rng(0), []
    for _ in range(1000):
        group = generator.choice(scores.shape[1], min(GROUP, scores.shape[1]), replace=False)
        going = group
        for part in scores[:-1]:
            going = going[staying(part[going], settings.fitness.survivors(len(going)))]
        won.append(scores[-1, group].min() in scores[-1, going])
    return {"compared": scores.shape[1], "best_wins": np.mean(won), **after}


def _scores_on_the_way(task: Task, settings: EvoMALSettings, trees: int) -> np.ndarray:
    """Trains random trees to the end; the fitness of each at every comparison, a row each."""
    alphabet, tuning = alphabet_of(task, settings), settings.local_search
    programs = candidate_programs(task, settings, tuning, alphabet)
    tune = tuning_program([task], settings, tuning, alphabet)
    way, key = candidate_way(task, settings), jax.random.key(0)
    genomes = np.asarray(first_population(key, alphabet, settings.variation, trees))
    weights = np.asarray(programs.describe(key, genomes)[1])
    examples = Split(*(part[: settings.rejection.examples] for part in task.train))
    splits = task.train, task.valid
    for tuned in (False, True):
        if tuned:
            weights = tune((key, [splits]), (genomes, weights))
        passed = programs.improve((key, examples), (genomes, weights)) > 0
        genomes, weights = genomes[passed], weights[passed]

    def of_one(leg: Leg, candidate: Any) -> Any:
        genome, *inputs = candidate
        return way.advance(leg, interpreted_binding(alphabet, task.view, genome), *inputs)

    advance = over_population(of_one, 4, carries=True)
    training_key = named_key(key, "partial training")
    drawn = draw_seeds(training_key, task, settings.optimizer, settings.fitness, task.train)
    learners = jax.tree.map(
        lambda leaf: np.broadcast_to(np.asarray(leaf), (len(genomes), *leaf.shape)), drawn.learner
    )
    scores, begin = [], 0
    for end in settings.fitness.lengths:
        bounds = np.array(begin, np.int32), np.array(end, np.int32)
        leg = Leg(drawn.batches, drawn.noise_key, *bounds, *splits)
        learners, fitness = advance(leg, (genomes, weights, learners))
        scores.append(fitness.mean(axis=1))
        begin = end
    return np.array(scores)
