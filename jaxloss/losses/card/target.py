"""Findings about the minimum: where it lies, whether that is the target, whether training rests."""

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.finding import Finding, written
from jaxloss.losses.card.minimum import Minimum
from jaxloss.losses.card.study import Study, measure
from jaxloss.losses.card.whereabouts import class_words, prediction_words

_REST = 1e-4
"""Share of the largest slope near the target that counts as rest, 1e-6 away from it."""
_CERTAIN = 1e3
"""A margin in whose limit softmax is certain."""


def target_findings(study: Study, found: tuple[Minimum, ...]) -> tuple[Finding, ...]:
    """Says where the minimum lies and what it means for training.

    Args:
        study: the loss.
        found: its minimum on each of the study's lines.
    """
    return (
        _place(study, found),
        _endless(study, found),
        *(_certainty(study, found) if _goal(study) is None else _at_target(study, found)),
        _rest(study, found),
    )


def _goal(study: Study) -> float | None:
    """The place of the target; None if it is a limit."""
    return study.subject.target_score if study.subject.is_classifier else 0.0


def _place(study: Study, found: tuple[Minimum, ...]) -> Finding:
    subject, numbers = study.subject, dict[str, float]()
    if subject.is_classifier:
        words = class_words(study, found[0])
        if found[0].kind == "flat" and found[0].high == np.inf:
            numbers["satisfied"] = found[0].low
            if not subject.scores:
                numbers["satisfied_probability"] = study.probability(found[0].low)
        if found[0].kind == "point":
            numbers["margin"] = found[0].low
            if not subject.scores:
                numbers["probability"] = study.probability(found[0].low)
    else:
        words = prediction_words(study, found)
        if subject.view == "identity" and not subject.vectors:
            numbers = {
                label: float(study.lines.starts[line, 0] + least.low)
                for line, (label, least) in enumerate(zip(study.lines.labels, found, strict=True))
                if least.kind == "point"
            }
    how = f"searched {study.where}; closer around the lowest; and up to 1e8 away"
    return Finding("minimum", "Where is it least?", words, how, numbers=numbers)


def _endless(study: Study, found: tuple[Minimum, ...]) -> Finding:
    topic, question = "unbounded_below", "Does it fall without end?"
    how = "looked at up to 1e8 away on both sides"
    falling = [line for line, minimum in enumerate(found) if minimum.kind == "endless"]
    if not falling:
        lowest = min(minimum.value for minimum in found)
        words = f"The least value found is {written(lowest)}."
        return Finding(topic, question, words, how, holds=False)
    line = falling[0]
    where = study.place_words(line, float(np.copysign(1e8, found[line].low)))
    words = (
        f"It is unbounded below: {written(found[line].value)} at {where}, and it falls on. "
        "Training under it never ends, unless something else stops it."
    )
    return Finding(topic, question, words, how, holds=True)


def _certainty(study: Study, found: tuple[Minimum, ...]) -> tuple[Finding, ...]:
    """Says whether a right prediction can be too certain."""
    own = found[0]
    holds = all(one.kind in ("limit", "flat") and one.high == np.inf for one in found)
    if holds:
        words = (
            "No certainty is too much for it, though from some on it gains nothing."
            if own.kind == "flat"
            else "No certainty is too much for it."
        )
    elif own.kind == "endless" and own.low > 0:
        words = "It never has enough: the more certain, the lower, without end."
    elif own.kind == "point" and own.low > 0:
        words = "It holds predictions back from certainty."
    else:
        words = "A right and certain prediction is not what it asks for."
    return (
        Finding(
            "minimum_at_target",
            "Is it least where the prediction is right and certain?",
            words,
            f"the least value {study.where}, against margins up to 1e8",
            holds=holds,
        ),
    )


def _at_target(study: Study, found: tuple[Minimum, ...]) -> tuple[Finding, ...]:
    """Compares the value at the target itself with the least."""
    goal = _goal(study) or 0.0
    values = study.at(np.full((len(found), 1), goal)).values[:, 0]
    gaps = values - np.array([minimum.value for minimum in found])
    fine = gaps <= 1e-9 * np.maximum(measure(study.scale, values), 1e-3)
    words, counterexample = "No prediction was found that costs less than the target itself.", None
    if not np.all(fine):
        worst = int(np.nanargmax(np.where(fine, -np.inf, np.nan_to_num(gaps, nan=np.inf))))
        least = found[worst]
        place = least.low if np.isfinite(least.low) else float(np.copysign(1e8, least.low))
        words = f"Not for {int(np.sum(~fine))} of the {len(fine)} targets and ways tried."
        counterexample = (
            f"{written(values[worst])} at {study.place_words(worst, goal)}, but "
            f"{written(least.value)} at {study.place_words(worst, place)}"
        )
    zero = bool(np.all(np.abs(values) < 1e-9))
    known = values[np.isfinite(values)]
    if zero:
        zero_words = "A right prediction costs nothing."
    elif len(known):
        zero_words = f"Its values there lie from {written(known.min())} to {written(known.max())}."
    else:
        zero_words = "It has no values there."
    asked = {
        "identity": "Is it least at f = y?",
        "boxes": "Is it least where the boxes are the same?",
    }.get(study.subject.view, "Is it least where the score is the target?")
    return (
        Finding(
            "minimum_at_target",
            asked,
            words,
            f"the value at the target against the least {study.where}, and up to 1e8 away",
            bool(np.all(fine)),
            counterexample,
        ),
        Finding(
            "zero_at_target", "Is it 0 at the target?", zero_words, "the value at each target", zero
        ),
    )


def _rest(study: Study, found: tuple[Minimum, ...]) -> Finding:
    """Looks at the slopes beside the target, or beside the minimum of a classification."""
    if study.subject.is_classifier:
        own = found[0]
        if np.isinf(own.high) or np.isinf(own.low):
            return _rest_in_the_limit(study, own)
        return _rest_beside(study, own.low, "its minimum", [0])
    name = {"boxes": "the true box"}.get(study.subject.view, "f = y")
    return _rest_beside(study, 0.0, name, list(range(len(found))))


def _rest_in_the_limit(study: Study, own: Minimum) -> Finding:
    margin = float(np.copysign(_CERTAIN, own.high if np.isinf(own.high) else own.low))
    there = float(study.at(np.full((len(study.lines.labels), 1), margin)).slopes[0, 0])
    holds = bool(abs(there) <= 1e-6 * np.nanmax(np.abs(study.grid.slopes[0])))
    words = (
        f"The gradient goes to 0 as the margin {'grows' if margin > 0 else 'falls'}."
        if holds
        else f"The gradient is still {written(there)} at a margin of {written(margin)}."
    )
    how = f"the gradient at a margin of {written(margin)}"
    question = "Does training come to rest at its minimum?"
    return Finding("stationary", question, words, how, holds)


def _rest_beside(study: Study, place: float, name: str, lines: list[int]) -> Finding:
    step = 1e-6 * max(1.0, abs(place))
    sides = study.at(np.tile([place - step, place + step], (len(study.lines.labels), 1))).slopes
    # At the edge of what is defined, one side has to do.
    sides = np.where(np.isnan(sides), sides[:, ::-1], sides)
    near = np.abs(study.grid.places - place) <= 1.0
    largest = _largest(np.where(near, study.grid.slopes, 0.0))
    shares = np.max(np.abs(sides), 1) / np.maximum(largest, 1e-300)
    shares = np.where(np.any(sides != 0, 1), np.nan_to_num(shares, nan=np.inf), 0.0)
    worst = max(lines, key=lambda line: shares[line])
    left, right = sides[worst]
    where = study.place_words(worst, place)
    if shares[worst] <= _REST:
        words = f"It is stationary there: the gradient goes to 0 at {name}."
    elif left < 0 < right:
        words = (
            f"It has a corner there: the slope jumps from {written(left)} to {written(right)} "
            f"({where}), so that steps of a fixed size hop about it."
        )
    else:
        words = f"The slope there is {written(left)} ({where}): training moves on from it."
    return Finding(
        "stationary",
        f"Does training come to rest at {name}?",
        words,
        f"slopes {written(step)} on either side, against the largest within 1",
        bool(shares[worst] <= _REST),
    )


def _largest(slopes: Float[np.ndarray, "lines places"]) -> Float[np.ndarray, " lines"]:
    return np.max(np.where(np.isfinite(slopes), np.abs(slopes), 0.0), axis=1)
