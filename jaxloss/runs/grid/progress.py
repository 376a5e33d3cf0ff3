"""What a person sees while a comparison runs: one line for each cell."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console

from jaxloss.runs.grid.cells import Cell, CellResult
from jaxloss.runs.grid.ranking import seed_value
from jaxloss.runs.words import cut, duration, number

Say = Callable[[str], None]


def say_line(console: Console, text: str) -> None:
    """Prints a line as it is, at once."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    # A pipe would keep lines back until its buffer is full.
    console.file.flush()


@contextmanager
def activity(console: Console, title: str) -> Iterator[Say]:
    """Shows in a terminal what is being done now; elsewhere nothing."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    with console.status(cut(title, console.width - 4)) as status:
        yield lambda text: status.update(cut(f"{title}: {text}", console.width - 4))


def cell_name(cell: Cell) -> str:
    """Names a cell, ``evomal on digits, seed 3``."""
    return f"{cell.row.name} on {cell.problem.name}, seed {cell.seed}"


def result_text(metric: str, result: CellResult) -> str:
    """Writes what a cell reached on the test split."""
    text = f"{metric} {number(seed_value(result.test))}"
    if result.tuned_test:
        text += f" (tuned {number(seed_value(result.tuned_test))})"
    return text


class Clock:
    """Guesses how long the cells to come will take, by what their like took."""

    def __init__(self) -> None:
        self._took: dict[tuple[str, str], list[float]] = {}

    def add(self, cell: Cell, seconds: float) -> None:
        """Notes how long a cell took."""
        self._took.setdefault((cell.row.name, cell.problem.name), []).append(seconds)

    def left(self, cells: Sequence[Cell]) -> float | None:
        """Guesses the seconds that cells will take; None before there is ground for a guess.

        The first cell of a row on a problem compiles, so the last one says most of the next.
        """
        if not self._took:
            return None
        by_row: dict[str, list[float]] = {}
        for (row, _), taken in self._took.items():
            by_row.setdefault(row, []).append(taken[-1])
        anywhere = [taken[-1] for taken in self._took.values()]

        def guess(cell: Cell) -> float:
            own = self._took.get((cell.row.name, cell.problem.name))
            like = own[-1:] if own else by_row.get(cell.row.name, anywhere)
            return sum(like) / len(like)

        return sum(map(guess, cells))


def cell_line(place: str, cell: Cell, metric: str, result: CellResult, left: float | None) -> str:
    """Writes a finished cell as one line."""
    parts = [result_text(metric, result), duration(result.seconds)]
    if left:
        parts.append(f"about {duration(left)} left")
    return f"cell {place}: {cell_name(cell)}: {', '.join(parts)}"
