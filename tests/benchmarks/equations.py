"""Compares meta-learned losses on equations: run with ``python tests/benchmarks/equations.py``.

The claim: a loss that is learned on a distribution of equations has at least two times a lower
relative L2 error than the squared error outside of it, on at least two of four families of
equations (https://arxiv.org/abs/2107.05544).

On each family a loss is learned by ``meta_pinn`` (Barron's loss, lal, and a network, ffn). Then
networks are trained with it and with its rivals (squared error, absolute error, log-cosh, and oal,
whose shape is trained along with the network) on the equation in the middle of the distribution and
on one outside. All get the same networks, batches and steps, and each its own learning rate, tuned
on the validation split of the equation outside.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from tables import Column, table

import jaxloss
from jaxloss.keys import named_key
from jaxloss.learning import FitnessSettings, TrialSettings
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss, predict, train
from jaxloss.learning.joint import JointTask, online_adaptive
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.optimizers import TracedOptimizer
from jaxloss.learning.population import over_population
from jaxloss.learning.tuning_programs import runs_at_once
from jaxloss.losses import LearnedLoss, zoo
from jaxloss.runs.statistics import paired
from jaxloss.search.meta_pinn import Family, MetaPINNSettings, meta_pinn
from jaxloss.tasks import Task, TaskSettings, load_task

Row = dict[str, Any]

OUTSIDE = {
    "regression": "frequency=2",
    "advection": "width=0.1",
    "reaction_diffusion": "frequency=1.5",
    "burgers": "viscosity=0.01",
}
"""An equation of each family beyond the range that losses are learned on, on the harder side."""

FAMILIES: tuple[Family, ...] = ("lal", "ffn")
RIVALS = ("mse", "mae", "log_cosh", "oal")

COLUMNS = (
    Column("equation", "equation"),
    Column("loss", "loss"),
    Column("rate", "tuned rate", "g"),
    Column("inside", "inside", ".4f"),
    Column("inside_deviation", "±", ".4f"),
    Column("outside", "outside", ".4f"),
    Column("outside_deviation", "±", ".4f"),
    Column("times", "× lower than mse outside", ".2f"),
    Column("p", "paired p", ".2g"),
    Column("what", "what it is"),
)


@dataclass(frozen=True)
class Budget:
    """How much is computed; the same for all losses of a table.

    Attributes:
        model: the network.
        steps: of each training.
        batch: rows of a training step.
        seeds: trainings that are reported.
        rates: learning rates that are tried.
        tuning_seeds: trainings of each rate.
        population: losses that start beside each other.
        generations: rounds of the search.
        meta_steps: outer steps of the search.
        inner_steps: training steps in each of them.
    """

    model: str = "mlp:24-24"
    steps: int = 2000
    batch: int = 64
    seeds: int = 10
    rates: tuple[float, ...] = (3e-3, 1e-2, 3e-2)
    tuning_seeds: int = 2
    population: int = 4
    generations: int = 4
    meta_steps: int = 120
    inner_steps: int = 20


QUICK = Budget("mlp:8", 20, 24, 2, (1e-2,), 1, 2, 2, 4, 2)
"""Shows that it runs."""


def learned(task: Task, family: Family, budget: Budget) -> tuple[LearnedLoss, float]:
    """Learns a loss on the distribution; returns it with its fitness on the task in the middle."""
    settings = MetaPINNSettings(
        family=family,
        population=budget.population,
        generations=budget.generations,
        spread=1.0,
        optimizer=BaseOptimizerSettings(1e-2, 0.9, 0.0, budget.batch, "adam"),
        tuning=LocalSearchSettings(
            budget.meta_steps, budget.inner_steps, learning_rate=2e-2, clip_norm=1.0
        ),
        fitness=FitnessSettings(steps=max(budget.steps // 2, 1), seeds=budget.tuning_seeds),
        trial=TrialSettings(steps=budget.steps, seeds=2),
    )
    search = meta_pinn(task, settings)
    state = search.init(jax.random.key(0))
    for _ in range(search.steps):
        state, _ = search.step(state)
    best = search.front(state)[0]
    return best.loss, best.fitness


def trainer(task: Task, loss: ExampleLoss, budget: Budget) -> Callable[..., np.ndarray]:
    """Makes ``(task of the same family, rates, keys) -> metric on valid and test``."""

    def run(shared: Any, candidate: tuple[Array, Array]) -> Array:
        training, *judging = shared
        rate, key_data = candidate
        optimizer = TracedOptimizer(rate, 0.9, 0.0, budget.batch, "adam")
        key = jax.random.wrap_key_data(key_data)
        variables, _ = train(key, task.model, optimizer, loss, training, budget.steps)

        def metric(split: Any) -> Array:
            outputs = predict(task.model, variables, split.inputs)
            return task.metric.function(task.predictions(outputs), split.targets)

        return jnp.stack([metric(split) for split in judging])

    program = over_population(run, runs_at_once(4))

    def trained(own: Task, rates: Sequence[float], keys: Array) -> np.ndarray:
        key_data = np.asarray(jax.random.key_data(keys))
        rate_rows = np.repeat(np.asarray(rates, np.float32), len(key_data))
        candidates = (rate_rows, np.tile(key_data, (len(rates), 1)))
        found = program((own.train, own.valid, own.test), candidates)
        return np.where(np.isfinite(found), found, np.inf).reshape(len(rates), len(key_data), 2)

    return trained


def rows(name: str, budget: Budget) -> list[Row]:
    """Learns and compares on one family of equations."""
    settings = TaskSettings(model=budget.model)
    middle = load_task(f"pde:{name}", settings)
    outer = load_task(f"pde:{name}:{OUTSIDE[name]}", settings)
    losses: dict[str, tuple[ExampleLoss, str, float | None]] = {}
    for rival in RIVALS[:-1]:
        loss = zoo.as_task_loss(zoo.get(rival), middle.view.name)
        losses[rival] = loss, "fixed", None
    losses["oal"] = online_adaptive, "alpha and c trained along", None
    for family in FAMILIES:
        started = time.perf_counter()
        loss, fitness = learned(middle, family, budget)
        seconds = time.perf_counter() - started
        losses[family] = loss, f"{loss.formula()}; learned in {seconds:.0f} s", fitness
    tuning_keys = jax.random.split(named_key(jax.random.key(1), "tuning"), budget.tuning_seeds)
    keys = jax.random.split(named_key(jax.random.key(1), "reported"), budget.seeds)
    found, usual = list[Row](), np.zeros(0)
    for label, (loss, what, fitness) in losses.items():
        wrap: Callable[[Task], Task] = JointTask if label == "oal" else lambda task: task
        trained = trainer(wrap(middle), loss, budget)
        tuning = trained(outer, budget.rates, tuning_keys)[:, :, 0].mean(axis=1)
        rate = budget.rates[int(np.argmin(tuning))]
        inside, outside = (trained(one, [rate], keys)[0, :, 1] for one in (middle, outer))
        usual = outside if label == "mse" else usual
        found.append(
            {
                "equation": name,
                "loss": label,
                "rate": rate,
                "inside": float(inside.mean()),
                "inside_deviation": float(inside.std(ddof=1)),
                "outside": float(outside.mean()),
                "outside_deviation": float(outside.std(ddof=1)),
                "times": float(usual.mean() / outside.mean()),
                "p": None if label == "mse" else paired(usual, outside, False).p,
                "what": what,
                "fitness": fitness,
            }
        )
    return found


def verdict(found: Sequence[Row]) -> str:
    """Says whether the claim held; of lal and ffn the one that was fitter inside counts."""
    names = list(dict.fromkeys(row["equation"] for row in found))
    chosen = [
        min(
            (row for row in found if row["equation"] == name and row["loss"] in FAMILIES),
            key=lambda row: row["fitness"],
        )
        for name in names
    ]
    won = sum(row["times"] >= 2 for row in chosen)
    words = ", ".join(f"{row['equation']} {row['times']:.2f} ({row['loss']})" for row in chosen)
    return (
        f"Goal: meta-learned at least 2 times lower than mse outside on 2 of 4. "
        f"{'Met' if won >= 2 else 'Not met'}: on {won} of {len(names)}; times lower: {words}."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=OUTSIDE, default=list(OUTSIDE))
    parser.add_argument("--quick", action="store_true", help="tiny: shows that it runs")
    parser.add_argument("--out", type=Path, default=Path("equations.json"), help="JSON file")
    chosen = parser.parse_args(arguments)
    jaxloss.use_all_cores()
    budget, found = QUICK if chosen.quick else Budget(), list[Row]()
    started = time.perf_counter()
    for name in chosen.only:
        found += rows(name, budget)
        # After each family, so that a run that is broken off leaves what it has.
        chosen.out.write_text(json.dumps(found, indent=1, default=float) + "\n")
        print(table(COLUMNS, [row for row in found if row["equation"] == name]), flush=True)
    print(f"\n{verdict(found)}\n{budget}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
