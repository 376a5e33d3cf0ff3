"""What a comparison is going to do, in plain words, and how its rows are made comparable."""

import math

from jaxloss.runs.grid.arena import Arena
from jaxloss.runs.grid.budget import WIDER, GridBudget
from jaxloss.runs.grid.contenders import Unfit
from jaxloss.runs.grid.evaluating import tuning_settings
from jaxloss.runs.grid.settings import GridSettings
from jaxloss.runs.words import plural

_FACTORS = ("problem", "row", "seed")


def grid_lines(settings: GridSettings) -> list[str]:
    """Lists the problems and rows of a comparison and what it may spend; loads no data."""
    factors = (len(settings.problems), len(settings.rows), settings.seeds)
    words = (plural(number, name) for number, name in zip(factors, _FACTORS, strict=True))
    return [
        *(f"problem  {problem.name}" for problem in settings.problems),
        f"methods  {', '.join(settings.methods) or 'none'}",
        f"losses   {', '.join(settings.losses) or 'none'}",
        f"cells    {' x '.join(words)} = {math.prod(factors)}",
        *budget_lines(settings.budget),
    ]


def overview(settings: GridSettings, arena: Arena, count: int, done: int) -> list[str]:
    """Says what is compared, on what, and how much of it is there already."""
    unfit = [one for one in arena.contenders.values() if isinstance(one, Unfit)]
    lines = grid_lines(settings)
    if arena.added:
        names = ", ".join(row.name for row in arena.added)
        lines.append(f"added    {names}: the usual loss, which all others are compared with")
    if unfit:
        lines.append(
            f"left out {plural(len(unfit), 'row')} on problems that they cannot serve; "
            "the report says why"
        )
    lines.append(f"results  {settings.folder}: {done} of {plural(count, 'cell')} done")
    return lines


def budget_lines(budget: GridBudget) -> list[str]:
    """Says what each cell may spend."""
    search = (
        "as many training steps as its own settings ask for"
        if budget.search_steps is None
        else f"{budget.search_steps:,} inner training steps, the same for every method"
    )
    tuning = f"{budget.tuning:,} training steps" if budget.tuning else "none"
    return [
        f"budget   search: {search}",
        f"         tuning: {tuning}; judged by {plural(budget.trainings, 'training')} of "
        f"{budget.steps:,} steps",
    ]


def fairness(settings: GridSettings) -> list[str]:
    """Says how rows were made comparable, for the report."""
    budget = settings.budget
    said: list[str] = []
    if budget.search_steps is not None:
        said.append(
            f"Every search may take {budget.search_steps:,} inner training steps, those of "
            "meta-gradients included; the generation that passes this number is its last. "
            f"Methods that go on for as long as they are let have {WIDER} times the generations of "
            "their preset, since filters spare them most trainings, unless others were asked for. "
            "ML³ and AdaLFL end with their own procedure if that is shorter; GLO looks for a tree "
            "until half of the number is taken and tunes its coefficients with the rest."
        )
    said.append(
        "Not counted in that budget: the optimisation of outputs by which hopeless losses are "
        "rejected, and the trainings that choose among a search's finalists. The loss of a cell is "
        "the best of the learned finalists, even where the usual loss did better. The column of "
        "training steps holds what was taken, finalists included."
    )
    said.append(
        f"Each loss is judged by {plural(budget.trainings, 'training')} at each seed, from the "
        f"same networks and batches for all rows: {budget.steps:,} steps with the optimiser as it "
        "is."
    )
    if budget.tuning:
        said.append(
            f"Tuned: each row at each seed may take {budget.tuning:,} training steps to tune "
            "learning rate, weight decay, number of steps and the loss's own parameters on the "
            f"validation split: {_tuning(budget)}. What AdaLFL learned adapts in these trainings "
            "too."
        )
    return said


def _tuning(budget: GridBudget) -> str:
    """Says in words how configurations are compared."""
    settings = tuning_settings(budget)
    first = (
        f"{plural(settings.configurations, 'configuration')}, the training as it is among them, "
        f"by {plural(settings.seeds, 'training')} each"
    )
    if not settings.finalists:
        return first
    return (
        f"{first}; then {settings.finalists} of them, the best and the training as it is, by "
        f"{settings.finalists} more with fresh networks, and the mean decides"
    )
