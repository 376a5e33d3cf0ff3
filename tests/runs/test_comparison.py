import numpy as np
import pytest
from run_helpers import made_up_comparison

from jaxloss.runs.comparison import verdict

SOUND, FAILED, ONCE = (0.5, 0.6, 0.55), (np.nan,) * 3, (0.5, np.inf, 0.55)


@pytest.mark.parametrize(
    ("usual", "learned", "expected"),
    [
        (SOUND, FAILED, "every training under the learned loss failed, and none under the task"),
        (FAILED, SOUND, "every training under the task loss failed, and none under the learned"),
        # Where both had failures, neither is beyond doubt.
        (ONCE, FAILED, "there is no clear difference"),
        (FAILED, FAILED, "there is no clear difference"),
        (SOUND, ONCE, "there is no clear difference"),
    ],
)
def test_the_verdict_says_which_trainings_failed(
    usual: tuple[float, ...], learned: tuple[float, ...], expected: str
) -> None:
    text = verdict(made_up_comparison(usual, learned))
    assert text.startswith(f"On the test split {expected}")
    for name, values in (("task", usual), ("learned", learned)):
        failed = int(np.sum(~np.isfinite(values)))
        counted = f"{failed} of 3 trainings under the {name} loss failed." in text
        assert counted == (failed > 0 and "every" not in expected)
