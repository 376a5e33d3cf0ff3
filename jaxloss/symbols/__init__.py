"""Symbols: primitives, expressions that people read, genomes that devices evolve."""

from jaxloss.symbols.detection_primitives import ALL_PRIMITIVES, BOX_PRIMITIVES, CLASS_PRIMITIVES
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.genome import Alphabet
from jaxloss.symbols.parser import parse
from jaxloss.symbols.primitives import EVOMAL_PRIMITIVES, Primitive, PrimitiveSet

__all__ = [
    "ALL_PRIMITIVES",
    "BOX_PRIMITIVES",
    "CLASS_PRIMITIVES",
    "EVOMAL_PRIMITIVES",
    "Alphabet",
    "Expression",
    "Primitive",
    "PrimitiveSet",
    "parse",
]
