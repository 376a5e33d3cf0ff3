"""Times EvoMAL at the paper's step counts: run with ``python tests/benchmarks/candidates.py``.

For each network, a search on diabetes goes through a few generations of 25 trees with 250 meta
steps, 1000 rejection steps and 500 training steps on batches of 128. The first two generations
compile; the others give the time per generation and per candidate, of which filters drop most, so
the time that one candidate takes all the way is given too.
"""

import argparse
import os
import time

import jax
import numpy as np

from jaxloss.search.evomal import EvoMALSettings, evomal
from jaxloss.search.judging import FILTERS
from jaxloss.tasks import TaskSettings, load_task


def measure(model: str, generations: int, seed: int) -> str:
    """Times one network and returns a row of the table."""
    task = load_task("diabetes", TaskSettings(model=model))
    settings = EvoMALSettings(generations=generations)
    search = evomal(task, settings)
    start = time.perf_counter()
    state = search.init(jax.random.key(seed))
    seconds, dropped, trained = [], dict.fromkeys(FILTERS, 0), 0
    for _ in range(search.steps):
        state, info = search.step(state)
        now = time.perf_counter()
        seconds.append(now - start)
        start = now
        trained += info.trained
        for name, count in info.dropped.items():
            dropped[name] += count
    steady = np.array(seconds[2:])
    return (
        f"{model:<14} {seconds[0]:>8.1f} {steady.mean():>10.2f} "
        f"{1e3 * steady.mean() / settings.population:>12.1f} {trained:>9} "
        + "  ".join(f"{name} {count}" for name, count in dropped.items())
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["mlp:50-50", "mlp:1000-1000"])
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    jax.config.update("jax_num_cpu_devices", cores)
    print(f"jax {jax.__version__}, {cores} cores, {jax.default_backend()}")
    print("model           first s  s/generation  ms/candidate  trained  dropped")
    for model in arguments.models:
        print(measure(model, arguments.generations, arguments.seed), flush=True)


if __name__ == "__main__":
    main()
