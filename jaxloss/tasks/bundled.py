"""The small data sets that come with scikit-learn: no network, no files.

Source: https://scikit-learn.org/stable/datasets/toy_dataset.html
"""

from typing import Any

from jaxloss.errors import unknown_name
from jaxloss.tasks.metrics import Kind
from jaxloss.tasks.raw import RawData

BUNDLED_NAMES = ("diabetes", "breast_cancer", "wine", "digits")
"""Regression with 442 rows, then classification with 569, 178 and 1797 rows."""


def bundled_data(name: str) -> RawData:
    """Loads a data set that comes with scikit-learn.

    Args:
        name: one of `BUNDLED_NAMES`. ``"digits"`` are images ``[1797, 8, 8, 1]``, the others
            tables.

    Raises:
        InvalidInputError: the name is none of these.
    """
    if name not in BUNDLED_NAMES:
        raise unknown_name("data set", name, BUNDLED_NAMES)
    from sklearn import datasets

    # scikit-learn types these functions by an argument; what they return without it is a Bunch.
    data: Any = getattr(datasets, f"load_{name}")()
    kind: Kind = "regression" if name == "diabetes" else "classification"
    inputs = data.images[..., None] if name == "digits" else data.data
    class_names = () if kind == "regression" else tuple(map(str, data.target_names))
    return RawData(name, inputs, data.target, kind, class_names)
