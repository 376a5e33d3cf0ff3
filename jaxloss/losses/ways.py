"""The two ways to run trees, and the one rule that chooses between them.

*Interpreted*: one compiled program takes any tree. *Specialised*: each tree is compiled to its own
code, which evaluates faster and pays compilation for every new structure.
"""

from typing import Literal

import jax

Way = Literal["auto", "interpreted", "specialised"]

SAVED_BY_SLOPE = 4e-9
"""Seconds that a tree's own code saves for each element of a first derivative. Measured on a CPU
(AVX-512, one core, trees of 9 nodes, 128 to 12800 elements): 5 to 9 ns against 1 to 2."""

SAVED_BY_MIXED = 12e-9
"""The same for the mixed derivative of a meta-gradient: 15 to 47 ns against 6 to 9."""

COMPILATION = 1.5
"""Seconds of one core that a training program takes to compile, measured with an MLP 50-50."""


def chosen_way(
    way: Way, slopes: float, mixed: float = 0.0
) -> Literal["interpreted", "specialised"]:
    """Chooses how a tree is run that is going to be evaluated many times.

    Args:
        way: what was asked for; "auto" asks for the way that takes less time, compilation included.
        slopes: elements of the loss whose first derivative will be taken, all evaluations together.
        mixed: elements whose mixed derivative will be taken.

    Returns:
        The way. On an accelerator "auto" is always interpreted: there, one program for the whole
        population outweighs what a single tree saves (*assumed*).
    """
    if way != "auto":
        return way
    if jax.default_backend() != "cpu":
        return "interpreted"
    saved = slopes * SAVED_BY_SLOPE + mixed * SAVED_BY_MIXED
    return "specialised" if saved > COMPILATION else "interpreted"
