from collections.abc import Callable
from math import isqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.inner import BaseOptimizerSettings, fresh_learner
from jaxloss.learning.local_search import LocalSearchSettings, local_search
from jaxloss.learning.segments import FEW_STEPS, rematerialised_scan
from jaxloss.losses import assemble, interpret
from jaxloss.models import Model, from_functions
from jaxloss.symbols import EVOMAL_PRIMITIVES, Alphabet, PrimitiveSet, parse
from jaxloss.tasks import Split


def wave(weight: Any, state: Any, number: Any) -> Any:
    """A step whose result depends on the order and number of the steps."""
    return jnp.sin(weight * state) + 0.1 * jnp.cos(number * 1.0) * state


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("steps", [1, 2, FEW_STEPS, FEW_STEPS + 1, 24, 31, 63])
def test_segments_give_values_and_gradients_of_a_plain_loop(steps: int):
    start = jnp.linspace(0.5, 1.5, 3)

    def in_segments(weight: Any) -> Any:
        numbers = jnp.arange(1, steps + 1)
        return rematerialised_scan(lambda *carried: wave(weight, *carried), start, numbers).sum()

    def plain(weight: Any) -> Any:
        state = start
        for number in range(1, steps + 1):
            state = wave(weight, state, number)
        return state.sum()

    found = jax.jit(jax.value_and_grad(in_segments))(1.3)
    expected = jax.value_and_grad(plain)(1.3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("steps", [FEW_STEPS, FEW_STEPS + 1, 23, 60, 63])
def test_no_step_is_run_in_vain(steps: int):
    seen = []

    def step(state: Any, number: Any) -> Any:
        jax.debug.callback(lambda number: seen.append(int(number)), number, ordered=True)
        return state + number

    numbers = jnp.arange(steps)
    total = jax.jit(lambda: rematerialised_scan(step, jnp.int32(0), numbers))()
    jax.effects_barrier()
    assert seen == list(range(steps))
    assert total == sum(range(steps))


CANDIDATES, INPUTS, HIDDEN, BATCH = 3, 20, 64, 4
# As many functions as the formulas need: each takes its time to compile.
FUNCTIONS = ("add", "sub", "mul", "square", "abs", "tanh")
ALPHABET = Alphabet(
    PrimitiveSet(tuple(EVOMAL_PRIMITIVES.by_name[name] for name in FUNCTIONS)), capacity=12
)
FORMULAS = ("square(sub(f, y))", "abs(sub(f, y))", "add(square(sub(f, y)), tanh(mul(f, y)))")
OPTIMIZER = BaseOptimizerSettings(learning_rate=0.01, momentum=0.9, batch_size=BATCH)


def network() -> Model:
    def init(key: Any, inputs: Any) -> Any:
        first, second = jax.random.split(key)
        shape = (inputs.shape[1], HIDDEN)
        return jax.random.normal(first, shape) / 8, jax.random.normal(second, (HIDDEN, 1)) / 8

    def apply(params: Any, inputs: Any) -> Any:
        return jnp.tanh(inputs @ params[0]) @ params[1]

    return from_functions(init, apply, "two layers")


def squared_error(outputs: Any, targets: Any) -> Any:
    return jnp.square(outputs[:, 0] - targets)


def bind_tree(genome: Any) -> Callable:
    program = assemble(ALPHABET, genome)

    def bind(weights: Any) -> Callable:
        return lambda outputs, targets: interpret(
            ALPHABET, program, weights, outputs[:, 0], targets
        )

    return bind


ROWS = Split(jnp.ones((40, INPUTS)), jnp.ones(40))


def peak_bytes(inner_steps: int, truncation: int | None = None) -> int:
    """Tells what the compiled local search of a population needs besides its arguments."""
    settings = LocalSearchSettings(2, inner_steps, truncation=truncation)

    def tune(genome: Any, weights: Any) -> Any:
        bind = bind_tree(genome)
        return local_search(
            jax.random.key(0),
            network(),
            OPTIMIZER,
            settings,
            squared_error,
            bind,
            ROWS,
            ROWS,
            weights,
        )

    genomes = jnp.stack([jnp.asarray(ALPHABET.encode(parse(text))) for text in FORMULAS])
    weights = jnp.ones((CANDIDATES, ALPHABET.capacity - 1))
    compiled = jax.jit(jax.vmap(tune)).lower(genomes, weights).compile()
    analysis = compiled.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def learners_bytes() -> int:
    learner = fresh_learner(jax.random.key(0), network(), OPTIMIZER.make(), ROWS)
    return CANDIDATES * sum(leaf.nbytes for leaf in jax.tree.leaves(learner))


@pytest.fixture(scope="module")
def peaks() -> dict[int, int]:
    return {steps: peak_bytes(steps) for steps in (1, 16, 64, 256)}


def test_memory_grows_no_faster_than_the_square_root_of_the_inner_steps(peaks: dict[int, int]):
    growth = {steps: peaks[steps] - peaks[1] for steps in (16, 64, 256)}
    # Four times the steps: twice the memory, with a fifth of margin. Linear growth gives four.
    assert 0 < growth[64] < 1.2 * 2 * growth[16]
    assert 0 < growth[256] < 1.2 * 2 * growth[64]


def test_memory_holds_a_learner_for_each_segment_and_each_step_of_one(peaks: dict[int, int]):
    for steps in (64, 256):
        kept = (peaks[steps] - peaks[1]) / learners_bytes()
        assert isqrt(steps) < kept < 2 * isqrt(steps) + 6


def test_truncated_memory_does_not_grow(peaks: dict[int, int]):
    few, many = (peak_bytes(steps, truncation=2) for steps in (16, 256))
    # The order of the examples is drawn beforehand: some integers for each step, no learner.
    assert many - few <= 64 * (256 - 16)
    assert many < peaks[16]
