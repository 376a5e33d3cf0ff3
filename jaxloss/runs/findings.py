"""All that a run found, and what it amounts to in plain words."""

from typing import NamedTuple

from jaxloss.learning.trials import Finalist
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs.comparison import Comparison, verdict
from jaxloss.runs.records import GenerationRecord
from jaxloss.runs.settings import RunSettings
from jaxloss.search.search import FrontEntry


class Findings(NamedTuple):
    """All that a report tells of.

    Attributes:
        settings: of the run.
        records: one for each generation.
        front: losses that no smaller one beats.
        finalists: best first.
        comparison: of the best learned loss with the task loss; None if no candidate survived.
    """

    settings: RunSettings
    records: list[GenerationRecord]
    front: list[FrontEntry]
    finalists: list[Finalist]
    comparison: Comparison | None

    @property
    def winner(self) -> LearnedLoss:
        """The loss that the run hands over."""
        return self.finalists[0].loss


def outcome(findings: Findings) -> str:
    """Says in plain words what the search came to."""
    comparison = findings.comparison
    if comparison is None:
        return "No candidate survived the filters, so the run hands over the task loss."
    if not findings.finalists[0].learned:
        return (
            "Nothing beat the task loss: trained again with fresh seeds, no learned loss scored "
            "better on the validation split, so the run hands over the task loss. For the best "
            f"learned loss: {_lowered(verdict(comparison))}"
        )
    return verdict(comparison)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
