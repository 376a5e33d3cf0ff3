"""Findings about the gradient: its bound, its growth with the error, its corners, where it is 0."""

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.finding import Finding, written
from jaxloss.losses.card.jumps import largest_jump
from jaxloss.losses.card.lines import Lined
from jaxloss.losses.card.study import Study

_STEEP = 100.0
"""How many times the largest gradient near the target counts as no bound."""
_NEAR = 3.0
_LEVEL = 0.05
"""Exponents below it count as no growth."""

_GROWTH = {
    1: "The further off, the more an outlier pulls: the gradient grows like error^{exponent}.",
    0: "All outliers pull alike, however far off: the gradient stays at about {size}.",
    -1: "The further off, the less an outlier pulls: the gradient goes back to 0 (redescending).",
}
_CLASS_GROWTH = {
    1: "The more confidently wrong, the harder: the gradient grows like margin^{exponent}. A few "
    "mislabelled examples can rule a training.",
    0: "All alike: the gradient stays at about {size}, so that mislabelled examples count as much "
    "as hard ones.",
    -1: "The more confidently wrong, the less: the gradient goes back to 0, so that mislabelled "
    "examples are let be, and hard ones too.",
}


def slope_findings(study: Study) -> tuple[Finding, ...]:
    """Says how training feels the loss."""
    growth = () if study.subject.view == "boxes" else (_growth(study),)
    return (_flat(study), _bounded_gradient(study), *growth, _smooth(study))


def _flat(study: Study) -> Finding:
    steepness = np.nan_to_num(np.concatenate([study.grid.steepness, study.far.steepness], 1))
    holds = not np.any(steepness)
    return Finding(
        "flat",
        "Is its gradient 0 everywhere?",
        "Nothing can be trained with it." if holds else "It has a gradient to train with.",
        f"{study.where} and far away",
        holds=holds,
    )


def _bounded_gradient(study: Study) -> Finding:
    near = np.abs(study.grid.places) <= (5.0 if study.subject.is_classifier else _NEAR)
    reference = float(np.nanmax(np.where(near, _finite(study.grid.steepness), 0.0)))
    looked = [study.grid, study.far, *(study.across[1:] if study.across else ())]
    most, where = 0.0, ""
    for number, some in enumerate(looked):
        steepness = np.nan_to_num(some.steepness, nan=0.0, posinf=np.inf)
        line, place = np.unravel_index(np.argmax(steepness), steepness.shape)
        if steepness[line, place] > most:
            most = float(steepness[line, place])
            t = float(some.places[line, place])
            where = (
                study.place_words(int(line), t)
                if number < 2
                else f"a random line, t = {written(t)}"
            )
    holds = most <= _STEEP * max(reference, 1e-300)
    return Finding(
        "bounded_gradient",
        "Is its gradient bounded?",
        f"The largest gradient seen is {written(most)}."
        if holds
        else f"Near the target it is at most {written(reference)}, but not everywhere.",
        f"{study.where}, at powers of ten from 1e-9 to 1e8 away"
        + (", and as near to an output of 0" if study.subject.view == "identity" else "")
        + f"; more than {_STEEP:g} times the largest near the target counts as no bound",
        holds=holds,
        counterexample=None if holds else f"{written(most)} at {where}",
        numbers={"largest": most},
    )


def _finite(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.where(np.isfinite(values), values, np.nan)


def _growth(study: Study) -> Finding:
    """Compares the gradient of large errors by powers of ten."""
    classifier = study.subject.is_classifier
    sizes = 10.0 ** np.arange(1.0, 7.0)
    rows = np.concatenate(
        [
            _pull(study, np.tile(side * sizes, (len(study.lines.labels), 1)))
            for side in ((-1.0,) if classifier else (-1.0, 1.0))
        ]
    )
    rows = rows[np.all(np.isfinite(rows), axis=1)]
    question = (
        "How hard do confidently wrong examples pull?"
        if classifier
        else "Is it robust to outliers?"
    )
    what = "at margins from -10 to -1e6" if classifier else "at errors from 10 to 1e6"
    how = f"the gradient {what}, by powers of ten"
    if not len(rows):
        return Finding("growth", question, "The gradient there is not finite.", how)
    typical = float(np.nanmax(_finite(study.grid.steepness)))
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = np.log10(rows[:, -1] / rows[:, -2])
    exponents = np.where(np.isnan(exponents) | (rows[:, -1] <= 1e-9 * typical), -np.inf, exponents)
    exponent = float(np.max(exponents))
    words = (_CLASS_GROWTH if classifier else _GROWTH)[
        0 if abs(exponent) < _LEVEL else int(np.sign(exponent))
    ]
    words = words.format(exponent=f"{exponent:.2g}", size=written(float(np.max(rows[:, -1]))))
    holds = None if classifier else exponent < _LEVEL
    return Finding("growth", question, words, how, holds=holds, numbers={"exponent": exponent})


def _pull(study: Study, places: Lined) -> Lined:
    """The gradient that counts: of a classification, that of the right class's output."""
    found = study.at(places)
    return np.abs(found.slopes) if study.subject.is_classifier else found.steepness


def _smooth(study: Study) -> Finding:
    """Zooms in where the slope changes most abruptly; a corner does not go away."""
    how = (
        f"neighbours {study.where}"
        + (", and on random lines through the outputs" if study.across else "")
        + "; looked closer and closer where the slope changes most abruptly"
    )
    probe, lines = study.probe, study.lines
    counterexample, words = None, "No jump of the slope was found."
    if (jump := largest_jump(probe, lines, study.grid, "values")).size > 0:
        where = study.place_words(jump.line, jump.place)
        counterexample = f"the value jumps by {written(jump.size)} at {where}"
        words = "The loss itself jumps."
    elif (jump := largest_jump(probe, lines, study.grid, "slopes")).size > 0:
        where = study.place_words(jump.line, jump.place)
        counterexample = f"the slope jumps by {written(jump.size)} at {where}"
        words = "It has a corner."
    elif study.across and (jump := largest_jump(probe, *study.across[:2], "slopes")).size > 0:
        counterexample = f"the slope jumps by {written(jump.size)} on a random line"
        words = "It has a corner where outputs cross each other."
    return Finding("smooth", "Is it smooth?", words, how, counterexample is None, counterexample)
