"""Reads a formula: call syntax, infix, or both mixed. Never evaluates text."""

import math
import re
from typing import NamedTuple

from jaxloss.errors import InvalidInputError, nearest_first
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES, Primitive, PrimitiveSet

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<mark>\*\*|[-+*/(),]))"
)
MAX_LEVELS = 70
"""Levels that a formula may be nested to: a tree's height is below it. Trees are walked by
recursion; this bound and the next keep any text within Python's own limit."""

MAX_NODES = 250
"""Nodes that a formula may have."""


class _Token(NamedTuple):
    kind: str  # "number", "name", "mark" or "end"
    text: str
    position: int


def parse(text: str, primitives: PrimitiveSet = EVOMAL_PRIMITIVES) -> Expression:
    """Reads an expression.

    Call syntax (``add(mul(y, f), log(1))``) and infix (``y*log(f) - 1``) may be mixed. ``/`` is the
    analytic quotient, ``**2`` is ``square``, and a minus before anything but a number multiplies
    by -1.

    Args:
        text: the formula.
        primitives: which functions and variables it may hold; any finite constant is allowed.

    Returns:
        The tree; ``str(tree)`` and ``tree.infix()`` read back to the same tree.

    Raises:
        InvalidInputError: says the position and what was expected there.
    """
    return _Parser(text, primitives).parse()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, primitives: PrimitiveSet) -> None:
        self.text = text
        self.primitives = primitives
        self.tokens = self._tokenise()
        self.next = 0
        self.depth = 0

    def _tokenise(self) -> list[_Token]:
        tokens, position = [], 0
        while self.text[position:].strip():
            match = _TOKEN.match(self.text, position)
            if match is None or match.lastgroup is None:
                found = len(self.text) - len(self.text[position:].lstrip())
                raise self._error(found, "a number, a name, an operator or a parenthesis")
            tokens.append(
                _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
            )
            position = match.end()
        return [*tokens, _Token("end", "", len(self.text))]

    def _error(self, position: int, expected: str) -> InvalidInputError:
        found = repr(self.text[position]) if position < len(self.text) else "the end"
        return InvalidInputError(
            f"cannot read the formula {self.text!r}: at position {position + 1} found {found}, "
            f"expected {expected}"
        )

    def _accept(self, *marks: str) -> str | None:
        token = self.tokens[self.next]
        if token.kind != "mark" or token.text not in marks:
            return None
        self.next += 1
        return token.text

    def _expect(self, mark: str) -> None:
        if self._accept(mark) is None:
            raise self._error(self.tokens[self.next].position, repr(mark))

    def _operator(self, mark: str) -> Primitive:
        for primitive in self.primitives.primitives:
            if primitive.infix == mark:
                return primitive
        raise self._error(self.tokens[self.next - 1].position, self._choices())

    def _choices(self) -> str:
        rows = self.primitives.primitives
        operators = ", ".join(row.infix for row in rows if row.infix)
        functions = ", ".join(row.name for row in rows if not row.infix)
        return (
            f"an operator of the primitive set in use ({operators}) or one of its functions "
            f"({functions})"
        )

    def parse(self) -> Expression:
        expression = self._sum()
        if self.tokens[self.next].kind != "end":
            raise self._error(self.tokens[self.next].position, "an operator or the end")
        if expression.size > MAX_NODES:
            raise self._error(len(self.text), f"a formula of at most {MAX_NODES} nodes")
        return expression

    def _sum(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_LEVELS:
            raise self._error(
                self.tokens[self.next].position, f"at most {MAX_LEVELS} nested levels"
            )
        left = self._product()
        while mark := self._accept("+", "-"):
            operator = self._operator(mark)
            left = Expression(operator, (left, self._product()))
        self.depth -= 1
        return left

    def _product(self) -> Expression:
        left = self._signed()
        while mark := self._accept("*", "/"):
            operator = self._operator(mark)
            left = Expression(operator, (left, self._signed()))
        return left

    def _signed(self) -> Expression:
        negative = False
        while mark := self._accept("-", "+"):
            negative ^= mark == "-"
        number_alone = (
            self.tokens[self.next].kind == "number" and self.tokens[self.next + 1].text != "**"
        )
        operand = self._power()
        if not negative:
            return operand
        if number_alone and isinstance(operand.head, float):
            return Expression(-operand.head)
        return Expression(self._operator("*"), (Expression(-1.0), operand))

    def _power(self) -> Expression:
        base = self._atom()
        if self._accept("**"):
            square = self.primitives.by_name.get("square")
            if square is None:
                raise self._error(self.tokens[self.next - 1].position, self._choices())
            token = self.tokens[self.next]
            if token.kind != "number" or float(token.text) != 2.0:
                raise self._error(token.position, "2, the only power that the primitives know")
            self.next += 1
            base = Expression(square, (base,))
            token = self.tokens[self.next]
            if token.text == "**":
                # In mathematics the last power binds first.
                raise self._error(token.position, "parentheses around what is squared twice")
        return base

    def _atom(self) -> Expression:
        token = self.tokens[self.next]
        self.next += 1
        if token.kind == "number":
            if not math.isfinite(float(token.text)):
                raise self._error(token.position, "a finite number")
            return Expression(float(token.text))
        if token.kind == "name":
            return self._named(token)
        if token.text == "(":
            inner = self._sum()
            self._expect(")")
            return inner
        self.next -= 1
        raise self._error(token.position, "a number, a variable, a function or '('")

    def _named(self, token: _Token) -> Expression:
        functions = self.primitives.by_name
        if token.text in self.primitives.variables:
            return Expression(token.text)
        if token.text not in functions:
            names = nearest_first(token.text, (*self.primitives.variables, *functions))
            raise self._error(token.position, f"a known name, nearest first: {', '.join(names)}")
        primitive = functions[token.text]
        self._expect("(")
        arguments = [self._sum()]
        for _ in range(primitive.arity - 1):
            self._expect(",")
            arguments.append(self._sum())
        self._expect(")")
        return Expression(primitive, tuple(arguments))
