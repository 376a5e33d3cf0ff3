"""EvoMAL's alphabet for DEAP, and a DEAP tree as a network with a weight on every edge.

Functions, terminals and the transition from tree to network: https://arxiv.org/abs/2209.08907,
Table 1 and Section 4.2; guards as in the released code.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float

from jaxloss.errors import InvalidInputError, require
from jaxloss.symbols.expression import print_terminal
from jaxloss.symbols.parser import parse
from jaxloss.symbols.primitives import Primitive
from sequential.libraries import Generator, Tensor, Tree, gp, torch

TINY = 1e-7
"""Smallest argument of log and sqrt."""

FUNCTIONS: dict[str, tuple[int, Callable[..., Tensor]]] = {
    "add": (2, torch.add),
    "sub": (2, torch.sub),
    "mul": (2, torch.mul),
    "div": (2, lambda a, b: a / torch.sqrt(1 + torch.square(b))),
    "min": (2, torch.minimum),
    "max": (2, torch.maximum),
    "sign": (1, torch.sign),
    "square": (1, torch.square),
    "abs": (1, torch.abs),
    "tanh": (1, torch.tanh),
    "log": (1, lambda a: torch.log(torch.clamp(torch.abs(a), min=TINY))),
    "sqrt": (1, lambda a: torch.sqrt(torch.clamp(torch.abs(a), min=TINY))),
}
"""Arity and function by name; all elementwise."""

VARIABLES = ("f", "y")
"""What a loss sees."""

CONSTANTS = {"1": 1.0, "-1": -1.0}
"""The constant terminals by name."""

WEIGHT_SPREAD = 1e-3
"""Standard deviation of fresh edge weights around 1."""


def _alphabet() -> Any:
    alphabet = gp.PrimitiveSet("loss", 0)
    for name, (arity, function) in FUNCTIONS.items():
        alphabet.addPrimitive(function, arity, name=name)
    for name in (*VARIABLES, *CONSTANTS):
        alphabet.addTerminal(name, name=name)
    return alphabet


ALPHABET = _alphabet()
"""DEAP's description of functions and terminals."""


def tree_of(formula: str) -> Tree:
    """Turns a formula of jaxloss, in call syntax or infix, into a DEAP tree.

    Raises:
        InvalidInputError: the formula cannot be read, or holds a constant other than 1 and -1.
    """
    # Not `from_string`, which evaluates what it does not know.
    nodes = []
    for node in parse(formula).nodes:
        head = node.head
        name = head.name if isinstance(head, Primitive) else print_terminal(head)
        if name not in ALPHABET.mapping:
            raise InvalidInputError(f"{formula!r} holds {name}; the constants are 1 and -1")
        nodes.append(ALPHABET.mapping[name])
    return gp.PrimitiveTree(nodes)


def terminal_names(tree: Tree) -> list[str]:
    """Names the terminals of a tree in preorder."""
    return [node.value for node in tree if node.arity == 0]


def fresh_weights(tree: Tree, generator: Generator) -> Float[Tensor, " edges"]:
    """Draws edge weights from 1 + 0.001·N(0, 1)."""
    return 1 + WEIGHT_SPREAD * torch.randn(len(tree) - 1, generator=generator)


class WeightedTree(torch.nn.Module):
    """A tree as an elementwise function of ``f`` and ``y``; every edge multiplies by its weight.

    Args:
        tree: holds at least one function.
        weights: one for each node but the root, in preorder.

    Raises:
        InvalidInputError: the number of weights does not fit the tree.
    """

    def __init__(self, tree: Tree, weights: Float[Tensor, " edges"]) -> None:
        super().__init__()
        require(
            len(weights) == len(tree) - 1,
            f"{tree} has {len(tree) - 1} edges, got {len(weights)} weights",
        )
        self.tree = tree
        self.weights = torch.nn.Parameter(weights)

    def forward(
        self, f: Float[Tensor, "batch outputs"], y: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, "batch outputs"]:
        """Computes the tree from the last node of the preorder to the root."""
        terminals = {"f": f, "y": y, **CONSTANTS}
        weights = self.weights.unbind()
        waiting: list[Tensor] = []
        for position in range(len(self.tree) - 1, -1, -1):
            node = self.tree[position]
            if node.arity == 0:
                value = terminals[node.value]
            else:
                _, function = FUNCTIONS[node.name]
                value = function(*[waiting.pop() for _ in range(node.arity)])
            waiting.append(weights[position - 1] * value if position else value)
        return waiting.pop()
