"""An expression as a few short lines of source."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxloss.symbols.expression import Expression, print_terminal
from jaxloss.symbols.primitives import Primitive
from jaxloss.symbols.sources import Library, spelled

WIDTH = 79
"""Most characters of a line of exported source (PEP 8)."""

_ROOM = WIDTH - len("    part_100 = ")
_CALL_WORTH_NAMING = 12
"""From so many characters on, a call that occurs twice is computed once (*assumed*)."""

_LARGE = 2.0**15
"""From here on whole numbers are written as floats: a library may not hold them in its whole
numbers."""

_SUM, _PRODUCT, _ATOM = 1, 2, 3
_BINDING = {"+": _SUM, "-": _SUM, "*": _PRODUCT}
_OPPOSITE = {"+": "-", "-": "+"}


class _Piece(NamedTuple):
    """Source of a subtree.

    Attributes:
        text: the source, in the names of `jaxloss.symbols.sources`.
        binding: how strongly its outermost operator binds.
        is_number: whether it is a number rather than an array.
        key: the subtree in call syntax.
    """

    text: str
    binding: int
    is_number: bool
    key: str


_Write = Callable[[Sequence[_Piece], str], _Piece]


@dataclass
class _Printer:
    """Prints the nodes of one expression, naming what does not fit into a line.

    Attributes:
        library: whose names the lines will be in, which sets how long they get.
        like: the variable whose shape and precision numbers take where a function needs an array.
        repeated: subtrees that occur more than once.
        names: what is named already, and how.
    """

    library: Library
    like: str
    repeated: frozenset[str]
    names: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        return [f"{name} = {text}" for text, name in self.names.items()]

    def terminal(self, head: str | float) -> _Piece:
        key = print_terminal(head)
        if isinstance(head, str):
            return _Piece(key, _ATOM, False, key)
        text = key if abs(head) < _LARGE else repr(float(head))
        return _Piece(text, _ATOM, True, key)

    def function(self, primitive: Primitive, parts: Sequence[_Piece]) -> _Piece:
        key = f"{primitive.name}({', '.join(part.key for part in parts)})"
        if primitive.code == "-" and primitive.arity == 1:
            return self._fitted(_negated, parts, key)
        if primitive.code in _BINDING:
            operator = primitive.code
            return self._fitted(
                lambda parts, key: _combined(operator, parts[0], parts[1], key), parts, key
            )
        bounded = _bounded(primitive.code, parts)
        name = primitive.code if bounded is None else bounded[0]
        given = [self.array(part) for part in parts] if bounded is None else list(bounded[1])
        piece = self._fitted(lambda parts, key: _called(name, parts, key), given, key)
        worthwhile = key in self.repeated and len(piece.text) >= _CALL_WORTH_NAMING
        return self._named(piece) if worthwhile else piece

    def array(self, piece: _Piece) -> _Piece:
        """Fills an array with a number, since functions of PyTorch take no bare ones."""
        if not piece.is_number:
            return piece
        return self._fitted(
            lambda parts, key: _Piece(
                f"full_like({self.like}, {parts[0].text})", _ATOM, False, key
            ),
            [piece],
            piece.key,
        )

    def _fitted(self, write: _Write, parts: Sequence[_Piece], key: str) -> _Piece:
        parts, piece = list(parts), write(parts, key)
        while len(spelled(piece.text, self.library)) > _ROOM:
            unnamed = [i for i, part in enumerate(parts) if not part.text.isidentifier()]
            if not unnamed:
                break
            longest = max(unnamed, key=lambda i: len(parts[i].text))
            parts[longest] = self._named(parts[longest])
            piece = write(parts, key)
        return piece

    def _named(self, piece: _Piece) -> _Piece:
        name = self.names.setdefault(piece.text, f"part_{len(self.names) + 1}")
        return piece._replace(text=name, binding=_ATOM)


def statements(expression: Expression, like: str, library: Library) -> list[str]:
    """Writes an expression as assignments, the last of them to ``values``.

    Subtrees that do not fit into a line, and calls that occur more than once, are computed in lines
    of their own.

    Args:
        expression: the tree; its variables must not be called ``part_1`` or the like.
        like: a variable that is an array.
        library: whose names the lines will be in, which sets how long they get.

    Returns:
        The lines, in the names of `jaxloss.symbols.sources`.
    """
    counts = Counter(str(node) for node in expression.nodes)
    repeated = frozenset(key for key, count in counts.items() if count > 1)
    printer = _Printer(library, like, repeated)
    whole = printer.array(expression.fold(printer.terminal, printer.function))
    return [*printer.lines, f"values = {whole.text}"]


def _negated(parts: Sequence[_Piece], key: str) -> _Piece:
    (part,) = parts
    if part.binding == _SUM:
        text = f"-({part.text})"
    else:
        # Signs of products cancel to the last bit.
        text = part.text[1:] if part.text.startswith("-") else f"-{part.text}"
    return _Piece(text, _ATOM if text.isidentifier() else _PRODUCT, part.is_number, key)


def _combined(operator: str, left: _Piece, right: _Piece, key: str) -> _Piece:
    binding = _BINDING[operator]
    is_number = left.is_number and right.is_number
    if is_number:
        # What they make together may be too large for a library's whole numbers.
        left, right = _as_float(left), _as_float(right)
    if binding == _SUM and right.binding > _SUM and right.text.startswith("-"):
        # a + -b is a - b to the last bit.
        operator, right = _OPPOSITE[operator], right._replace(text=right.text[1:])
    first = f"({left.text})" if left.binding < binding else left.text
    second = f"({right.text})" if right.binding <= binding else right.text
    return _Piece(f"{first} {operator} {second}", binding, is_number, key)


def _as_float(number: _Piece) -> _Piece:
    is_whole = number.text.removeprefix("-").isdecimal()
    return number._replace(text=f"{number.text}.0") if is_whole else number


def _called(name: str, parts: Sequence[_Piece], key: str) -> _Piece:
    return _Piece(f"{name}({', '.join(part.text for part in parts)})", _ATOM, False, key)


def _bounded(code: str, parts: Sequence[_Piece]) -> tuple[str, Sequence[_Piece]] | None:
    """Finds the name for a minimum or maximum of an array and a number, which comes last."""
    name = {"minimum": "at_most", "maximum": "at_least"}.get(code)
    numbers = [part for part in parts if part.is_number]
    if name is None or len(numbers) != 1:
        return None
    return name, [*(part for part in parts if not part.is_number), *numbers]
