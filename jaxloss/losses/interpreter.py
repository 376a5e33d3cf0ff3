"""Runs any genome in one compiled program: values, slopes, and the slopes' own derivatives.

A tree becomes a short list of instructions, one for each inner node, children first. Values and
slopes (∂value/∂variable) are carried forward together; the derivatives of both are found by one
backward sweep, so that no branch's intermediates are stored. On a CPU the trees of a population run
one after the other through real branches and each stops at its own length; elsewhere they run side
by side and every branch becomes a select.

Shortcoming: only elementwise primitives can be carried this way, and the functions here have
reverse-mode derivatives only, up to the mixed second order that a meta-gradient needs.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxloss.errors import require
from jaxloss.losses.sweeps import Sweep, backward_sweep, forward_sweep
from jaxloss.symbols.genome import Alphabet, Genome, arity_of, layout


class Instructions(NamedTuple):
    """A tree as a device runs it: instruction ``i`` writes row ``terminals + i``.

    Operands are rows: the terminals come first, then the results, last a row that nobody writes,
    to which the missing second argument of unary functions points (as does its edge).
    """

    operation: Int[Array, " capacity"]
    operands: Int[Array, "capacity 2"]
    edges: Int[Array, "capacity 2"]
    length: Int[Array, ""]
    root: Int[Array, ""]


def assemble(alphabet: Alphabet, genome: Genome) -> Instructions:
    """Translates a genome into instructions; pure, for ``jit`` and ``vmap``."""
    capacity, terminals = alphabet.capacity, alphabet.terminals
    where, arity = layout(alphabet, genome), arity_of(alphabet, genome)
    inner = arity > 0
    count = jnp.sum(inner)
    # Children stand behind their parents in preorder, so the last inner node runs first.
    row = jnp.where(inner, terminals + count - jnp.cumsum(inner), genome - alphabet.functions)
    unwritten, no_edge = terminals + capacity, capacity - 1
    operands = [row[where.left], jnp.where(arity == 2, row[where.right], unwritten)]
    edges = [where.left - 1, jnp.where(arity == 2, where.right - 1, no_edge)]
    # Inner nodes to the front, in running order; what stands behind them is never run.
    order = jnp.argsort(jnp.where(inner, -jnp.arange(capacity), capacity))
    return Instructions(
        operation=jnp.maximum(genome, 0)[order],
        operands=jnp.stack(operands, axis=1)[order],
        edges=jnp.stack(edges, axis=1)[order],
        length=count,
        root=row[0],
    )


def interpret(
    alphabet: Alphabet, program: Instructions, weights: Float[Array, " edges"], *variables: Array
) -> Float[Array, "..."]:
    """Evaluates a tree elementwise.

    Differentiable in reverse, twice, with respect to the weights and the variables. Under ``vmap``
    the whole batch runs as one program.

    Args:
        alphabet: the alphabet of the genome that was assembled.
        program: the tree; may be traced, so nothing recompiles for another tree.
        weights: edge weights in preorder, the root left out; ``capacity - 1`` of them, those beyond
            the tree's own edges are not read.
        variables: the alphabet's variables in order, arrays of one shape.

    Returns:
        The loss values, in the variables' shape.

    Raises:
        InvalidInputError: a primitive of the alphabet is not elementwise.
    """
    require(
        alphabet.primitives.elementwise,
        "interpret takes elementwise primitives only, got "
        + ", ".join(one.name for one in alphabet.primitives.primitives if not one.elementwise)
        + "; jaxloss.losses.row_interpreter runs any",
    )
    shape = variables[0].shape
    flat = [jnp.reshape(variable, (-1,)) for variable in variables]
    return _values(alphabet)(program, weights.astype(flat[0].dtype), *flat).reshape(shape)


@lru_cache(maxsize=32)
def _values(alphabet: Alphabet) -> Callable[..., Array]:
    """Makes the evaluation whose gradient is the slopes, themselves differentiable."""

    @jax.custom_vjp
    def values(program: Instructions, weights: Array, *variables: Array) -> Array:
        return _dual(alphabet, ())(program, weights, *variables)[0]

    def forward(program: Any, weights: Any, *variables: Any) -> tuple[Array, Any]:
        moving = tuple(i for i, variable in enumerate(variables) if variable.perturbed)
        plain_program = jax.tree.map(lambda leaf: leaf.value, program, is_leaf=_is_primal)
        plain = [variable.value for variable in variables]
        result, slopes = _dual(alphabet, moving)(plain_program, weights.value, *plain)
        by_variable: list[Array | None] = [None] * len(plain)
        for slope, i in zip(slopes, moving, strict=True):
            by_variable[i] = slope
        inputs = (plain_program, weights.value, plain) if weights.perturbed else None
        return result, (by_variable, inputs)

    def backward(residuals: Any, cotangent: Any) -> tuple[Any, ...]:
        by_variable, inputs = residuals
        of_weights = None
        if inputs is not None:
            program, weights, variables = inputs
            _, pull = jax.vjp(lambda w: _dual(alphabet, ())(program, w, *variables)[0], weights)
            (of_weights,) = pull(cotangent)
        of_variables = (None if slope is None else cotangent * slope for slope in by_variable)
        return None, of_weights, *of_variables

    values.defvjp(forward, backward, symbolic_zeros=True)
    return values


def _is_primal(leaf: Any) -> bool:
    return isinstance(leaf, jax.custom_derivatives.CustomVJPPrimal)


@lru_cache(maxsize=64)
def _dual(alphabet: Alphabet, moving: tuple[int, ...]) -> Callable[..., tuple[Array, Array]]:
    """Makes ``(program, weights, *variables) -> (values, slopes)``, differentiable once more.

    Slopes have shape ``[len(moving), n]``, for the variables with indices ``moving``.
    """
    run_forward = _over_trees(forward_sweep(alphabet, moving))
    run_backward = _over_trees(backward_sweep(alphabet, moving))

    @jax.custom_vjp
    def dual(program: Instructions, weights: Array, *variables: Array) -> tuple[Array, Array]:
        return _first(run_forward(*_as_batch_of_one((program, weights, *variables))))

    def forward(program: Instructions, weights: Array, *variables: Array) -> Any:
        return dual(program, weights, *variables), (program, weights, variables)

    def backward(residuals: Any, cotangents: tuple[Array, Array]) -> tuple[Any, ...]:
        program, weights, variables = residuals
        arguments = _as_batch_of_one((program, weights, *variables, *cotangents))
        of_weights, of_variables = _first(run_backward(*arguments))
        return None, of_weights, *of_variables

    dual.defvjp(forward, backward)
    return dual


def trees_run_side_by_side() -> bool:
    """Says which of the two ways is traced: accelerators run trees together, a CPU in turn.

    Tracing both and letting the compiler choose (``lax.platform_dependent``) would take a search's
    start two seconds more. Both ways run on every backend.
    """
    return jax.default_backend() != "cpu"


def _as_batch_of_one(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return jax.tree.map(lambda leaf: leaf[None], arguments)


def _first(results: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[0], results)


def _tree_count(arguments: Any) -> int:
    return max(leaf.shape[0] for leaf in jax.tree.leaves(arguments))


def _over_trees(sweep: Sweep) -> Callable[..., Any]:
    """Lifts a sweep over one tree to a batch of trees along the leading axis.

    The leading axis of each array divides the number of trees; tree ``i`` takes row ``i % length``,
    so that what all trees share is never copied. Further ``vmap``s merge into that axis.
    """

    @jax.custom_batching.custom_vmap
    def run(*arguments: Any) -> Any:
        trees = jnp.arange(_tree_count(arguments))

        def row(i: Array) -> Any:
            return jax.tree.map(lambda leaf: leaf[i % leaf.shape[0]], arguments)

        def buffers() -> Any:
            return sweep.buffers(arguments[2][0])

        if trees_run_side_by_side():
            # As many steps for all as the longest takes: with a count of its own for each, every
            # step would select between whole buffers.
            longest = jnp.max(arguments[0].length)
            return jax.vmap(lambda i: sweep.run(buffers(), longest, *row(i))[1])(trees)

        def visit(buffers: Any, i: Array) -> tuple[Any, Any]:
            program, *rest = row(i)
            return sweep.run(buffers, program.length, program, *rest)

        return jax.lax.scan(visit, buffers(), trees)[1]

    @run.def_vmap
    def merge(axis_size: int, in_batched: Any, *arguments: Any) -> Any:
        leaves, structure = jax.tree.flatten(arguments)
        flags = jax.tree.leaves(in_batched)
        inner = max(
            leaf.shape[1] if flag else leaf.shape[0]
            for leaf, flag in zip(leaves, flags, strict=True)
        )

        def merged(leaf: Array, batched: bool) -> Array:
            if not batched:
                return leaf
            repeats = inner // leaf.shape[1]
            full = jnp.tile(leaf, (1, repeats) + (1,) * (leaf.ndim - 2)) if repeats > 1 else leaf
            return full.reshape(axis_size * inner, *leaf.shape[2:])

        flat = [merged(leaf, flag) for leaf, flag in zip(leaves, flags, strict=True)]
        results = run(*jax.tree.unflatten(structure, flat))
        split = jax.tree.map(lambda leaf: leaf.reshape(axis_size, inner, *leaf.shape[1:]), results)
        return split, jax.tree.map(lambda _: True, split)

    return run
