"""What a card calls things, and what it says in short."""

import math
from collections.abc import Mapping

from jaxloss.losses.card import CLASS_VIEWS, Explanation, Finding

GROUPS: Mapping[str, tuple[str, ...]] = {
    "The minimum": (
        "minimum",
        "minimum_at_target",
        "zero_at_target",
        "unbounded_below",
        "stationary",
    ),
    "The shape": (
        "convex",
        "monotone",
        "symmetric",
        "error_alone",
        "smooth",
        "nonnegative",
        "bounded",
    ),
    "The gradient": ("flat", "bounded_gradient", "growth", "pull"),
    "Class probabilities and noisy labels": (
        "proper",
        "calibrated",
        "smoothing",
        "noise_tolerant",
    ),
    "Numbers": ("defined", "single_precision"),
}
"""Topics of findings, in the order in which a card answers them."""

VIEW_TITLES: Mapping[str | None, str] = {
    "identity": "For regression",
    "softmax": "For classes (softmax)",
    "sigmoid": "For two classes (sigmoid)",
    "logits": "For classes, on logits",
    "boxes": "For boxes",
    "anchors": "For embeddings beside class anchors",
    "cell_classes": "For classes of a detector's cells",
    "cell_boxes": "For boxes of a detector's cells",
    "masks": "For pixels of masks",
    None: "On random inputs",
}

_NOTICED = 1e-4
"""Label smoothing below it comes from a guard of the logarithm rather than from the loss."""
_ALMOST = 0.1
"""Variation of the sum over labels, as a share of that for one label, that is almost none."""


def grouped(explanation: Explanation) -> dict[str, list[Finding]]:
    """Sorts findings under headings; a gradient that is there goes without saying."""
    found = {finding.topic: finding for finding in explanation.findings}
    if not found["flat"].holds:
        del found["flat"]
    groups = {
        heading: [found[topic] for topic in topics if topic in found]
        for heading, topics in GROUPS.items()
    }
    return {heading: group for heading, group in groups.items() if group}


def verdict(explanation: Explanation) -> str:
    """Says in a few short sentences what matters most."""
    found = {finding.topic: finding for finding in explanation.findings}
    if found["flat"].holds:
        return found["flat"].statement
    parts = list[str]()
    if found["unbounded_below"].holds:
        parts.append("Falls without end, so that it has no best prediction.")
    elif explanation.view in CLASS_VIEWS:
        parts.append(_certainty(found))
    elif explanation.view is not None:
        parts.append(_target(explanation, found))
    parts += _classes(found)
    parts.append("Convex." if found["convex"].holds else "Not convex.")
    parts += _outliers(explanation, found)
    if "pull" in found and not found["pull"].holds:
        parts.append(
            "Confidently wrong examples get hardly any gradient."
            if explanation.view in CLASS_VIEWS
            else "Some wrong predictions get hardly any gradient."
        )
    if "defined" in found and not found["defined"].holds:
        parts.append(f"Not defined everywhere: {_lowered(found['defined'].statement)}")
    if not found["single_precision"].holds:
        parts.append(f"Mind single precision: {_lowered(found['single_precision'].statement)}")
    return " ".join(parts)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _target(explanation: Explanation, found: Mapping[str, Finding]) -> str:
    place = "f = y" if explanation.view == "identity" else "the true box"
    if found["minimum_at_target"].holds:
        return f"Least at {place}."
    return f"Not least at {place}, but {_lowered(found['minimum'].statement)}"


def _certainty(found: Mapping[str, Finding]) -> str:
    smoothing = found.get("smoothing")
    numbers = found["minimum"].numbers
    if "satisfied_probability" in numbers:
        return f"Content with any p from {numbers['satisfied_probability']:.4g} on."
    if numbers.get("satisfied", -math.inf) > -math.inf:
        return f"Content with any margin from {numbers['satisfied']:.4g} on."
    if found["minimum_at_target"].holds or (
        smoothing is not None and abs(smoothing.numbers.get("xi", 1.0)) <= _NOTICED
    ):
        return "The more certain a right prediction, the better."
    if smoothing is not None and smoothing.numbers.get("xi", 0.0) > _NOTICED:
        xi, p = smoothing.numbers["xi"], smoothing.numbers["probability"]
        return f"Smooths labels: it asks for p = {p:.4g} and no more (xi = {xi:.3g})."
    return f"Least {_lowered(found['minimum'].statement)}"


def _classes(found: Mapping[str, Finding]) -> list[str]:
    parts = list[str]()
    if "proper" in found:
        parts.append(
            "Proper: it learns true class probabilities."
            if found["proper"].holds
            else "Not proper: it does not learn true class probabilities."
        )
    if "calibrated" in found and not found["calibrated"].holds:
        parts.append("Not calibrated: the most probable class does not always win.")
    if "noise_tolerant" in found:
        almost = found["noise_tolerant"].numbers["variation"] <= _ALMOST
        parts.append(
            "Tolerant of noisy labels."
            if found["noise_tolerant"].holds
            else f"{'Almost' if almost else 'Not'} tolerant of noisy labels."
        )
    return parts


def _outliers(explanation: Explanation, found: Mapping[str, Finding]) -> list[str]:
    growth, bounded = found.get("growth"), found["bounded_gradient"]
    has_target = explanation.view == "identity" and not found["unbounded_below"].holds
    if not has_target or growth is None or not growth.numbers:
        return ["Its gradient is bounded." if bounded.holds else "Its gradient is not bounded."]
    exponent = growth.numbers["exponent"]
    if exponent >= 0.05:
        return ["Outliers pull harder the further off they are: it is not robust to them."]
    if not bounded.holds:
        return [f"Its gradient is not bounded: {bounded.counterexample}."]
    if exponent > -0.05:
        return ["Its gradient is bounded: it is robust to outliers."]
    return ["Its gradient is bounded and goes back to 0: far outliers pull less and less."]
