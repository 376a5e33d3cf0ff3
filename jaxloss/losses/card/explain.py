"""Explains a loss: everything that a card says, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxloss.errors import require
from jaxloss.losses.card.bench import Bench
from jaxloss.losses.card.curves import (
    Beliefs,
    Curves,
    Surface,
    beliefs,
    curves,
    element_curves,
    surface,
)
from jaxloss.losses.card.finding import Finding, find
from jaxloss.losses.card.hazards import hazard_findings
from jaxloss.losses.card.minimum import minima
from jaxloss.losses.card.relatives import Relative, relatives
from jaxloss.losses.card.shape import shape_findings
from jaxloss.losses.card.simplex import simplex_findings
from jaxloss.losses.card.slopes import slope_findings
from jaxloss.losses.card.structured import (
    structured_findings,
    structured_hazard,
    structured_relatives,
    way_curves,
)
from jaxloss.losses.card.study import CLASSES, Study, study
from jaxloss.losses.card.subject import (
    EXPLAINED_VIEWS,
    Subject,
    entry_subject,
    has_subject,
    learned_subject,
    of_one_element,
)
from jaxloss.losses.card.target import target_findings
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.zoo import ZooLoss
from jaxloss.losses.zoo_form import ZooForm

MOST_CLASSES = 1000
"""Most classes that a card takes (*assumed*)."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What sampling tells of one loss on tasks of one kind.

    Attributes:
        view: name of the view of the tasks; None for a loss that compares no outputs with targets.
        where: where the loss was looked at closely, as the findings call it too.
        findings: statements, each with how it was checked and on which range.
        relatives: the zoo's losses, those whose gradients are most alike first.
        curves: the loss along lines through the outputs.
        scores: whether the loss takes outputs as scores, of which no probabilities are made.
        elements: curves of one element of a classification loss.
        surface: the loss over one prediction and one target, where it is a sum of such.
        beliefs: what a model that minimises it says of class probabilities.
    """

    view: str | None
    where: str
    findings: tuple[Finding, ...]
    relatives: tuple[Relative, ...]
    curves: Curves
    scores: bool = False
    elements: Curves | None = None
    surface: Surface | None = None
    beliefs: Beliefs | None = None

    def finding(self, topic: str) -> Finding:
        """Finds a statement by its topic, such as ``convex``.

        Raises:
            InvalidInputError: nothing was said about it; names the topics.
        """
        return find(self.findings, topic)


def explain(loss: LearnedLoss, classes: int = CLASSES) -> Explanation:
    """Explains a loss by sampling it: minimum, shape, gradient, classification, hazards, relatives.

    Takes a second or two, most of it compilation. Computed on the host in double precision,
    whatever the settings are; overflow is looked for in single precision too.

    Args:
        loss: learned, typed by hand, or of the zoo. One of a detector's cells, or of the pixels
            of masks, is explained as a loss of a single one.
        classes: how many classes a classification has; the label smoothing that a loss implies
            depends on it.

    Raises:
        InvalidInputError: ``classes`` is not from 2 to 1000, or the loss is for another view than
            those of `EXPLAINED_VIEWS`.
    """
    loss = of_one_element(loss)
    require(
        loss.view in EXPLAINED_VIEWS,
        f"losses for the views {', '.join(EXPLAINED_VIEWS)} can be explained; {loss.formula()} is "
        f"for {loss.view}",
    )
    form = loss.form
    own = form.name if isinstance(form, ZooForm) and not form.values else None
    return _explained(learned_subject(loss), classes, own)


def explain_entry(
    entry: ZooLoss, parameters: Mapping[str, float], classes: int = CLASSES
) -> Explanation:
    """Explains a loss of the zoo that trains no task of outputs and targets, as far as possible.

    Args:
        entry: the loss.
        parameters: those that differ from their defaults.
        classes: as for `explain`.

    Raises:
        InvalidInputError: a parameter or ``classes`` is out of its range.
    """
    _require_classes(classes)
    if has_subject(entry):
        return _explained(entry_subject(entry, parameters), classes, entry.name)
    bench = Bench(entry, parameters)
    return Explanation(
        None,
        bench.how,
        (*structured_findings(bench), structured_hazard(bench)),
        structured_relatives(bench),
        way_curves(bench),
    )


def _explained(subject: Subject, classes: int, own: str | None) -> Explanation:
    _require_classes(classes)
    looked = study(subject, classes)
    return Explanation(
        subject.view,
        looked.where,
        findings(looked),
        relatives(looked, own),
        curves(looked),
        subject.scores,
        element_curves(looked),
        surface(looked),
        beliefs(looked),
    )


def _require_classes(classes: int) -> None:
    require(
        2 <= classes <= MOST_CLASSES,
        f"classes must be from 2 to {MOST_CLASSES}, got {classes}",
    )


def findings(looked: Study) -> tuple[Finding, ...]:
    """Says all that sampling tells of a loss of outputs and targets."""
    hazards = () if looked.is_constant else hazard_findings(looked)
    return (*property_findings(looked), *hazards)


def _constant(looked: Study) -> Finding:
    return Finding(
        "flat",
        "Is its gradient 0 everywhere?",
        "It is the same for every prediction: nothing can be trained with it.",
        f"{looked.where} and far away, where values differ by less than 1e-10",
        holds=True,
    )


def property_findings(looked: Study) -> tuple[Finding, ...]:
    """Says what double precision tells: minimum, shape, gradient, classification."""
    if looked.is_constant:
        return (_constant(looked),)
    found = minima(looked)
    classes = simplex_findings(looked, found[0]) if looked.subject.is_classifier else ()
    return (
        *target_findings(looked, found),
        *shape_findings(looked, found),
        *slope_findings(looked),
        *classes,
    )
