"""Says in words where minima lie."""

import numpy as np

from jaxloss.losses.card.finding import listed, sentence, share, written
from jaxloss.losses.card.minimum import Minimum
from jaxloss.losses.card.study import Study

_SAME = 1e-4
"""How near to each other two numbers count as one."""


def prediction_words(study: Study, found: tuple[Minimum, ...]) -> str:
    """Says where the best predictions lie: one rule for all targets, else target by target."""
    if all(minimum.kind == "endless" for minimum in found):
        return "Nowhere: it falls without end."
    plain = study.subject.view == "identity" and not study.subject.vectors
    rule = _rule(study, found) if plain else None
    shifts = np.array([minimum.low for minimum in found])
    if all(one.kind == "point" and not one.others for one in found) and np.all(
        np.abs(shifts) < _SAME
    ):
        values = [minimum.value for minimum in found]
        where = "Where the boxes are the same" if study.subject.view == "boxes" else "At f = y"
        if np.ptp(values) < 1e-9:
            return f"{where}; there it is {written(values[0])}."
        return f"{where}; its value there depends on the target."
    if rule is not None:
        return f"{rule}."
    words = dict[str, list[str]]()
    for line, one in enumerate(found):
        words.setdefault(_line_words(study, line, one), []).append(study.lines.labels[line])
    if len(words) == 1:
        return f"{sentence(next(iter(words)).removesuffix(','))}, whatever the target."
    parts = [f"{what} for {listed(labels)}" for what, labels in words.items()]
    return f"{sentence('; '.join(parts))}."


def _rule(study: Study, found: tuple[Minimum, ...]) -> str | None:
    """Finds a shift, a factor or a product that gives the best f from every y but 0."""
    targets = study.lines.starts[:, 0]
    if all(one.kind == "point" and not one.others for one in found):
        shifts = np.array([one.low for one in found])
        if np.ptp(targets + shifts) < _SAME:
            place = round(float(np.mean(targets + shifts)), 6)
            return f"At f = {written(place)}, whatever the target"
        if np.ptp(shifts) < _SAME:
            shift = float(np.mean(shifts))
            return f"At f = y {'+' if shift > 0 else '-'} {written(abs(shift))}"
    kept = [line for line, one in enumerate(found) if one.kind == "point" and targets[line]]
    others = [line for line in range(len(found)) if line not in kept]
    if len(kept) < 2 or any(targets[line] for line in others):
        return None
    y = targets[kept]
    best = y + np.array([found[line].low for line in kept])
    also = [
        tuple(sorted((found[line].low + targets[line], *_outputs(targets[line], found[line]))))
        for line in kept
    ]
    apart = "".join(
        f"; {_line_words(study, line, found[line])} for y = 0"
        for line in others
        if found[line].kind != "point" or found[line].others or abs(found[line].low) > _SAME
    )
    if all(len(one) == 1 for one in also):
        if np.ptp(best / y) < _SAME:
            return f"At f = {written(float(np.mean(best / y)))} · y{apart}"
        if np.ptp(best * y) < _SAME:
            return f"At f = {written(float(np.mean(best * y)))} / y{apart}"
        return None
    sizes = np.abs(np.array([[one[0], one[-1]] for one in also]))
    if any(len(one) != 2 for one in also) or np.ptp(sizes, axis=1).max() > _SAME:
        return None
    for sign, power in (("·", -1.0), ("/", 1.0)):
        factors = sizes[:, 0] * np.abs(y) ** power
        if np.ptp(factors) < _SAME:
            return f"At f = ±{written(float(factors[0]))} {sign} y{apart}"
    return None


def _outputs(target: float, minimum: Minimum) -> list[float]:
    return [float(target + place) for place in minimum.others]


def _line_words(study: Study, line: int, minimum: Minimum) -> str:
    plain = study.subject.view == "identity" and not study.subject.vectors
    offset = float(study.lines.starts[line, 0]) if plain else 0.0
    name = "f" if plain else "t"
    match minimum.kind:
        case "endless":
            return "nowhere, as it falls without end,"
        case "undefined":
            return "nowhere, as it has no values,"
        case "limit":
            return f"in the limit of {'large' if minimum.low > 0 else 'low'} {name}"
        case "flat":
            return _stretch(name, minimum, offset)
    places = sorted((minimum.low, *minimum.others))
    return f"at {name} = {listed([written(offset + place) for place in places])}"


def _stretch(name: str, minimum: Minimum, offset: float) -> str:
    low, high = offset + minimum.low, offset + minimum.high
    if np.isinf(low) and np.isinf(high):
        return f"everywhere, whatever {name} is,"
    if np.isinf(high):
        return f"wherever {name} is at least {written(low)}"
    if np.isinf(low):
        return f"wherever {name} is at most {written(high)}"
    return f"anywhere from {name} = {written(low)} to {written(high)}"


def class_words(study: Study, minimum: Minimum) -> str:
    """Says which output for the right class is the best."""
    if minimum.kind == "endless":
        return "Nowhere: it falls without end."
    if minimum.kind == "undefined":
        return "Nowhere: it has no values."
    scores = study.subject.scores
    if minimum.kind == "limit":
        side = "large" if minimum.low > 0 else "negative"
        p = 1 if minimum.low > 0 else 0
        where = f"in the limit of {side} margins" if scores else f"in the limit of p = {p}"
    elif minimum.kind == "flat" and (scores or np.isinf(minimum.low)):
        where = _stretch("the margin", minimum, 0.0)
    elif minimum.kind == "flat" and np.isinf(minimum.high):
        where = f"wherever p is at least {share(study.probability(minimum.low))}"
    elif minimum.kind == "flat":
        low, high = (study.probability(end) for end in (minimum.low, minimum.high))
        where = f"anywhere from p = {share(low)} to {share(high)}"
    elif scores:
        where = f"at a margin of {written(minimum.low)}"
    else:
        where = f"at p = {share(study.probability(minimum.low))}"
    where = sentence(where.removesuffix(","))
    if not scores:
        where += ", p the predicted probability of the right class"
    elif study.width == 1:
        where += ", the margin the score with its sign turned for the negative label"
    else:
        where += ", the margin that of the right class's output over all others"
    return f"{where}; there it is {written(minimum.value)}."
