"""What a person sees while a search runs: a live display in a terminal, plain lines elsewhere."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from jaxloss.runs.records import GenerationRecord
from jaxloss.runs.words import FILTER_WORDS, cut, duration, number, plural

_LINE = 60
"""Characters of a formula in one line; the whole formula is in the records."""


class Overview(NamedTuple):
    """What progress needs to know of the run.

    Attributes:
        lines: what is done, in plain words.
        generations: how many there will be.
        metric: how reports call the metric.
        higher_is_better: its direction.
    """

    lines: tuple[str, ...]
    generations: int
    metric: str
    higher_is_better: bool

    def best(self, record: GenerationRecord) -> str:
        """Writes the best fitness in the metric's own direction."""
        if record.best_fitness is None:
            return "nothing has survived yet"
        value = -record.best_fitness if self.higher_is_better else record.best_fitness
        return f"best {self.metric} {number(value)}"


class Progress(Protocol):
    """Where a run says what it does."""

    def note(self, text: str) -> None:
        """Says something that stays to be read."""
        ...

    def phase(self, text: str) -> None:
        """Says what is being done now, which may take a while."""
        ...

    def generation(self, records: list[GenerationRecord]) -> None:
        """Shows the last of the records."""
        ...


def time_left(records: list[GenerationRecord], generations: int) -> float | None:
    """Guesses the seconds until the last generation; None before there is ground for a guess.

    The first two generations compile programs, so they say little about those to come.
    """
    typical = [record.seconds for record in records[2:]][-5:]
    if not typical:
        return None
    return sum(typical) / len(typical) * (generations - records[-1].generation)


def generation_line(overview: Overview, records: list[GenerationRecord]) -> str:
    """Writes a generation as one line."""
    record = records[-1]
    parts = [
        f"generation {record.generation}/{overview.generations}",
        f"{overview.best(record)}" + (f": {cut(record.formula, _LINE)}" if record.formula else ""),
        f"{plural(record.candidates, 'candidate')} in {duration(record.seconds)} "
        f"({_rate(record)}/s)",
        f"dropped: {_dropped(record)}",
    ]
    left = time_left(records, overview.generations)
    if left:
        parts.append(f"about {duration(left)} left")
    return " | ".join(parts)


def _rate(record: GenerationRecord) -> str:
    return f"{record.candidates / max(record.seconds, 1e-9):.3g}"


def _dropped(record: GenerationRecord) -> str:
    words = [
        f"{count} {FILTER_WORDS[name].short if name in FILTER_WORDS else name}"
        for name, count in record.dropped.items()
        if count
    ]
    return ", ".join(words) or "none"


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """One line for each event: for files, pipes and schedulers."""

    def __init__(self, console: Console, overview: Overview):
        self._console = console
        self._overview = overview

    def __enter__(self) -> Self:
        for line in self._overview.lines:
            self._print(line)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def note(self, text: str) -> None:
        """Prints the text."""
        self._print(text)

    def phase(self, text: str) -> None:
        """Prints the text."""
        self._print(text)

    def generation(self, records: list[GenerationRecord]) -> None:
        """Prints a line."""
        self._print(generation_line(self._overview, records))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        # A pipe would keep lines back until its buffer is full.
        self._console.file.flush()


class LiveProgress(AbstractContextManager["LiveProgress"]):
    """A display that renews itself."""

    def __init__(self, console: Console, overview: Overview):
        self._overview = overview
        self._console = console
        self._records: list[GenerationRecord] = []
        self._phase = ""
        self._spinner = Spinner("dots")
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        for line in self._overview.lines:
            self._console.print(line, markup=False, highlight=False)
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._phase = ""
        self._renew()
        self._live.stop()

    def note(self, text: str) -> None:
        """Prints the text above the display."""
        self._live.console.print(text, markup=False, highlight=False)

    def phase(self, text: str) -> None:
        """Shows the text below the display."""
        self._phase = text
        self._spinner.update(text=Text(text, style="dim"))
        self._renew()

    def generation(self, records: list[GenerationRecord]) -> None:
        """Renews the display."""
        self._records = records
        self._phase = ""
        self._renew()

    def _renew(self) -> None:
        parts: list[RenderableType] = []
        if self._records:
            parts.append(self._table())
        if self._phase:
            parts.append(self._spinner)
        self._live.update(Group(*parts), refresh=True)

    def _table(self) -> Table:
        record, overview = self._records[-1], self._overview
        left = time_left(self._records, overview.generations)
        bar = ProgressBar(total=overview.generations, completed=record.generation, width=30)
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        progress = Table.grid(padding=(0, 1))
        progress.add_row(
            f"{record.generation}/{overview.generations}",
            bar,
            f"about {duration(left)} left" if left else "",
        )
        table.add_row("generation", progress)
        table.add_row("best so far", Text(overview.best(record)))
        table.add_row("formula", Text(record.formula or "-", style="cyan"))
        table.add_row(
            "candidates", f"{record.candidates} in {duration(record.seconds)} ({_rate(record)}/s)"
        )
        table.add_row("dropped", _dropped(record))
        return table


def make_progress(console: Console, overview: Overview) -> PlainProgress | LiveProgress:
    """Chooses the display by whether a terminal is there to show it."""
    kind = LiveProgress if console.is_terminal and not console.is_dumb_terminal else PlainProgress
    return kind(console, overview)
