"""Measures what the early rejection test is worth: ``python tests/benchmarks/rejection.py``.

Random trees go through the rejection test with fresh weights, through local search, through the
same test with tuned weights, and through partial training, whatever the tests said. The table
counts how many the early test drops that the late one would have kept, and how good those were.
"""

import argparse

import jax
import numpy as np

from jaxloss.search.evomal import EvoMALSettings
from jaxloss.search.programs import candidate_programs
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.variation import first_population
from jaxloss.tasks import Split, TaskSettings, load_task


def measure(task_name: str, trees: int, seed: int) -> str:
    """Measures one task and prints a row of the table."""
    noise = 0.4 if task_name == "digits" else 0.0
    task = load_task(task_name, TaskSettings(label_noise=noise))
    settings = EvoMALSettings()
    alphabet = Alphabet()
    programs = candidate_programs(task, settings, settings.local_search, alphabet)
    key = jax.random.key(seed)
    genomes = np.asarray(first_population(key, alphabet, settings.variation, trees))
    _, fresh = programs.describe(key, genomes)
    fresh = np.asarray(fresh)
    examples = Split(*(part[: settings.rejection.examples] for part in task.train))
    splits = (key, task.train, task.valid)

    early = programs.improve((key, examples), (genomes, fresh)) > 0
    tuned = programs.tune(splits, (genomes, fresh))
    late = programs.improve((key, examples), (genomes, tuned)) > 0
    fitness = programs.train(splits, (genomes, tuned)).mean(axis=1)
    wrongly = ~early & late
    order = np.argsort(np.argsort(fitness))
    return (
        f"{task.name:<22} {trees:>5} {int(np.sum(~early)):>8} {int(np.sum(~late)):>8} "
        f"{int(np.sum(~early & ~late)):>8} {int(np.sum(wrongly)):>8}   "
        f"{min((int(order[i]) + 1 for i in np.flatnonzero(wrongly)), default=0):>4}"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", default=["diabetes", "wine", "digits"])
    arguments = parser.parse_args()
    print(
        f"{'task':<22} {'trees':>5} {'early':>8} {'late':>8} {'both':>8} {'wrongly':>8}   best rank"
    )
    for name in arguments.tasks:
        print(measure(name, arguments.trees, arguments.seed), flush=True)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    main()
