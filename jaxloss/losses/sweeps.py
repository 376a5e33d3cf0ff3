"""The two loops of the interpreter over the instructions of one tree: forward and backward."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.primitives import Primitive

Branch = Callable[..., Any]


class Sweep(NamedTuple):
    """One loop over a tree's instructions.

    Attributes:
        buffers: ``(variable) -> buffers``: scratch memory for variables like this one. A tree may
            be given the buffers that another has left: every row is written before it is read.
        run: ``(buffers, steps, program, weights, *arguments) -> (buffers, results)`` takes as many
            ``steps`` as the tree has instructions, or more: those beyond are idle, and what they
            write is not read.
    """

    buffers: Callable[[Float[Array, " n"]], Any]
    run: Callable[..., tuple[Any, Any]]


class _Operand(NamedTuple):
    """One argument of an instruction before its edge weight acts, or the cotangents of these."""

    weight: Float[Array, ""]
    value: Float[Array, " n"]
    slopes: Float[Array, "moving n"]


class _Earlier(NamedTuple):
    """What an operand's row of cotangents holds already.

    It counts for variables, which gather from many parents; an inner node has but one parent.
    """

    counts: Bool[Array, ""]
    cotangent: Float[Array, " n"]


def _step(primitive: Primitive) -> Branch:
    """Makes one instruction of the forward sweep: from operands to ``(value, slopes)``."""

    def step(*operands: _Operand) -> tuple[Array, Array]:
        used = operands[: primitive.arity]
        arguments = [operand.weight * operand.value for operand in used]
        if used[0].slopes.shape[0] == 0:
            return primitive.function(*arguments), used[0].slopes
        value, push = jax.linearize(primitive.function, *arguments)
        return value, jax.vmap(push)(*(operand.weight * operand.slopes for operand in used))

    return step


def _reversed_step(primitive: Primitive) -> Branch:
    """Makes one instruction of the backward sweep.

    It takes the operands, the cotangents of value and slopes, and what the operands' cotangents
    hold already; all in one branch, because XLA updates the buffers in place only if reading and
    writing them are not fused.
    """
    step = _step(primitive)

    def reversed_step(
        operands: tuple[_Operand, _Operand],
        of_result: tuple[Array, Array],
        earlier: tuple[_Earlier, _Earlier],
        same: Array,
    ) -> tuple[_Operand, _Operand]:
        left, right = jax.vjp(step, *operands)[1](of_result)
        left_sum = left.value + jnp.where(earlier[0].counts, earlier[0].cotangent, 0.0)
        right_sum = right.value + jnp.where(earlier[1].counts, earlier[1].cotangent, 0.0)
        right_sum += jnp.where(same, left.value, 0.0)
        return left._replace(value=left_sum), right._replace(value=right_sum)

    return reversed_step


def _operands(
    program: Any, weights: Array, values: Array, slopes: Array, i: Array
) -> tuple[_Operand, _Operand]:
    """Reads what instruction ``i`` works on."""
    (left, right), (left_edge, right_edge) = program.operands[i], program.edges[i]
    return (
        _Operand(weights[left_edge], values[left], slopes[left]),
        _Operand(weights[right_edge], values[right], slopes[right]),
    )


def _with_missing_edge(weights: Array) -> Array:
    """Appends the edge that unary functions' missing arguments point to."""
    return jnp.concatenate([weights, jnp.ones(1, weights.dtype)])


def _forward_buffers(
    alphabet: Alphabet, moving: tuple[int, ...], variable: Array
) -> tuple[Array, Array]:
    """Allocates values and slopes; constants and the terminals' slopes are there already."""
    rows, variables = alphabet.terminals + alphabet.capacity + 1, len(alphabet.primitives.variables)
    values = jnp.zeros((rows, *variable.shape), variable.dtype)
    constants = jnp.array(alphabet.primitives.constants, variable.dtype)
    values = values.at[variables : alphabet.terminals].set(constants[:, None])
    slopes = jnp.zeros((rows, len(moving), *variable.shape), variable.dtype)
    for direction, i in enumerate(moving):
        slopes = slopes.at[i, direction].set(1.0)
    return values, slopes


def _run_forward(
    alphabet: Alphabet,
    buffers: tuple[Array, Array],
    steps: Array,
    program: Any,
    weights: Array,
    variables: tuple[Array, ...],
) -> tuple[Array, Array]:
    branches = [_step(primitive) for primitive in alphabet.primitives.primitives]
    values, slopes = buffers
    values = values.at[: len(variables)].set(jnp.stack(variables))

    def instruct(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        values, slopes = carry
        value, slope = jax.lax.switch(
            program.operation[i], branches, *_operands(program, weights, values, slopes, i)
        )
        row = alphabet.terminals + i
        return _with_row(values, row, value), _with_row(slopes, row, slope)

    return jax.lax.fori_loop(0, steps, instruct, (values, slopes))


def _with_row(buffer: Array, row: Array, written: Array) -> Array:
    """Writes a row; where all trees of a batch write the same one, no scatter is needed."""
    return jax.lax.dynamic_update_index_in_dim(buffer, written, row, 0)


def forward_sweep(alphabet: Alphabet, moving: tuple[int, ...]) -> Sweep:
    """Makes the loop that computes a tree's values and slopes.

    Its ``run`` takes ``(buffers, steps, program, weights, *variables)``, each variable of shape
    ``[n]``, and returns values ``[n]`` and slopes ``[len(moving), n]``.
    """

    def buffers(variable: Array) -> tuple[Array, Array]:
        return _forward_buffers(alphabet, moving, variable)

    def run(
        buffers: tuple[Array, Array], steps: Array, program: Any, weights: Array, *variables: Array
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        values, slopes = _run_forward(
            alphabet, buffers, steps, program, _with_missing_edge(weights), variables
        )
        return (values, slopes), (values[program.root], slopes[program.root])

    return Sweep(buffers, run)


def backward_sweep(alphabet: Alphabet, moving: tuple[int, ...]) -> Sweep:
    """Makes the loop that pulls cotangents of values and slopes back to weights and variables.

    Its ``run`` takes ``(buffers, steps, program, weights, *variables, of_value, of_slopes)`` and
    returns the cotangents of the weights ``[edges]`` and of the variables ``[variables, n]``. It
    runs the forward loop again rather than keep what it computed.
    """
    branches = [_reversed_step(primitive) for primitive in alphabet.primitives.primitives]
    variable_count = len(alphabet.primitives.variables)
    unwritten, no_edge = alphabet.terminals + alphabet.capacity, alphabet.capacity - 1

    def buffers(variable: Array) -> Any:
        forward = _forward_buffers(alphabet, moving, variable)
        return forward, jax.tree.map(jnp.zeros_like, forward)

    def run(
        buffers: Any, steps: Array, program: Any, weights: Array, *arguments: Array
    ) -> tuple[Any, Any]:
        *variables, of_value, of_slope = arguments
        weights = _with_missing_edge(weights)
        values, slopes = _run_forward(
            alphabet, buffers[0], steps, program, weights, tuple(variables)
        )
        of_values, of_slopes = buffers[1]
        of_values = of_values.at[:variable_count].set(0.0).at[program.root].set(of_value)
        of_slopes = of_slopes.at[program.root].set(of_slope)

        def instruct(step: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            of_values, of_slopes, of_weights = carry
            i = steps - 1 - step
            # What an idle step computes must reach neither a variable nor an edge.
            idle, own = i >= program.length, alphabet.terminals + i
            rows = jnp.where(idle, unwritten, program.operands[i])
            edges = jnp.where(idle, no_edge, program.edges[i])
            left, right = (_Earlier(row < variable_count, of_values[row]) for row in rows)
            of_operands = jax.lax.switch(
                program.operation[i],
                branches,
                _operands(program, weights, values, slopes, i),
                (of_values[own], of_slopes[own]),
                (left, right),
                rows[0] == rows[1],
            )
            for operand, row, edge in zip(of_operands, rows, edges, strict=True):
                of_values = of_values.at[row].set(operand.value)
                of_slopes = of_slopes.at[row].set(operand.slopes)
                of_weights = of_weights.at[edge].set(operand.weight)
            return of_values, of_slopes, of_weights

        start = (of_values, of_slopes, jnp.zeros_like(weights))
        of_values, of_slopes, of_weights = jax.lax.fori_loop(0, steps, instruct, start)
        results = of_weights[:-1], tuple(of_values[:variable_count])
        return ((values, slopes), (of_values, of_slopes)), results

    return Sweep(buffers, run)
