"""Findings about the values: their sign and their bounds."""

import numpy as np
from jaxtyping import Float

from jaxloss.losses.card.finding import Finding, written
from jaxloss.losses.card.study import Study


def extent_findings(study: Study) -> tuple[Finding, ...]:
    """Says how far the values reach."""
    return (_nonnegative(study), _bounded(study))


def _everywhere(study: Study) -> Float[np.ndarray, " values"]:
    parts = [study.grid.values, study.far.values]
    parts += [one.values for one in study.across[1:]] if study.across else []
    return np.concatenate([part.ravel() for part in parts])


def _nonnegative(study: Study) -> Finding:
    values = _everywhere(study)
    least = float(np.nanmin(values)) if np.any(~np.isnan(values)) else np.nan
    return Finding(
        "nonnegative",
        "Is it never below 0?",
        f"The least value seen is {written(least)}.",
        f"{study.where}, and at powers of ten up to 1e8",
        holds=bool(least >= -1e-9),
    )


def _bounded(study: Study) -> Finding:
    far = np.abs(study.far.places)
    size = np.where(np.isnan(study.far.values), 0.0, np.abs(study.far.values))
    near = float(np.max(size[far <= 1e3 * (1 + 1e-9)]))
    most = float(np.max(size))
    holds = bool(np.isfinite(most) and most <= 1.01 * near + 1e-9)
    return Finding(
        "bounded",
        "Do its values stay within bounds?",
        f"The largest value seen is {written(max(most, near))}."
        if holds
        else f"It grows on: {written(near)} at 1000 from the target, {written(most)} at 1e8.",
        "compared at powers of ten up to 1e8 from the target",
        holds=holds,
    )
