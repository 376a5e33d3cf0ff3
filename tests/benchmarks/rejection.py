"""What the early rejection test is worth.

Random trees go through the rejection test with fresh weights, through local search, through the
same test with tuned weights, and through partial training, whatever the tests said.
"""

import jax
import numpy as np

from jaxloss.learning import FitnessSettings, RejectionSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search.evomal import EvoMALSettings
from jaxloss.search.programs import candidate_programs, tuning_program
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.variation import first_population
from jaxloss.tasks import Split, TaskSettings, load_task


def rows(
    task: str,
    label_noise: float = 0.0,
    trees: int = 200,
    steps: tuple[int, int, int] = (250, 1000, 500),
    seed: int = 0,
) -> list[dict]:
    """Measures one task.

    Args:
        task: name of a bundled task.
        label_noise: share of wrong labels in training.
        trees: how many random ones.
        steps: meta steps, rejection steps and training steps; the paper's by default.
        seed: of trees and networks.
    """
    loaded = load_task(task, TaskSettings(label_noise=label_noise))
    meta, rejection, training = steps
    settings = EvoMALSettings(
        rejection=RejectionSettings(steps=rejection),
        local_search=LocalSearchSettings(meta_steps=meta),
        fitness=FitnessSettings(steps=training),
    )
    alphabet = Alphabet()
    programs = candidate_programs(loaded, settings, settings.local_search, alphabet)
    tune = tuning_program([loaded], settings, settings.local_search, alphabet)
    key = jax.random.key(seed)
    genomes = np.asarray(first_population(key, alphabet, settings.variation, trees))
    _, fresh = programs.describe(key, genomes)
    fresh = np.asarray(fresh)
    examples = Split(*(part[: settings.rejection.examples] for part in loaded.train))
    splits = loaded.train, loaded.valid

    early = programs.improve((key, examples), (genomes, fresh)) > 0
    tuned = tune((key, [splits]), (genomes, fresh))
    late = programs.improve((key, examples), (genomes, tuned)) > 0
    fitness = programs.train((key, *splits), (genomes, tuned)).mean(axis=1)
    wrongly = ~early & late
    order = np.argsort(np.argsort(fitness))
    return [
        {
            "task": loaded.name,
            "trees": trees,
            "early": int(np.sum(~early)),
            "late": int(np.sum(~late)),
            "both": int(np.sum(~early & ~late)),
            "wrongly": int(np.sum(wrongly)),
            "best_rank": min((int(order[i]) + 1 for i in np.flatnonzero(wrongly)), default=None),
        }
    ]
