"""Finds a task by the short text and the settings that a person gives."""

from dataclasses import dataclass
from pathlib import Path

import jax

from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.tasks.bundled import BUNDLED_NAMES, bundled_data
from jaxloss.tasks.files import SUFFIXES, file_data
from jaxloss.tasks.metrics import Direction, Kind
from jaxloss.tasks.noise import with_label_noise, with_outliers
from jaxloss.tasks.raw import RawData
from jaxloss.tasks.splitting import SplitSettings
from jaxloss.tasks.supervised import SupervisedTask, supervised_task
from jaxloss.tasks.tfds import PREFIX, tfds_data


@dataclass(frozen=True)
class TaskSettings:
    """What a loss is judged on, besides the data themselves.

    Raises:
        InvalidInputError: a fraction, rate, scale or seed is out of range.
    """

    target: str | None = None
    """Column (or array) to predict, for files."""

    model: str = "mlp:50-50"
    """Network to train: linear, mlp:WIDTH-WIDTH-..., lenet5, or module:factory for your own."""

    metric: str | None = None
    """What should get better; a name such as macro_f1, or module:function for your own. Without
    one, error_rate for classes and mse for values."""

    metric_direction: Direction | None = None
    """Whether lower or higher values of your own metric are better; lower if not said."""

    kind: Kind | None = None
    """Whether to predict classes or values; if not said, as the data suggest."""

    train_fraction: float = 0.6
    """Fraction of rows that trains the network."""

    valid_fraction: float = 0.2
    """Fraction of rows that steers the search."""

    test_fraction: float = 0.2
    """Fraction of rows that only the final comparison sees."""

    split_seed: int = 0
    """Seed of the division into splits, and of the noise."""

    data_dir: str | None = None
    """Folder of prepared tensorflow-datasets, if not ~/tensorflow_datasets."""

    outliers: float = 0.0
    """Fraction of training targets to spoil with outliers (regression)."""

    outlier_scale: float = 10.0
    """Size of outliers, in standard deviations of the training targets."""

    label_noise: float = 0.0
    """Probability that a label of train or valid is changed to another class (classification)."""

    def __post_init__(self) -> None:
        self.split_settings()
        for name in ("outliers", "label_noise"):
            rate = getattr(self, name)
            require(0 <= rate < 1, f"{name} must be at least 0 and below 1, got {rate}")
        require(self.outlier_scale > 0, f"outlier_scale must be above 0, got {self.outlier_scale}")

    def split_settings(self) -> SplitSettings:
        """How the rows are divided."""
        return SplitSettings(
            self.train_fraction, self.valid_fraction, self.test_fraction, self.split_seed
        )


def load_task(spec: str, settings: TaskSettings | None = None) -> SupervisedTask:
    """Loads the data that ``spec`` names and makes a task of them.

    Args:
        spec: a name from `BUNDLED_NAMES`; a path that ends in ``.csv``, ``.parquet`` or ``.npz``;
            or ``"tfds:NAME"``, a set prepared by tensorflow-datasets.
        settings: target, network, metric, splits and noise.

    Returns:
        The task, with noise added to its training (and, for labels, validation) targets if the
        settings ask for it.

    Raises:
        InvalidInputError: there are no such data, or the settings do not fit them.
    """
    settings = settings or TaskSettings()
    raw = _raw_data(spec, settings)
    task = supervised_task(
        raw.name,
        raw.inputs,
        raw.targets,
        settings.kind or raw.kind,
        model=settings.model,
        metric=settings.metric,
        direction=settings.metric_direction,
        split=settings.split_settings(),
        test=raw.test,
        class_names=raw.class_names,
    )
    key = jax.random.key(settings.split_seed)
    if settings.outliers > 0:
        outlier_key = jax.random.fold_in(key, 0)
        task = with_outliers(outlier_key, task, settings.outliers, settings.outlier_scale)
    if settings.label_noise > 0:
        task = with_label_noise(jax.random.fold_in(key, 1), task, settings.label_noise)
    return task


def _raw_data(spec: str, settings: TaskSettings) -> RawData:
    is_file = Path(spec).suffix != "" or "/" in spec
    if is_file and not spec.startswith(PREFIX):
        return file_data(spec, settings.target, settings.kind)
    require(
        settings.target is None,
        f"{spec!r} has its own target; target {settings.target!r} is for files only",
    )
    if spec.startswith(PREFIX):
        return tfds_data(spec.removeprefix(PREFIX), settings.data_dir)
    if spec in BUNDLED_NAMES:
        return bundled_data(spec)
    raise InvalidInputError(
        f"unknown task {spec!r}; valid, nearest first: "
        f"{', '.join(nearest_first(spec, BUNDLED_NAMES))}; or a path that ends in "
        f"{', '.join(SUFFIXES)}; or {PREFIX}NAME"
    )
