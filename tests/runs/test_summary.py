import numpy as np
from run_helpers import made_up_comparison, quiet

from jaxloss.runs.summary import print_ranking


def test_losses_whose_trainings_failed_are_ranked_last_and_say_so() -> None:
    usual = (0.5, 0.6, 0.55)
    console = quiet()
    print_ranking(
        console,
        [
            made_up_comparison(usual, (0.1, np.nan, np.nan), "f - y"),
            made_up_comparison(usual, (np.nan,) * 3, "y - f"),
            made_up_comparison(usual, (0.7, 0.8, 0.75), "abs(f - y)"),
        ],
    )
    printed = getattr(console.file, "getvalue", str)()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines()]
    rows = [row for row in rows if row]
    assert [row[:3] for row in rows] == [
        ["task loss: square(f - y)", "0.550 ± 0.050", "0.550 ± 0.050"],
        ["abs(f - y)", "0.750 ± 0.050", "0.750 ± 0.050"],
        ["f - y", "0.1000 (2 failed)", "0.1000 (2 failed)"],
        ["y - f", "failed", "failed"],
    ]
