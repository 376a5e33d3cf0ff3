"""Losses as source for SymPy, for display and algebra."""

import ast

import sympy
from sympy.core.function import AppliedUndef

from jaxloss.losses.adaptive import AdaptiveForm, numbers_of
from jaxloss.losses.export.display import DIGITS, notes_on, primitives_of
from jaxloss.losses.export.target import Export
from jaxloss.losses.learned import LearnedLoss


def to_sympy(loss: LearnedLoss) -> Export:
    """Writes the loss as an expression called ``loss``, numbers rounded, guards not shown.

    Raises:
        InvalidInputError: the loss is no formula.
    """
    expression = _expression(loss)
    text, notes = str(expression), notes_on(primitives_of(loss), "sympy")
    symbols = sorted(str(symbol) for symbol in expression.free_symbols)
    unknown = sorted({str(one.func) for one in expression.atoms(AppliedUndef)})
    tree = ast.walk(ast.parse(text, mode="eval"))
    known = {node.id for node in tree if isinstance(node, ast.Name)} - {*symbols, *unknown}
    known |= {"symbols"} if symbols else set()
    known |= {"Function"} if unknown else set()
    lines = ["# For display: numbers are rounded and guards are not shown."]
    lines += [f"# differs: {note}" for note in notes]
    lines += [f"from sympy import {', '.join(sorted(known, key=str.lower))}", ""] if known else []
    if symbols:
        lines.append(f'{", ".join(symbols)} = symbols("{" ".join(symbols)}", real=True)')
    lines += [f'{name} = Function("{name}")' for name in unknown]
    return Export("\n".join([*lines, f"loss = {text}"]) + "\n", notes)


def _expression(loss: LearnedLoss) -> sympy.Expr:
    if not isinstance(loss.form, AdaptiveForm):
        return loss.sympy(DIGITS)
    f, y = (sympy.Symbol(name, real=True) for name in loss.form.variables)
    alpha, scale = (sympy.Float(number, DIGITS) for number in numbers_of(loss.parameters))
    gap = abs(alpha - 2)
    return gap / alpha * ((((f - y) / scale) ** 2 / gap + 1) ** (alpha / 2) - 1)
