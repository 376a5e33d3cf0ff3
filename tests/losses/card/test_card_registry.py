"""What sampling finds of every loss of the zoo is what the registry says."""

import pytest
from card_losses import CLASSES, of_zoo

from jaxloss import zoo
from jaxloss.losses.card.agreement import agreements
from jaxloss.losses.card.bench import Bench
from jaxloss.losses.card.explain import property_findings
from jaxloss.losses.card.finding import Finding
from jaxloss.losses.card.structured import structured_findings
from jaxloss.losses.card.study import study
from jaxloss.losses.card.subject import (
    EXPLAINED_VIEWS,
    entry_subject,
    has_subject,
    learned_subject,
)

ONE_CLASS = ("score", "logit", "probability")


def on(name: str, view: str) -> tuple[Finding, ...]:
    return property_findings(study(learned_subject(of_zoo(name, view)), CLASSES))


def sampled(name: str) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Findings on a loss's own predictions and, of regression losses, on class probabilities."""
    entry = zoo.get(name)
    views = [view for view in zoo.views_of(entry) if view in EXPLAINED_VIEWS]
    if not views:
        if has_subject(entry):
            return property_findings(study(entry_subject(entry, {}), CLASSES)), ()
        return structured_findings(Bench(entry, {})), ()
    if "identity" in views:
        return on(name, "identity"), on(name, "softmax") if "softmax" in views else ()
    if "boxes" in views:
        return on(name, "boxes"), ()
    return on(name, "sigmoid" if entry.kind in ONE_CLASS else "softmax"), ()


@pytest.mark.parametrize("name", zoo.ZOO)
def test_sampling_agrees_with_the_registry(name: str):
    found = agreements(zoo.get(name), *sampled(name))
    assert [one.name for one in found if one.contradicts] == []
    assert sum(one.found is not None for one in found) >= 6
