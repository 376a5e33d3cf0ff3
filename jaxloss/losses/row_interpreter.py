"""Runs any genome of any primitives in one compiled program, in plain reverse mode.

`jaxloss.losses.interpreter` carries slopes forward, which only elementwise primitives allow. Here
values go forward and cotangents back, so that softmax and inner products over the last axis work
too; there are no edge weights, and no second derivatives. Trees of a population run one after the
other through real branches.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxloss.losses.binding import BoundLoss
from jaxloss.losses.interpreter import Instructions, assemble
from jaxloss.losses.views import View
from jaxloss.symbols.genome import Alphabet, Genome
from jaxloss.symbols.primitives import Primitive


def interpret_rows(
    alphabet: Alphabet, program: Instructions, *variables: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Evaluates a tree with all edge weights at 1; differentiable once, in reverse.

    Args:
        alphabet: the alphabet of the genome that was assembled.
        program: the tree; may be traced, so nothing recompiles for another tree.
        variables: the alphabet's variables in order, arrays of one shape.
    """
    return _values(alphabet)(program, *variables)


def row_binding(alphabet: Alphabet, view: View, genome: Genome) -> BoundLoss:
    """Makes the loss of a genome, which may be traced: ``(outputs, targets) -> values``."""
    program = assemble(alphabet, genome)

    def loss(outputs: Array, targets: Array) -> Array:
        values = interpret_rows(alphabet, program, *view.see(outputs, targets))
        return view.per_example(values, outputs, targets)

    return loss


@lru_cache(maxsize=8)
def _values(alphabet: Alphabet) -> Callable[..., Array]:
    run_forward, run_backward = _sweeps(alphabet)

    @jax.custom_vjp
    def values(program: Instructions, *variables: Array) -> Array:
        return run_forward(program, *variables)

    def forward(program: Instructions, *variables: Array) -> tuple[Array, Any]:
        return values(program, *variables), (program, variables)

    def backward(residuals: Any, cotangent: Array) -> tuple[Any, ...]:
        program, variables = residuals
        return None, *run_backward(program, cotangent, *variables)

    values.defvjp(forward, backward)
    return values


def _sweeps(alphabet: Alphabet) -> tuple[Callable[..., Array], Callable[..., tuple[Array, ...]]]:
    """Makes the loop over a tree's instructions, and the one back."""
    primitives = alphabet.primitives.primitives
    count, terminals = len(alphabet.primitives.variables), alphabet.terminals
    steps = [_step(primitive) for primitive in primitives]
    pulls = [_pull(step) for step in steps]

    def filled(program: Instructions, *variables: Array) -> Array:
        """Computes the values of all nodes."""
        shape, dtype = variables[0].shape, variables[0].dtype
        rows = jnp.zeros((terminals + alphabet.capacity + 1, *shape), dtype)
        rows = rows.at[:count].set(jnp.stack(variables))
        constants = jnp.array(alphabet.primitives.constants, dtype)
        constants = constants.reshape(-1, *(1,) * len(shape))
        rows = rows.at[count:terminals].set(jnp.broadcast_to(constants, (len(constants), *shape)))

        def visit(i: Array, rows: Array) -> Array:
            left, right = program.operands[i]
            value = jax.lax.switch(program.operation[i], steps, rows[left], rows[right])
            return rows.at[terminals + i].set(value)

        return jax.lax.fori_loop(0, program.length, visit, rows)

    @jax.custom_batching.sequential_vmap
    def forward(program: Instructions, *variables: Array) -> Array:
        return filled(program, *variables)[program.root]

    @jax.custom_batching.sequential_vmap
    def backward(program: Instructions, cotangent: Array, *variables: Array) -> tuple[Array, ...]:
        rows = filled(program, *variables)
        start = jnp.zeros_like(rows).at[program.root].set(cotangent)

        def visit(passed: Array, cotangents: Array) -> Array:
            i = program.length - 1 - passed
            left, right = program.operands[i]
            of_left, of_right = jax.lax.switch(
                program.operation[i],
                pulls,
                rows[left],
                rows[right],
                cotangents[terminals + i],
            )
            # One after the other: both operands may be the same row.
            return cotangents.at[left].add(of_left).at[right].add(of_right)

        cotangents = jax.lax.fori_loop(0, program.length, visit, start)
        return tuple(cotangents[i] for i in range(count))

    return forward, backward


def _step(primitive: Primitive) -> Callable[[Array, Array], Array]:
    def step(left: Array, right: Array) -> Array:
        return primitive.function(*(left, right)[: primitive.arity])

    return step


def _pull(step: Callable[[Array, Array], Array]) -> Callable[..., tuple[Array, Array]]:
    def pull(left: Array, right: Array, cotangent: Array) -> tuple[Array, Array]:
        return jax.vjp(step, left, right)[1](cotangent)

    return pull
