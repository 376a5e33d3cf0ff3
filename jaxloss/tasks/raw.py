"""What a source of data hands over, before it is divided and standardised."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Num, Shaped

from jaxloss.tasks.metrics import Kind


class RawData(NamedTuple):
    """Arrays as their source has them.

    Attributes:
        name: how reports call the task.
        inputs: one row for each example, in the units of the source.
        targets: classes as text or numbers, values, or boxes.
        kind: ``"classification"``, ``"regression"`` or ``"boxes"``.
        class_names: names of the classes 0, 1, ... if the targets are such numbers.
        test: inputs and targets of the source's own test set, if it has one.
    """

    name: str
    inputs: Num[np.ndarray, "rows ..."]
    targets: Shaped[np.ndarray, "rows ..."]
    kind: Kind
    class_names: tuple[str, ...] = ()
    test: tuple[Num[np.ndarray, "own ..."], Shaped[np.ndarray, "own ..."]] | None = None
