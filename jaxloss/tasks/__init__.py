"""What a loss is judged on: data in three splits, a network, a view and a metric."""

from jaxloss.tasks.bundled import BUNDLED_NAMES, bundled_data
from jaxloss.tasks.files import SUFFIXES, file_data
from jaxloss.tasks.metrics import (
    DEFAULT_METRIC,
    METRIC_NAMES,
    Direction,
    Kind,
    Metric,
    metric_named,
)
from jaxloss.tasks.noise import with_label_noise, with_outliers
from jaxloss.tasks.raw import RawData
from jaxloss.tasks.registry import TaskSettings, load_task
from jaxloss.tasks.splitting import SplitSettings
from jaxloss.tasks.supervised import SupervisedTask, supervised_task
from jaxloss.tasks.task import Split, Task
from jaxloss.tasks.tfds import tfds_data

__all__ = [
    "BUNDLED_NAMES",
    "DEFAULT_METRIC",
    "METRIC_NAMES",
    "SUFFIXES",
    "Direction",
    "Kind",
    "Metric",
    "RawData",
    "Split",
    "SplitSettings",
    "SupervisedTask",
    "Task",
    "TaskSettings",
    "bundled_data",
    "file_data",
    "load_task",
    "metric_named",
    "supervised_task",
    "tfds_data",
    "with_label_noise",
    "with_outliers",
]
