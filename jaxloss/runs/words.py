"""How numbers, durations and names are written for people: one way everywhere."""

import math
from typing import NamedTuple


class FilterWords(NamedTuple):
    """What a filter is called in a line of progress, and what it does in a sentence."""

    short: str
    meaning: str


FILTER_WORDS = {
    "archive": FilterWords(
        "seen before", "the same formula came up earlier; what was found then still holds"
    ),
    "rejected before": FilterWords(
        "hopeless", "predictions that minimise it do not score better (tested before tuning)"
    ),
    "rejected after": FilterWords(
        "hopeless when tuned",
        "predictions that minimise it do not score better (tested after tuning)",
    ),
    "equivalent": FilterWords(
        "like another", "its gradients agree with those of a loss that was judged earlier"
    ),
    "outrun": FilterWords(
        "outrun", "others did better after the same part of the training, which it left there"
    ),
    "not converging": FilterWords(
        "not converging",
        "along ways to the right predictions it does not fall, or it has no rest there "
        "(tested on made-up predictions, without a network)",
    ),
    "poor in simulation": FilterWords(
        "poor in simulation",
        "made-up predictions that minimise it, without a network, come out less right than under "
        "others of its generation",
    ),
    "not finite": FilterWords(
        "failed in training", "of those trained with: the result was not a finite number"
    ),
}
"""Words for the filters' names; a method may have others, which are shown as they are."""


def number(value: float, digits: int = 4) -> str:
    """Writes a number with significant digits; what is not finite is called failed."""
    if not math.isfinite(value):
        return "failed"
    return f"{value:#.{digits}g}".rstrip(".") if 1e-3 <= abs(value) < 1e5 else f"{value:.{digits}g}"


def mean_and_deviation(mean: float, deviation: float) -> str:
    """Writes ``0.512 ± 0.013``, both to the same decimal place."""
    if not math.isfinite(mean):
        return "failed"
    if not math.isfinite(deviation):
        return number(mean)
    if deviation == 0 or not 1e-6 < deviation < 1e5:
        return f"{number(mean)} ± {number(deviation, 2)}"
    decimals = max(0, 1 - math.floor(math.log10(deviation)))
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"


def duration(seconds: float) -> str:
    """Writes a duration: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def cut(text: str, length: int) -> str:
    """Shortens a text to a number of characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Writes ``1 seed`` and ``2 seeds``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
