"""What pages say of a formula: what its signs stand for, and what SymPy makes of it."""

from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.simplify import Simplification, Simplified

SECONDS_TO_SIMPLIFY = 5.0
"""How long the end of a run may wait for SymPy (*assumed*)."""

_DIGITS = 6
"""Of the numbers that SymPy starts from; it shows fewer."""

_GUARDS = {
    " / ": "a / b stands for a / sqrt(1 + b²).",
    "ratio(": "ratio(a, b) stands for the plain a / b.",
    "log(": "log(a) stands for ln max(|a|, 1e-7).",
    "sqrt(": "sqrt(a) stands for the root of max(|a|, 1e-7).",
}
"""What a sign stands for that a reader would take for something else."""


def guard_words(formula: str) -> str:
    """Says what the signs in a formula stand for; a space before each sentence."""
    return "".join(f" {meaning}" for sign, meaning in _GUARDS.items() if sign in formula)


def simplified(loss: LearnedLoss) -> Simplified | None:
    """Simplifies a loss for display, within a time limit.

    Returns:
        None for a loss that is no formula, and where SymPy cannot take it.
    """
    if not loss.is_symbolic:
        return None
    try:
        with Simplification(loss.sympy(digits=_DIGITS)) as simplification:
            return simplification.result(SECONDS_TO_SIMPLIFY)
    # Whatever SymPy or its process stumbles over, a run is worth more than this line of its report.
    except Exception:
        return None
