"""Findings about numbers: where a loss is undefined, overflows, or gives no gradient."""

import numpy as np
from jaxtyping import Bool, Float

from jaxloss.losses.card.finding import Finding, listed, sentence, written
from jaxloss.losses.card.lines import Along, along
from jaxloss.losses.card.study import Study

ORDINARY = 1e4
"""Outputs within which single precision has to do: a network that diverges is soon beyond."""
_SINGLE_DECADES = np.arange(-30.0, 38.01, 0.5)
_NONE = 1e-3
"""Share of the usual gradient that counts as none."""
_WRONG = 0.5
"""Least error that counts as wrong."""
_SHOWN = 3


def hazard_findings(study: Study) -> tuple[Finding, ...]:
    """Says where numbers go wrong."""
    return (_defined(study), _single(study), _vanishing(study))


def _defined(study: Study) -> Finding:
    """Looks for values and gradients that are no finite numbers in double precision."""
    found = along(study.probe, study.lines, study.grid.places, everywhere=True)
    bad = ~np.isfinite(found.values)
    no_slope = ~np.isfinite(found.steepness) & ~bad
    far = along(study.probe, study.lines, study.far.places, everywhere=True)
    distant = ~(np.isfinite(far.values) & np.isfinite(far.steepness))
    how = f"values and gradients in double precision {study.where.split(', from f = 0')[0]}"
    how += ", and at powers of ten up to 1e8"
    question = "Is it defined everywhere?"
    if not (np.any(bad) or np.any(no_slope) or np.any(distant)):
        words = "Values and gradients are finite at every prediction tried."
        return Finding("defined", question, words, how, holds=True)
    share = np.mean(bad | no_slope)
    parts = list[str]()
    for name, where in (("value", bad), ("gradient", no_slope)):
        if np.any(where):
            parts.append(f"no finite {name} {_ranges(study, found, where)}")
    if not parts:
        line, place = np.argwhere(distant)[np.argmin(np.abs(far.places[distant]))]
        where = study.place_words(int(line), float(far.places[line, place]))
        parts.append(f"no finite value or gradient at {where}")
    words = sentence(listed(parts))
    words += f" ({100 * share:.2g} % of the predictions tried)." if share else "."
    return Finding("defined", question, words, how, holds=False, counterexample=None)


def _ranges(study: Study, found: Along, where: Bool[np.ndarray, "lines places"]) -> str:
    """Names the ranges; the targets too, unless they are the same for all."""
    texts = dict[str, list[str]]()
    for line in range(len(where)):
        text = _line_ranges(study, found, where[line], line)
        texts.setdefault(text, []).append(study.lines.labels[line])
    texts.pop("", None)
    if len(texts) == 1:
        text, labels = next(iter(texts.items()))
        return text if len(labels) == len(where) else f"{text} ({_some(labels)})"
    named = [f"{text} ({_some(labels)})" for text, labels in texts.items()]
    if study.subject.vectors:
        return f"for example {named[0]}"
    return listed(named[:_SHOWN]) + (" and elsewhere" if len(named) > _SHOWN else "")


def _some(labels: list[str]) -> str:
    return f"{listed(labels[:_SHOWN])}{' and others' if len(labels) > _SHOWN else ''}"


def _line_ranges(study: Study, found: Along, where: Bool[np.ndarray, " places"], line: int) -> str:
    plain = study.subject.view == "identity" and not study.subject.vectors
    offset = study.lines.starts[line, 0] if plain else 0.0
    name = "f" if plain else "the margin" if study.subject.is_classifier else "t"
    edges = np.flatnonzero(np.diff(np.pad(where.astype(int), 1)))
    texts = list[str]()
    for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
        low, high = (written(float(found.places[line, one] + offset)) for one in (first, last))
        if first == last:
            texts.append(f"at {name} = {low}")
        elif first == 0 and last == len(where) - 1:
            texts.append(f"whatever {name} is")
        elif first == 0:
            texts.append(f"for {name} up to {high}")
        elif last == len(where) - 1:
            texts.append(f"for {name} from {low} on")
        else:
            texts.append(f"for {name} from {low} to {high}")
    return listed(texts) if texts else ""


def _single(study: Study) -> Finding:
    """Looks for overflow in single precision, smallest outputs first."""
    sizes = 10.0**_SINGLE_DECADES
    places = np.tile(np.concatenate([-sizes[::-1], [0.0], sizes]), (len(study.lines.labels), 1))
    if study.subject.view == "identity":
        places = places - (0.0 if study.subject.vectors else study.lines.starts[:, :1])
    with np.errstate(over="ignore"):
        found = along(study.probe, study.lines, places, double=False)
    outside = np.isnan(along(study.probe, study.lines, places).values)
    question = "Is it safe in single precision?"
    name = "f" if study.subject.view == "identity" else "margin"
    name = "t" if study.subject.view == "boxes" else name
    how = f"float32 values and gradients at {name} = 0 and ±1e-30 to ±1e38, half decades apart"
    first = {
        what: _first(study, places, ~np.isfinite(part) & ~outside)
        for what, part in (("value", found.values), ("gradient", found.steepness))
    }
    known = {what: size for what, size in first.items() if size is not None}
    if not known:
        return Finding("single_precision", question, "No overflow was found.", how, holds=True)
    near = min(known.values())
    words = listed(
        [f"the {what} overflows from |{name}| = {size:.0e} on" for what, size in known.items()]
    ).replace("e+", "e")
    safe = near > ORDINARY
    words = sentence(words)
    words += f", far beyond the outputs of a sound network (within {ORDINARY:g})." if safe else "."
    return Finding("single_precision", question, words, how, holds=safe, numbers={"smallest": near})


def _first(
    study: Study, places: Float[np.ndarray, "lines places"], bad: Bool[np.ndarray, "lines places"]
) -> float | None:
    """Finds the smallest output at which something is wrong."""
    if not np.any(bad):
        return None
    plain = study.subject.view == "identity" and not study.subject.vectors
    outputs = places + (study.lines.starts[:, :1] if plain else 0.0)
    return float(np.min(np.abs(outputs[bad])))


def _vanishing(study: Study) -> Finding:
    """Looks for wrong predictions that are not pulled at."""
    grid = study.grid
    question = "Does every wrong prediction get a gradient?"
    how = f"looked for gradients below {_NONE:g} of the median near the target, {study.where}"
    pulls = np.abs(grid.slopes) if study.subject.is_classifier else grid.steepness
    pulls = np.where(np.isfinite(pulls), pulls, np.nan)
    near = np.abs(grid.places) <= (5.0 if study.subject.is_classifier else 3.0)
    felt = pulls[near & (np.nan_to_num(pulls) > 0)]
    if not len(felt):
        return Finding("pull", question, "None gets any.", how, holds=False)
    bad = _lasting((pulls < _NONE * np.median(felt)) & _wrong(study))
    if not np.any(bad):
        words = "Every wrong prediction tried gets one."
        return Finding("pull", question, words, how, holds=True)
    if study.subject.is_classifier:
        line = int(np.flatnonzero(np.any(bad, axis=1))[0])
        edge = float(np.max(grid.places[line][bad[line]]))
        words = (
            f"With {study.place_words(line, edge)} or less for the right class the gradient is "
            f"below {_NONE:g} of the usual. A confidently wrong example is hardly learned from."
        )
    else:
        words = f"Predictions that are wrong get hardly any {_ranges(study, grid, bad)}."
    return Finding("pull", question, words, how, holds=False)


def _lasting(where: Bool[np.ndarray, "lines places"]) -> Bool[np.ndarray, "lines places"]:
    """Keeps runs of three places or more: a single one may be a minimum elsewhere."""
    padded = np.pad(where, ((0, 0), (2, 2)))
    width = where.shape[1]
    runs = [np.all([padded[:, at + k : at + k + width] for k in range(3)], 0) for at in range(3)]
    return np.any(runs, axis=0)


def _wrong(study: Study) -> Bool[np.ndarray, "lines places"]:
    """Says which predictions are clearly wrong: of another class, or off by `_WRONG` or more."""
    places = study.grid.places
    return places < 0 if study.subject.is_classifier else np.abs(places) >= _WRONG
