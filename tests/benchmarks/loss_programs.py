"""Derivatives of a population of losses by each way of running them.

``first`` is ∂ℓ/∂f, which moves the network in training; ``mixed`` is ∂/∂φ(∂ℓ/∂f · v), which a
meta-gradient goes through, for a vector v from behind. Trees are the random ones that a search
starts from; each has outputs f of its own on a batch of 128. Every program takes many small steps
down its derivative, so that what it costs to start a program does not count.

- *interpreted*: one program for all trees, which run one after the other through real branches. On
  all devices, each takes its share.
- *interpreted, a kernel for each operation*: the same without the compile options of the library.
- *side by side*: the form for accelerators, where every branch becomes a select.
- *specialised*: every tree has its own code, all in one program. Of populations above 25, 25 trees
  are taken, spread evenly over the sizes.

One core means that all threads of the process are bound to it. The ways take turns and the least
time counts.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, PyTree
from needed_arithmetic import element_seconds, tree_seconds
from timing import Call, taking_turns

from jaxloss.learning.mesh import AXIS, population_mesh
from jaxloss.losses import interpreter
from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.losses.tree import compile_expression, fresh_weights
from jaxloss.symbols import Alphabet, Expression
from jaxloss.symbols.variation import VariationSettings, first_population

BATCH = 128
FEW = 25
"""Trees that are specialised, and that run side by side, at the most."""

RATE = 1e-9
"""Of the steps down the derivatives: every step has something new to compute, and none goes far."""

ELEMENTS_A_CALL = 300_000
"""About how many elements of outputs a call goes through, all trees and steps together."""

DERIVATIVES = ("first", "mixed")
SPECIALISED, INTERPRETED = "specialised, one core", "interpreted, one core"
BESIDE = "side by side, one core"

Loss = Callable[[Array, Array, Array], Array]
"""``(weights, f, y) -> elementwise values``."""


class Problem(NamedTuple):
    """What derivatives are taken of and at: arrays of a population share their leading axis."""

    trees: list[Expression]
    genomes: Array
    weights: Array
    outputs: Array
    vectors: Array
    targets: Array

    def take(self, rows: Sequence[int]) -> "Problem":
        """Picks trees."""
        index = jnp.asarray(rows)
        return Problem(
            [self.trees[row] for row in rows],
            self.genomes[index],
            self.weights[index],
            self.outputs[index],
            self.vectors[index],
            self.targets,
        )


class Way(NamedTuple):
    """A compiled way of running the trees of a problem."""

    call: Call
    trees: int
    compilation: float
    steps: int

    @property
    def work(self) -> int:
        """Counts the steps of all trees in a call."""
        return self.steps * self.trees


def rows(
    trees: int,
    outputs: int,
    derivatives: Sequence[str] = DERIVATIVES,
    seconds: float = 4.0,
    needed_seconds: float = 2.0,
    loops: str = "one function",
) -> list[dict]:
    """Measures all ways for one size of population and number of outputs.

    Args:
        trees: in the population.
        outputs: of each network.
        derivatives: ``"first"``, ``"mixed"`` or both.
        seconds: how long the ways take turns, for each derivative.
        needed_seconds: how long the bare primitives do, for each derivative.
        loops: how this process compiles the loops of the interpreter, in words.
    """
    alphabet = Alphabet()
    problem = _problem(alphabet, trees, outputs)
    sizes = [tree.size for tree in problem.trees]
    spread = np.argsort(sizes)[np.linspace(0, trees - 1, min(FEW, trees)).round().astype(int)]
    few = problem.take(spread.tolist())
    found = []
    for derivative in derivatives:
        ways = _ways(alphabet, problem, few, derivative)
        costs = taking_turns({name: way.call for name, way in ways.items()}, seconds)
        by_primitive = element_seconds(derivative == "mixed", needed_seconds)
        each = [tree_seconds(tree, by_primitive, BATCH * outputs) for tree in problem.trees]
        microseconds = {name: 1e6 * costs[name].seconds / way.work for name, way in ways.items()}
        needed = 1e6 * float(np.mean(each))
        found += [
            {
                "derivative": derivative,
                "trees": trees,
                "outputs": outputs,
                "way": name,
                "loops": loops,
                "microseconds": one,
                "core_microseconds": 1e6 * costs[name].core_seconds / ways[name].work,
                "over_specialised": one / microseconds[SPECIALISED],
                "over_needed": one / needed,
                "compilation": ways[name].compilation,
                "compilation_each": _each_compiled(name, ways[name]),
            }
            for name, one in microseconds.items()
        ]
    return found


def _each_compiled(name: str, way: Way) -> float | None:
    """Seconds of compilation for each tree, where every tree is compiled."""
    return way.compilation / way.trees if name == SPECIALISED else None


def _problem(alphabet: Alphabet, trees: int, outputs: int) -> Problem:
    keys = jax.random.split(jax.random.key(0), 5)
    genomes = first_population(keys[0], alphabet, VariationSettings(), trees)
    shape, edges = (trees, BATCH, outputs), alphabet.capacity - 1
    return Problem(
        [alphabet.decode(genome) for genome in np.asarray(genomes)],
        genomes,
        jax.vmap(lambda key: fresh_weights(key, edges))(jax.random.split(keys[1], trees)),
        jax.random.normal(keys[2], shape),
        jax.random.normal(keys[3], shape),
        jax.random.normal(keys[4], shape[1:]),
    )


def _steps(problem: Problem) -> int:
    """Counts steps so that a call takes long beside what it costs to start it."""
    return min(100, max(1, ELEMENTS_A_CALL // problem.outputs.size))


def _ways(alphabet: Alphabet, problem: Problem, few: Problem, derivative: str) -> dict[str, Way]:
    """Compiles every way; the slow ones get few trees, and as many steps more."""
    steps = _steps(problem)
    one = _interpreted(alphabet, derivative, steps)
    devices = jax.device_count()
    mesh, split = population_mesh(), PartitionSpec(AXIS)
    specs = (split, split, split, split, PartitionSpec())
    sharded = jax.shard_map(one, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False)
    # What does not divide is filled up with copies, as the library does it.
    count = len(problem.trees)
    full = problem.take([min(row, count - 1) for row in range(-(-count // devices) * devices)])
    ways = {
        SPECIALISED: _compiled(
            _specialised(few.trees, derivative, _steps(few)), few[2:], few, True
        ),
        INTERPRETED: _compiled(one, problem[1:], problem, True),
        f"interpreted, {devices} devices": _compiled(sharded, full[1:], problem, False),
    }
    if count <= FEW:
        other = Alphabet(capacity=alphabet.capacity - 1)  # Apart from what is traced already.
        with patch.object(interpreter, "trees_run_side_by_side", lambda: True):
            beside = _interpreted(other, derivative, steps)
            arguments = few.genomes[:, :-1], few.weights[:, :-1], *few[3:]
            ways[BESIDE] = _compiled(beside, arguments, few, True)
    return ways


def _compiled(
    function: Callable[..., PyTree],
    arguments: Sequence[Array],
    problem: Problem,
    one_core: bool,
) -> Way:
    start = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    seconds = time.perf_counter() - start
    # Once for all, or each call would send the arguments to the devices again.
    placed = jax.tree.map(jax.device_put, tuple(arguments), program.input_shardings[0])
    jax.block_until_ready(program(*placed))
    call = Call(lambda: program(*placed), one_core)
    return Way(call, len(problem.trees), seconds, _steps(problem))


def _interpreted(alphabet: Alphabet, derivative: str, steps: int) -> Callable[..., Array]:
    """Makes ``(genomes, weights, f, v, y) -> what moved``."""

    def one(genome: Array, weights: Array, f: Array, v: Array, y: Array) -> Array:
        program = assemble(alphabet, genome)

        def loss(weights: Array, f: Array, y: Array) -> Array:
            return interpret(alphabet, program, weights, f, y)

        return _descended([(loss, weights, f, v)], y, derivative, steps)[0]

    return jax.vmap(one, (0, 0, 0, 0, None))


def _specialised(
    trees: Sequence[Expression], derivative: str, steps: int
) -> Callable[..., list[Array]]:
    """Makes ``(weights, f, v, y) -> what moved`` for these trees alone."""
    losses = [compile_expression(tree).apply for tree in trees]

    def all_of_them(weights: Array, f: Array, v: Array, y: Array) -> list[Array]:
        own = (row[: tree.size - 1] for row, tree in zip(weights, trees, strict=True))
        return _descended(list(zip(losses, own, f, v, strict=True)), y, derivative, steps)

    return all_of_them


def _descended(
    candidates: Sequence[tuple[Loss, Array, Array, Array]], y: Array, derivative: str, steps: int
) -> list[Array]:
    """Takes steps down a derivative: of f for the first one, of the weights for the mixed one."""

    def slope(loss: Loss, weights: Array, f: Array) -> Array:
        return jax.grad(lambda f: jnp.sum(loss(weights, f, y)))(f)

    def step(moving: Array, loss: Loss, weights: Array, f: Array, v: Array) -> Array:
        if derivative == "first":
            return moving - RATE * slope(loss, weights, moving)
        return moving - RATE * jax.grad(lambda w: jnp.sum(v * slope(loss, w, f)))(moving)

    def steps_of_all(_: Array, moving: list[Array]) -> list[Array]:
        return [step(one, *rest) for one, rest in zip(moving, candidates, strict=True)]

    start = [f if derivative == "first" else weights for _, weights, f, _ in candidates]
    return jax.lax.fori_loop(0, steps, steps_of_all, start)
