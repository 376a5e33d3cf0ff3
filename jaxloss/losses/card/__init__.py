"""The loss card's contents: any loss explained by sampling it, as plain data.

`explain` looks at a `LearnedLoss`, `explain_entry` at a loss of the zoo that trains no task of
outputs and targets. Both return an `Explanation` of statements, each a `Finding` that says how it
was checked and on which range.
"""

from jaxloss.losses.card.agreement import Agreement, agreements
from jaxloss.losses.card.curves import Beliefs, Curve, Curves, Surface
from jaxloss.losses.card.explain import Explanation, explain, explain_entry
from jaxloss.losses.card.finding import Finding
from jaxloss.losses.card.relatives import Relative
from jaxloss.losses.card.study import CLASSES
from jaxloss.losses.card.subject import CLASS_VIEWS, EXPLAINED_VIEWS

__all__ = [
    "CLASSES",
    "CLASS_VIEWS",
    "EXPLAINED_VIEWS",
    "Agreement",
    "Beliefs",
    "Curve",
    "Curves",
    "Explanation",
    "Finding",
    "Relative",
    "Surface",
    "agreements",
    "explain",
    "explain_entry",
]
