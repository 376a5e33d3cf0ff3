"""All that a run found, and what it amounts to in plain words."""

from typing import NamedTuple

from jaxloss.learning.finalists import Finalist
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.comparison import Comparison, verdict
from jaxloss.runs.records import GenerationRecord
from jaxloss.runs.settings import RunSettings
from jaxloss.runs.simplify import Simplified
from jaxloss.search.search import FrontEntry


class Findings(NamedTuple):
    """All that a report tells of.

    Attributes:
        settings: of the run.
        records: one for each generation.
        front: losses that no smaller one beats.
        finalists: best first.
        comparisons: of the best learned loss with the task loss, one for each task; none if no
            candidate survived.
        simplified: the winner as SymPy simplifies it; None if it cannot.
    """

    settings: RunSettings
    records: list[GenerationRecord]
    front: list[FrontEntry]
    finalists: list[Finalist]
    comparisons: tuple[Comparison, ...]
    simplified: Simplified | None = None

    @property
    def winner(self) -> LearnedLoss:
        """The loss that the run hands over."""
        return self.finalists[0].loss


def outcome(findings: Findings) -> str:
    """Says in plain words what the search came to."""
    if not findings.comparisons:
        return "No candidate survived the filters, so the run hands over the task loss."
    text = " ".join(
        (f"{comparison.where}: " if len(findings.comparisons) > 1 else "") + verdict(comparison)
        for comparison in findings.comparisons
    )
    if not findings.finalists[0].learned:
        return (
            "Nothing beat the task loss: trained again with fresh seeds, no learned loss scored "
            "better on the validation split, so the run hands over the task loss. For the best "
            f"learned loss: {_lowered(text)}"
        )
    return text


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
