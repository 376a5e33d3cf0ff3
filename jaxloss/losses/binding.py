"""From a tree and a view to a loss per example, by either way of running trees."""

from collections.abc import Callable

from jaxtyping import Array, Float, Num

from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.losses.tree import compile_expression
from jaxloss.losses.views import View
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.genome import Alphabet, Genome

BoundLoss = Callable[
    [Float[Array, "batch outputs"], Num[Array, "batch ..."]], Float[Array, " batch"]
]
"""``(outputs, targets) -> per-example values``."""

Binding = Callable[[Float[Array, " edges"]], BoundLoss]
"""``(weights) -> loss``: weights in preorder, the root left out; those beyond the tree's edges are
not read."""


def interpreted_binding(alphabet: Alphabet, view: View, genome: Genome) -> Binding:
    """Binds a genome, which may be traced: one compiled program serves every tree."""
    program = assemble(alphabet, genome)

    def bind(weights: Array) -> BoundLoss:
        def loss(outputs: Array, targets: Array) -> Array:
            variables = view.see(outputs, targets)
            values = interpret(alphabet, program, weights, *variables)
            return view.per_example(values, outputs, targets)

        return loss

    return bind


def specialised_binding(view: View, tree: Expression) -> Binding:
    """Binds one expression: its own code, compiled for it alone."""
    family = compile_expression(tree, view.variables)

    def bind(weights: Array) -> BoundLoss:
        own = weights[: tree.size - 1]

        def loss(outputs: Array, targets: Array) -> Array:
            values = family.apply(own, *view.see(outputs, targets))
            return view.per_example(values, outputs, targets)

        return loss

    return bind
