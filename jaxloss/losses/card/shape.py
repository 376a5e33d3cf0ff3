"""Findings about the shape: convexity, monotonicity, symmetry."""

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.extent import extent_findings
from jaxloss.losses.card.finding import Finding, written
from jaxloss.losses.card.lines import Along, Lined, Lines
from jaxloss.losses.card.minimum import Minimum
from jaxloss.losses.card.study import Study, measure

_STEPS = (1, 4, 16, 64)
"""Distances, in places of the grid, of the points whose middle is compared with them."""
_ROUNDING = 1e-9


def shape_findings(study: Study, found: tuple[Minimum, ...]) -> tuple[Finding, ...]:
    """Says what the values look like.

    Args:
        study: the loss.
        found: its minimum on each of the study's lines.
    """
    symmetric = _classes_alike(study) if study.subject.is_classifier else _mirrored(study)
    alone = () if study.subject.is_classifier or study.subject.view == "boxes" else (_error(study),)
    return (
        _convex(study),
        _monotone(study, found),
        symmetric,
        *alone,
        *extent_findings(study),
    )


def _tolerance(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    size = np.abs(values)
    return _ROUNDING * (size + 1e-3 * measure(np.nanmax(size, initial=0.0), size)) + 1e-300


def _convex(study: Study) -> Finding:
    outputs = "the outputs" if study.width > 1 or study.subject.is_classifier else "the prediction"
    worst = _dented(study.lines, study.grid)
    how = f"the value midway between two points against the mean of theirs, {study.where}"
    if study.across is not None:
        lines, found, _ = study.across
        how += f"; likewise on {len(lines.labels)} random lines through the outputs"
        worst = max(worst, _dented(lines, found), key=lambda one: one[0])
    excess, words = worst
    return Finding(
        "convex",
        f"Is it convex in {outputs}?",
        "No counterexample to convexity."
        if excess <= 0
        else "Somewhere it lies above the straight line between two of its points.",
        how,
        holds=bool(excess <= 0),
        counterexample=None if excess <= 0 else words,
    )


def _dented(lines: Lines, found: Along) -> tuple[float, str]:
    """Finds where the middle exceeds the mean of the ends the most, relative to the values."""
    values, places = found.values, found.places
    best, words = 0.0, ""
    for step in _STEPS:
        left, middle, right = (
            values[:, : -2 * step],
            values[:, step:-step],
            values[:, 2 * step :],
        )
        size = np.abs(left) + np.abs(middle) + np.abs(right)
        with np.errstate(all="ignore"):
            excess = middle - (left + right) / 2
            relative = np.where(excess > _tolerance(size), excess / (size + 1e-300), 0.0)
        relative = np.nan_to_num(relative, nan=0.0)
        line, place = np.unravel_index(np.argmax(relative), relative.shape)
        if relative[line, place] > best:
            best = float(relative[line, place])
            words = (
                f"{written(middle[line, place])} in the middle of {written(left[line, place])} and "
                f"{written(right[line, place])}: "
                + _points(lines, int(line), places[line, [place + step, place, place + 2 * step]])
            )
    return best, words


def _points(lines: Lines, line: int, places: Float[np.ndarray, "3"]) -> str:
    outputs = lines.starts[line] + places[:, None] * lines.directions[line]
    if lines.labels[line].startswith("random"):
        apart = written(places[2] - places[1])
        return f"the ends {apart} apart, on {lines.labels[line]} through the outputs"
    if outputs.shape[1] == 1:
        texts, name = [written(output) for output in outputs[:, 0]], "output "
    elif outputs.shape[1] <= 4:
        rows = [", ".join(written(part, 2) for part in row) for row in outputs]
        texts, name = [f"({row})" for row in rows], "outputs "
    else:
        texts, name = [written(place) for place in places], "margin "
    return f"{name}{texts[0]} between {texts[1]} and {texts[2]}, {lines.labels[line]}"


def _monotone(study: Study, found: tuple[Minimum, ...]) -> Finding:
    """Checks that the loss never falls on the way from the minimum outwards."""
    grid = study.grid
    worst, words = 0.0, None
    for line, least in enumerate(found):
        values, places = grid.values[line], grid.places[line]
        known = ~np.isnan(values)
        values, places = values[known], places[known]
        if least.kind == "undefined" or len(values) < 2:
            continue
        centre = np.clip((least.low + least.high) / 2 if least.low != -least.high else 0, -99, 99)
        for side in (-1.0, 1.0):
            outward = np.flatnonzero(side * (places - centre) >= 0)[:: int(side)]
            way = values[outward]
            highest = np.maximum.accumulate(way) if len(way) else way
            drop = highest - way
            size = measure(study.scale[line], way) + np.abs(way)
            drop = np.where(drop > _ROUNDING * size, drop, 0.0)
            if len(drop) and drop.max() / study.scale[line] > worst:
                lower = int(np.argmax(drop))
                upper = int(np.argmax(way[: lower + 1]))
                worst = float(drop.max() / study.scale[line])
                words = (
                    f"{written(way[upper])} at "
                    f"{study.place_words(line, places[outward[upper]])}, but "
                    f"{written(way[lower])} further out, at "
                    f"{study.place_words(line, places[outward[lower]])}"
                )
    return Finding(
        "monotone",
        "Does it grow all the way from its minimum?",
        "It falls all the way."
        if words is None and all(one.kind == "endless" for one in found)
        else "It never falls on the way from its minimum outwards."
        if words is None
        else "It falls again further out, so that training can end up there.",
        f"running outwards from the minimum {study.where}",
        holds=words is None,
        counterexample=words,
    )


def _mirrored(study: Study) -> Finding:
    values = study.grid.values
    gap = np.abs(values - values[:, ::-1])
    return _equality(
        study,
        "symmetric",
        "Do errors of one size cost the same in both directions?",
        np.where(np.isnan(gap), 0.0, gap),
        values[:, ::-1],
        ("Errors up and down cost the same.", "One direction costs more than the other."),
        "as far on the other side",
    )


def _error(study: Study) -> Finding:
    values = np.broadcast_to(study.grid.values[-1:], study.grid.values.shape)
    gap = np.abs(study.grid.values - values)
    if study.subject.vectors:
        # Lines of one direction, one for each target.
        values = np.tile(study.grid.values[-3:], (len(gap) // 3, 1))
        gap = np.abs(study.grid.values - values)
    return _equality(
        study,
        "error_alone",
        "Does it depend on the error f - y alone?",
        np.where(np.isnan(gap), 0.0, gap),
        values,
        ("The same errors cost the same for every target.", "The same error costs differently."),
        f"with the same error {study.lines.labels[-1]}",
    )


def _equality(
    study: Study,
    topic: str,
    question: str,
    gap: Lined,
    others: Lined,
    words: tuple[str, str],
    other_words: str,
) -> Finding:
    size = measure(study.scale[:, None], others) + np.abs(others)
    gap = np.where(gap > _ROUNDING * size, gap, 0.0)
    line, place = np.unravel_index(np.argmax(gap), gap.shape)
    same = not np.any(gap)
    here = study.place_words(int(line), float(study.grid.places[line, place]))
    return Finding(
        topic,
        question,
        words[0] if same else words[1],
        f"compared {study.where}",
        holds=same,
        counterexample=None
        if same
        else f"{written(study.grid.values[line, place])} at {here}, but "
        f"{written(others[line, place])} {other_words}",
    )


def _classes_alike(study: Study) -> Finding:
    """Compares the first class with the last, on the lines where all others are alike."""
    values = study.grid.values[:2]
    gap = np.nan_to_num(np.abs(values[0] - values[1]), nan=0.0)
    size = measure(study.scale[0], values[0]) + np.abs(values[0])
    gap = np.where(gap > _ROUNDING * size, gap, 0.0)
    place = int(np.argmax(gap))
    same = not np.any(gap)
    return Finding(
        "symmetric",
        "Does it treat the classes alike?",
        "All classes cost the same." if same else "One class costs more than another.",
        f"{study.lines.labels[0]} against {study.lines.labels[1]}, {study.where}",
        holds=same,
        counterexample=None
        if same
        else f"{written(values[0, place])} and {written(values[1, place])} at "
        f"{study.place_words(0, float(study.grid.places[0, place]))}",
    )
