"""Made-up comparisons that several tests look at."""

from jaxloss.runs.grid.ranking import JudgedProblem, JudgedRow, Observation, Standing, stand

PROBLEMS = (
    JudgedProblem("digits", "error_rate", False, "cross_entropy"),
    JudgedProblem("wine & co_1", "macro_f1", True, "cross_entropy"),
)
ROWS = (
    JudgedRow("evomal", learned=True),
    JudgedRow("cross_entropy", learned=False, tuned=True),
    JudgedRow("focal", learned=False, tuned=True),
    JudgedRow("huber", learned=False, tuned=True),
)
VALUES: dict[tuple[str, str], tuple[tuple[float | None, ...], ...]] = {
    ("evomal", "digits"): ((0.1, 0.12), (0.12, 0.12), (0.11, 0.11), (0.1, 0.1)),
    ("cross_entropy", "digits"): ((0.2, 0.2), (0.21, 0.23), (0.2, 0.2), (0.21, 0.21)),
    ("focal", "digits"): ((0.05, 0.05), (0.05, None), (0.06, 0.06), (0.05, 0.05)),
    ("evomal", "wine & co_1"): ((0.8,), (0.82,), (0.81,), (0.8,)),
    ("cross_entropy", "wine & co_1"): ((0.9,), (0.93,), (0.92,), (0.9,)),
    ("focal", "wine & co_1"): ((0.91,), (0.92,), (0.93,), (0.9,)),
}
"""By row and problem, seed by seed, the evaluation trainings; huber has none."""


def example_observations() -> list[Observation]:
    found = [
        Observation(row, problem, seed, values)
        for (row, problem), seeds in VALUES.items()
        for seed, values in enumerate(seeds)
    ]
    note = "predicts values, not classes"
    return [*found, *(Observation("huber", one.name, 0, (), note) for one in PROBLEMS)]


def example_standing() -> Standing:
    return stand(PROBLEMS, ROWS, example_observations())
