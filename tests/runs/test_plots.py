from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_helpers import made_up_comparison

from jaxloss.runs import plots


def test_a_training_picture_shows_the_tables_deviation_and_tells_whom_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[Any] = []
    real = plots.draw

    def keep(path: Path, width: float, height: float, panels: int, paint: Any) -> None:
        def paint_and_keep(axes: Any) -> None:
            paint(axes)
            painted.append(axes)

        real(path, width, height, panels, paint_and_keep)

    monkeypatch.setattr(plots, "draw", keep)
    path = tmp_path / "training.png"
    plots.training_picture(path, made_up_comparison((1.0, 3.0, 5.0), (2.0, np.nan, 2.0)))
    assert path.read_bytes().startswith(b"\x89PNG")
    (axes,) = painted
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["task loss", "learned loss (2 of 3 seeds)"]
    # The standard deviation of 1, 3 and 5 is 2.
    low, high = axes.collections[0].get_datalim(axes.transData).intervaly
    assert (low, high) == pytest.approx((1.0, 5.0))
