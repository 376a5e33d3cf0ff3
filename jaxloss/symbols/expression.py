"""The tree a person reads: immutable, comparable, printable in every form."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sympy

from jaxloss.errors import require
from jaxloss.symbols.primitives import Primitive

Result = TypeVar("Result")

_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}


@dataclass(frozen=True)
class Expression:
    """A symbolic loss: a function of arguments, a variable, or a constant.

    Attributes:
        head: a `Primitive`, a variable's name, or a constant's value.
        arguments: the subtrees; as many as the primitive takes, none for a terminal.
    """

    head: Primitive | str | float
    arguments: tuple["Expression", ...] = ()

    def __post_init__(self) -> None:
        arity = self.head.arity if isinstance(self.head, Primitive) else 0
        require(
            len(self.arguments) == arity,
            f"{self.head} takes {arity} arguments, got {len(self.arguments)}",
        )
        require(
            not isinstance(self.head, float) or math.isfinite(self.head),
            f"a constant must be finite, got {self.head}",
        )

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @property
    def height(self) -> int:
        """Edges on the longest way from the root to a leaf; 0 for a terminal."""
        return 1 + max(argument.height for argument in self.arguments) if self.arguments else 0

    @property
    def nodes(self) -> tuple["Expression", ...]:
        """All subtrees in preorder, the order in which call syntax writes them."""
        nodes: list[Expression] = []
        waiting: list[Expression] = [self]
        while waiting:
            node = waiting.pop()
            nodes.append(node)
            waiting.extend(reversed(node.arguments))
        return tuple(nodes)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that occur, sorted."""
        return tuple(sorted({node.head for node in self.nodes if isinstance(node.head, str)}))

    def fold(
        self,
        terminal: Callable[[str | float], Result],
        function: Callable[[Primitive, Sequence[Result]], Result],
        edge: Callable[[int, Result], Result] = lambda _, value: value,
    ) -> Result:
        """Computes a value bottom-up.

        Args:
            terminal: value of a variable (its name) or a constant (its number).
            function: value of a primitive on the values of its arguments.
            edge: what happens to the value of node ``i`` (preorder, root 0) as it enters its
                parent; this is where the weights of a loss family act.

        Returns:
            The root's value.
        """

        def visit(node: "Expression", index: int) -> tuple[Result, int]:
            if not isinstance(node.head, Primitive):
                return terminal(node.head), index + 1
            values, following = [], index + 1
            for argument in node.arguments:
                position = following
                value, following = visit(argument, position)
                values.append(edge(position, value))
            return function(node.head, values), following

        return visit(self, 0)[0]

    def __str__(self) -> str:
        """Prints call syntax, e.g. ``add(mul(y, f), 1)``."""
        return self.fold(
            print_terminal, lambda primitive, parts: f"{primitive.name}({', '.join(parts)})"
        )

    def infix(self) -> str:
        """Prints operators where there are some, e.g. ``y * f + 1``."""

        def function(primitive: Primitive, parts: Sequence[tuple[str, int]]) -> tuple[str, int]:
            if primitive.infix is None:
                return f"{primitive.name}({', '.join(text for text, _ in parts)})", 3
            binding = _BINDING[primitive.infix]
            (left, left_binding), (right, right_binding) = parts
            left = f"({left})" if left_binding < binding else left
            right = f"({right})" if right_binding <= binding else right
            return f"{left} {primitive.infix} {right}", binding

        return self.fold(lambda head: (print_terminal(head), 3), function)[0]

    def sympy(self, digits: int = 4) -> Any:
        """Converts to SymPy for display.

        The guards of log, sqrt and their kin are not shown, but for numbers that would have no
        value without: ``log(f - f)`` is that of 1e-7.

        Args:
            digits: significant digits of constants that are not whole.
        """

        def terminal(head: str | float) -> Any:
            if isinstance(head, str):
                return sympy.Symbol(head, real=True)
            return sympy.Integer(int(head)) if head == int(head) else sympy.Float(head, digits)

        return self.fold(terminal, lambda primitive, parts: primitive.symbolic(*parts))

    def latex(self, digits: int = 4) -> str:
        """Prints LaTeX of `sympy`, with the same argument."""
        return str(sympy.latex(self.sympy(digits)))


def print_terminal(head: str | float) -> str:
    """Prints a variable's name or a constant, the latter so that it reads back exactly."""
    if isinstance(head, str):
        return head
    return str(int(head)) if head == int(head) and abs(head) < 1e15 else repr(float(head))
