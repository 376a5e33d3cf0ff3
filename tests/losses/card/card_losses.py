"""Losses that the tests of the card share, each looked at once."""

import functools

from jaxloss import LearnedLoss, TreeForm, parse, zoo
from jaxloss.losses import zoo_form
from jaxloss.losses.card import Finding
from jaxloss.losses.card.explain import findings
from jaxloss.losses.card.finding import find
from jaxloss.losses.card.study import Study, study
from jaxloss.losses.card.subject import learned_subject

CLASSES = 3
"""As many as the card itself takes to see whether a loss is proper: one program serves both."""


def of_zoo(spec: str, view: str) -> LearnedLoss:
    return LearnedLoss(zoo_form(spec, view), (), view)


def formula(text: str, view: str = "identity") -> LearnedLoss:
    form = TreeForm(parse(text))
    return LearnedLoss(form, (1.0,) * form.parameter_count, view)


@functools.cache
def looked(text: str, view: str = "identity", classes: int = CLASSES) -> Study:
    known = text.partition(":")[0] in zoo.ZOO
    loss = (of_zoo if known else formula)(text, view)
    return study(learned_subject(loss), classes)


@functools.cache
def all_found(text: str, view: str = "identity", classes: int = CLASSES) -> tuple[Finding, ...]:
    return findings(looked(text, view, classes))


def found(topic: str, text: str, view: str = "identity", classes: int = CLASSES) -> Finding:
    return find(all_found(text, view, classes), topic)
