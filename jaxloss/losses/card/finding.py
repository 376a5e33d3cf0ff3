"""What a card says of a loss, statement by statement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jaxloss.errors import unknown_name

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Finding:
    """One statement about a loss, found by sampling.

    Attributes:
        topic: its short name; one of `zoo.PROPERTIES` where the registry knows that property.
        question: what was asked, in words.
        statement: the answer, one or two sentences.
        how: how it was checked and on which range.
        holds: whether the answer is yes. Sampling proves no yes: it is then the absence of a
            counterexample. None where it is no matter of yes and no.
        counterexample: where it fails, if it does.
        numbers: what was measured, by name.
    """

    topic: str
    question: str
    statement: str
    how: str
    holds: bool | None = None
    counterexample: str | None = None
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def answer(self) -> str:
        """The answer in a word."""
        return {True: "yes", False: "no", None: ""}[self.holds]


def find(findings: tuple[Finding, ...], topic: str) -> Finding:
    """Finds a statement by its topic.

    Raises:
        InvalidInputError: nothing was said about it.
    """
    for finding in findings:
        if finding.topic == topic:
            return finding
    raise unknown_name("topic", topic, [finding.topic for finding in findings])


def written(value: float, digits: int = 4) -> str:
    """Writes a number with significant digits; what can only be a rounding error is 0."""
    if abs(value) < _ROUNDING:
        return "0"
    return f"{value:.{digits}g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def share(probability: float) -> str:
    """Writes a probability, one close to 1 as 1 less what is missing."""
    missing = 1.0 - probability
    return f"1 - {written(missing, 2)}" if 0 < missing < 1e-3 else written(probability)


def sentence(text: str) -> str:
    """Begins with a capital letter, as a sentence does."""
    return text[:1].upper() + text[1:]


def listed(values: list[str]) -> str:
    """Writes ``a, b and c``."""
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}"
