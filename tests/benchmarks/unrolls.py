"""Measures long unrolls: run with ``python tests/benchmarks/unrolls.py``.

For each number of inner steps, the meta-gradients of a few candidates are taken in one program by
each of three ways: every step rematerialised by itself, in segments as the library does it, and
truncated to the last eight. Memory is what the compiled program needs besides its arguments;
times are medians of calls that take turns. Candidates are formulas, interpreted, on diabetes.
"""

import argparse
import time
from collections.abc import Callable
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

import jaxloss
from jaxloss.learning import unroll
from jaxloss.learning.inner import BaseOptimizerSettings, ExampleLoss, batch_indices, take
from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.losses.views import per_example
from jaxloss.symbols import Alphabet, parse
from jaxloss.tasks import Split, TaskSettings, load_task

FORMULAS = (
    "square(sub(f, y))",
    "abs(sub(f, y))",
    "add(square(sub(f, y)), tanh(mul(f, y)))",
    "sqrt(add(1, square(sub(f, y))))",
)
INNER_STEPS = (1, 4, 16, 64, 256)
TRUNCATION = 8
Scan = Callable[[Callable[[PyTree, Array], PyTree], PyTree, Array], PyTree]


def one_by_one(step: Callable[[PyTree, Array], PyTree], start: PyTree, numbers: Array) -> PyTree:
    """Is the way before: a learner is kept for every step."""
    remembered = jax.checkpoint(lambda state, number: (step(state, number), None))
    return jax.lax.scan(remembered, start, numbers)[0]


WAYS: dict[str, tuple[Scan, int | None]] = {
    "one by one": (one_by_one, None),
    "segments": (unroll.rematerialised_scan, None),
    f"last {TRUNCATION}": (unroll.rematerialised_scan, TRUNCATION),
}


def rows(
    model: str = "mlp:50-50", inner_steps: tuple[int, ...] = INNER_STEPS, seconds: float = 1.5
) -> list[dict]:
    """Measures every way for every number of inner steps.

    Args:
        model: the network.
        inner_steps: which numbers of inner steps.
        seconds: how long the ways take turns for one number.

    Returns:
        For each number and way: ``inner_steps``, ``way``, ``bytes`` and ``milliseconds``.
    """
    found = []
    for steps in inner_steps:
        programs = {name: _program(model, steps, *way) for name, way in WAYS.items()}
        times: dict[str, list[float]] = {name: [] for name in programs}
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times["segments"]) < 3:
            for name, (run, _) in programs.items():
                start = time.perf_counter()
                jax.block_until_ready(run())
                times[name].append(time.perf_counter() - start)
        found += [
            {
                "inner_steps": steps,
                "way": name,
                "bytes": needed,
                "milliseconds": 1e3 * float(np.median(times[name])),
            }
            for name, (_, needed) in programs.items()
        ]
    return found


def _program(
    model: str, steps: int, scan: Scan, truncation: int | None
) -> tuple[Callable[[], Array], int]:
    """Compiles the meta-gradients of all candidates; returns the call and the bytes it needs."""
    task = load_task("diabetes", TaskSettings(model=model))
    alphabet, optimizer, key = Alphabet(capacity=16), BaseOptimizerSettings(), jax.random.key(0)
    order = batch_indices(key, len(task.train.inputs), optimizer.batch_size, steps)
    batches, held_out = take(task.train, order), take(task.valid, jnp.arange(64))

    def gradient(batches: Split, genome: Array, weights: Array) -> Array:
        program = assemble(alphabet, genome)

        def bind(weights: Array) -> ExampleLoss:
            def loss(outputs: Array, targets: Array) -> Array:
                variables = task.view.see(outputs, targets)
                return per_example(interpret(alphabet, program, weights, *variables))

            return loss

        def objective(weights: Array) -> Array:
            return unroll.meta_loss(
                key,
                task.model,
                optimizer,
                task.task_loss,
                bind,
                batches,
                held_out,
                weights,
                truncation,
            )

        return jax.grad(objective)(weights)

    genomes = jnp.stack([jnp.asarray(alphabet.encode(parse(text))) for text in FORMULAS])
    # Small weights: with larger ones some networks diverge long before the last step.
    weights = 0.3 * jnp.ones((len(FORMULAS), alphabet.capacity - 1))
    program = jax.jit(jax.vmap(gradient, (None, 0, 0)))
    with patch.object(unroll, "rematerialised_scan", scan):
        compiled = program.lower(batches, genomes, weights).compile()
    analysis = compiled.memory_analysis()
    assert analysis is not None, "this backend tells no memory"
    return lambda: compiled(batches, genomes, weights), analysis.temp_size_in_bytes


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mlp:50-50")
    parser.add_argument("--inner-steps", nargs="+", type=int, default=INNER_STEPS)
    arguments = parser.parse_args()
    jaxloss.use_all_cores()
    backend = jax.default_backend()
    print(f"jax {jax.__version__}, {backend}, {len(FORMULAS)} candidates, {arguments.model}")
    print(f"{'inner steps':>11} {'way':<12} {'kB':>10} {'ms':>9}")
    for steps in arguments.inner_steps:
        for row in rows(arguments.model, (steps,)):
            print(
                f"{row['inner_steps']:>11} {row['way']:<12} "
                f"{row['bytes'] / 1e3:>10.0f} {row['milliseconds']:>9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
