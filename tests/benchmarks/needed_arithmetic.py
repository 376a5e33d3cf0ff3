"""The arithmetic that derivatives of trees strictly need: what their primitives cost alone.

Every primitive runs by itself in one fused loop over arrays in the cache: its value and partial
derivatives, and for mixed derivatives its second ones too. What edges multiply, what the chain
rule adds up and what memory takes is left out, so the sum over a tree's inner nodes is a bound from
below.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from timing import Call, taking_turns

from jaxloss.symbols import Expression
from jaxloss.symbols.primitives import PRIMITIVES, Primitive

ELEMENTS, TURNS = 4096, 200


def element_seconds(second: bool, seconds: float) -> dict[str, float]:
    """Measures what each primitive takes for one element on one core.

    Args:
        second: whether second derivatives are needed too.
        seconds: how long the measurement may take, compilation left out.
    """
    calls = {primitive.name: _compiled(primitive, second) for primitive in PRIMITIVES}
    costs = taking_turns(calls, seconds)
    return {name: cost.seconds / (ELEMENTS * TURNS) for name, cost in costs.items()}


def tree_seconds(tree: Expression, by_primitive: Mapping[str, float], elements: int) -> float:
    """Adds up what the inner nodes of a tree need."""
    heads = (node.head for node in tree.nodes)
    return elements * sum(by_primitive[head.name] for head in heads if isinstance(head, Primitive))


def _compiled(primitive: Primitive, second: bool) -> Call:
    arguments = [jax.random.normal(jax.random.key(i), (ELEMENTS,)) for i in range(primitive.arity)]
    program = jax.jit(_loop(primitive, second))
    jax.block_until_ready(program(*arguments))
    return Call(lambda: program(*arguments), one_core=True)


def _loop(primitive: Primitive, second: bool) -> Callable[..., Float[Array, " elements"]]:
    """Makes a loop that computes everything again and again, for arguments that move a little."""

    def partials(*arguments: Array) -> tuple[Array, ...]:
        _, pull = jax.vjp(primitive.function, *arguments)
        return pull(jnp.ones_like(arguments[0]))

    def everything(*arguments: Array) -> Array:
        total = primitive.function(*arguments) + sum(partials(*arguments))
        if second:
            for i in range(primitive.arity):
                _, pull = jax.vjp(lambda *inner, i=i: partials(*inner)[i], *arguments)
                total += sum(pull(jnp.ones_like(arguments[0]))[i:])
        return total

    def run(*arguments: Array) -> Array:
        def turn(number: Array, total: Array) -> Array:
            moved = (argument + 1e-6 * number for argument in arguments)
            return total + everything(*moved)

        return jax.lax.fori_loop(0, TURNS, turn, jnp.zeros_like(arguments[0]))

    return run
