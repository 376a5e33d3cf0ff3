"""What all tests share: strict JAX, checked annotations, few and repeatable examples."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

CHECKED_MODULES = (
    "jaxloss.symbols.primitives",
    "jaxloss.symbols.variation",
    "jaxloss.losses.family",
    "jaxloss.losses.interpreter",
    "jaxloss.learning.population",
    "jaxloss.learning.unroll",
    "jaxloss.learning.local_search",
    "jaxloss.learning.landscape",
    "jaxloss.learning.curvature",
)
"""Modules whose annotations, shapes included, are checked at every call of the test run."""

# Before any test imports jaxloss: the hook acts on import.
install_import_hook(CHECKED_MODULES, "beartype.beartype")
# Tests compile much and run little, and each part of a program takes some of the memory maps that a
# process may have, 65,530 on Linux. XLA reads this when the first array is made.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1",
)
# Two devices on every machine, so that what is spread over devices is spread in tests too.
jax.config.update("jax_num_cpu_devices", 2)
# What tests compare is summed in other orders; accelerators would round what they multiply, too.
jax.config.update("jax_default_matmul_precision", "highest")
settings.register_profile("jaxloss", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("jaxloss")

ARITIES = {
    **dict.fromkeys(("add", "sub", "mul", "div", "min", "max"), 2),
    **dict.fromkeys(("sign", "square", "abs", "tanh", "log", "sqrt"), 1),
}
"""EvoMAL's functions, written down here a second time on purpose."""

RandomFormulas = Callable[..., list[str]]


@pytest.fixture(scope="session")
def random_formulas() -> RandomFormulas:
    """Makes ``(seed, count, height, variables) -> formulas``, random trees in call syntax."""

    def make(
        seed: int, count: int, height: int = 4, variables: Sequence[str] = ("f", "y")
    ) -> list[str]:
        generator = np.random.default_rng(seed)
        terminals = [*variables, "1", "-1"]

        def tree(left: int) -> str:
            if left == 0 or (left < height and generator.random() < 0.2):
                return terminals[generator.integers(len(terminals))]
            name = list(ARITIES)[generator.integers(len(ARITIES))]
            return f"{name}({', '.join(tree(left - 1) for _ in range(ARITIES[name]))})"

        return [tree(int(generator.integers(1, height + 1))) for _ in range(count)]

    return make


@pytest.fixture(scope="session")
def compiled() -> list[str]:
    """A line for each program that JAX has compiled, the latest last."""
    events: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: events.append(event) if "backend_compile" in event else None
    )
    return events


@pytest.fixture(scope="session")
def goes_on_alike(compiled: list[str]) -> Callable[[Any, Any], None]:
    """Takes ``(search, state)`` a generation on: saved and resumed it compiles nothing new and is
    the same, bit for bit."""

    def check(search: Any, state: Any) -> None:
        rest = jax.tree.map(np.array, state._replace(key=None))
        saved = rest._replace(key=jax.random.wrap_key_data(jax.random.key_data(state.key).copy()))
        before = len(compiled)
        end, last = search.step(state)
        resumed, again = search.step(saved)
        assert len(compiled) == before
        assert last == again
        np.testing.assert_array_equal(end.fitness, resumed.fitness)
        np.testing.assert_array_equal(end.genomes, resumed.genomes)

    return check


@pytest.fixture(scope="module", autouse=True)
def strict_jax(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuses what JAX would silently promote, as far as the libraries beneath allow it.

    Ranks: flax's nnx layers add biases of another rank. Precisions: optax's Adam raises a float to
    the power of an int32, and in double precision genomes of int32 meet indices of int64.
    """
    room = request.path.parent.name
    ranks = "allow" if room in ("models", "runs") else "raise"
    precisions = "strict" if room == "symbols" else "standard"
    with jax.numpy_rank_promotion(ranks), jax.numpy_dtype_promotion(precisions):
        yield


@pytest.fixture(scope="module", autouse=True)
def forgotten_programs() -> Iterator[None]:
    """Lets go of what a file has compiled: all files together have more than a process may map."""
    yield
    jax.clear_caches()
    gc.collect()


@pytest.fixture
def float64() -> Iterator[None]:
    """Runs a test in double precision."""
    with jax.enable_x64(True):
        yield
