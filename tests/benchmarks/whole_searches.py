"""Times whole searches in one program: run with ``python tests/benchmarks/whole_searches.py``.

Small EvoMAL searches from several keys in one run: the host's search for one key after the other;
all keys as one program (``vmap`` over a search that is jitted whole), compiled in full or in haste
(`jit_brief`); and the hasty one with the keys spread over the local devices (``shard_map``). A
way's first call compiles.

A host's search skips what the filters drop; a whole one does all the arithmetic but never waits for
a host. The last two columns say how many times faster than the host's searches a way is, with its
compilation and without: in haste for a few short searches, in full for hundreds of seeds or
generations.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

import jaxloss
from jaxloss.learning import FitnessSettings, RejectionSettings
from jaxloss.learning.compilation import jit_brief
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.search import EvoMALSettings, evomal
from jaxloss.search.whole import whole_search
from jaxloss.tasks import TaskSettings, load_task

Row = dict[str, str | float]


def small_settings(generations: int) -> EvoMALSettings:
    """Makes a search of 8 trees and few steps."""
    return EvoMALSettings(
        population=8,
        generations=generations,
        max_nodes=40,
        rejection=RejectionSettings(steps=50),
        local_search=LocalSearchSettings(meta_steps=20),
        fitness=FitnessSettings(steps=50),
    )


def ways(task_name: str, model: str, generations: int, seeds: int) -> dict[str, Callable]:
    """Makes ``(keys) -> lowest fitness of each`` for each way, nothing compiled yet."""
    task, settings = load_task(task_name, TaskSettings(model=model)), small_settings(generations)
    search = evomal(task, settings)
    several = jax.vmap(whole_search(task, settings, settings.local_search))

    def one_by_one(keys: Any) -> np.ndarray:
        fitness = []
        for key in keys:
            state = search.init(key)
            for _ in range(search.steps):
                state, _ = search.step(state)
            fitness.append(state.best_of_size.fitness.min())
        return np.array(fitness)

    def last_fitness(program: Callable) -> Callable[[Any], np.ndarray]:
        return lambda keys: np.asarray(program(keys).best_fitness[:, -1])

    found = {
        "host, one by one": one_by_one,
        "one program": last_fitness(jax.jit(several)),
        "one program in haste": last_fitness(jit_brief(several)),
    }
    devices = jax.local_device_count()
    if devices > 1 and seeds % devices == 0:
        mesh, split = Mesh(np.array(jax.local_devices()), ("seeds",)), PartitionSpec("seeds")
        spread = jax.shard_map(several, mesh=mesh, in_specs=split, out_specs=split, check_vma=False)
        found[f"in haste on {devices} devices"] = last_fitness(jit_brief(spread))
    return found


def rows(
    task: str = "diabetes", model: str = "mlp:8", generations: int = 3, seeds: int = 4
) -> list[Row]:
    """Times each way, first call and fastest of three more, the ways taking turns."""
    keys = jax.random.split(jax.random.key(0), seeds)
    runs = ways(task, model, generations, seeds)

    def seconds(run: Callable) -> float:
        start = time.perf_counter()
        run(keys)
        return time.perf_counter() - start

    first = {name: seconds(run) for name, run in runs.items()}
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(3)]
    warm = {name: min(each[name] for each in rounds) for name in runs}
    host = next(iter(runs))

    return [
        {
            "way": name,
            "task": f"{task}/{model}",
            "seeds": seeds,
            "compile_s": first[name] - warm[name],
            "run_s": warm[name],
            "all_s": first[name],
            "faster_with_compiling": first[host] / first[name],
            "faster": warm[host] / warm[name],
        }
        for name in runs
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="diabetes")
    parser.add_argument("--model", default="mlp:8")
    parser.add_argument("--generations", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    jaxloss.use_all_cores()
    print(f"jax {jax.__version__}, {cores} cores, {jax.default_backend()}")
    print("way                        compile s    run s    all s  × faster, all  × faster, run")
    for row in rows(**vars(arguments)):
        print(
            f"{row['way']:<25} {row['compile_s']:>10.1f} {row['run_s']:>8.2f} "
            f"{row['all_s']:>8.1f} {row['faster_with_compiling']:>14.2f} {row['faster']:>14.2f}"
        )


if __name__ == "__main__":
    main()
