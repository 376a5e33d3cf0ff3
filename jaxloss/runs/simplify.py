"""Simplifies formulas for display, in a process of its own that is stopped when it takes too long.

SymPy can be at it for minutes, and a thread cannot be stopped. The process runs this file alone, so
it has to import nothing of jaxloss; both sides speak JSON.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sympy

_DIGITS = 4
_HEADS = {
    name: getattr(sympy, name)
    for name in [
        "Add",
        "Mul",
        "Pow",
        "Abs",
        "Max",
        "Min",
        "sign",
        "log",
        "exp",
        "sin",
        "cos",
        "tanh",
        "erf",
        "atan",
    ]
}
"""What the primitives are made of."""


@dataclass(frozen=True)
class Simplified:
    """A formula for people.

    Attributes:
        text: plain.
        latex: as LaTeX.
        finished: whether SymPy was given the time to simplify as far as it can.
    """

    text: str
    latex: str
    finished: bool

    @property
    def remark(self) -> str:
        """What belongs behind the formula."""
        return "" if self.finished else " (SymPy was not given the time to finish)"

    @property
    def title(self) -> str:
        """What belongs above the formula."""
        return (
            f"Simplified by SymPy{self.remark}, / a plain division, the guards of log and sqrt not "
            "shown"
        )


class Simplification:
    """A simplification under way, to be used in a ``with`` statement that ends it.

    Args:
        formula: a SymPy expression of the primitives.
    """

    def __init__(self, formula: Any):
        self._formula = formula
        self._process: subprocess.Popen[str] | None = None
        try:
            text = json.dumps(_as_data(formula))
        except (KeyError, RecursionError):
            return
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        stdin, self._process.stdin = self._process.stdin, None
        assert stdin is not None
        with stdin:
            stdin.write(text)

    def __enter__(self) -> "Simplification":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with self._process as process:
                process.kill()

    def result(self, seconds: float) -> Simplified:
        """Waits for the result; after that long it is what SymPy does by itself."""
        process = self._process
        if process is not None:
            try:
                found, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
            else:
                if process.returncode == 0:
                    return Simplified(**json.loads(found), finished=True)
        formula = _rounded(self._formula)
        return Simplified(str(formula), str(sympy.latex(formula)), finished=False)


def _as_data(node: Any) -> Any:
    if isinstance(node, sympy.Symbol):
        return {"symbol": node.name}
    if isinstance(node, sympy.Rational):
        return {"ratio": [int(node.p), int(node.q)]}
    if isinstance(node, sympy.Float):
        return {"number": repr(float(node))}
    if node is sympy.pi:
        return {"pi": True}
    name = type(node).__name__
    if name not in _HEADS:
        raise KeyError(name)
    return {name: [_as_data(part) for part in node.args]}


def _from_data(data: dict[str, Any]) -> Any:
    ((name, content),) = data.items()
    match name:
        case "symbol":
            return sympy.Symbol(content, real=True)
        case "ratio":
            return sympy.Rational(*content)
        case "number":
            return sympy.Float(content)
        case "pi":
            return sympy.pi
    return _HEADS[name](*map(_from_data, content))


def _shortest(formula: Any) -> Any:
    """Simplifies; what comes out longer is no simplification."""
    return min(formula, sympy.simplify(formula), key=sympy.count_ops)


def _rounded(formula: Any) -> Any:
    """Shortens numbers to what a person reads."""
    numbers = {number: sympy.Float(number, _DIGITS) for number in formula.atoms(sympy.Float)}
    return formula.xreplace(numbers)


if __name__ == "__main__":
    found = _rounded(_shortest(_from_data(json.load(sys.stdin))))
    print(json.dumps({"text": str(found), "latex": sympy.latex(found)}))
