"""What a loss is judged on: data in three splits, a network, a view and a metric."""

from jaxloss.tasks.boxes import boxes_data
from jaxloss.tasks.bundled import BUNDLED_NAMES, bundled_data
from jaxloss.tasks.files import SUFFIXES, file_data
from jaxloss.tasks.imbalance import with_imbalance
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
from jaxloss.tasks.registry import load_task, load_tasks
from jaxloss.tasks.retrieval import (
    RetrievalSettings,
    RetrievalTask,
    retrieval_task,
)
from jaxloss.tasks.saliency import SaliencyTask, saliency_task
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.splitting import SplitSettings
from jaxloss.tasks.supervised import SupervisedTask, supervised_task
from jaxloss.tasks.supervised_registry import load_supervised_task
from jaxloss.tasks.task import Split, Task, require_alike
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
    "RetrievalSettings",
    "RetrievalTask",
    "SaliencyTask",
    "Split",
    "SplitSettings",
    "SupervisedTask",
    "Task",
    "TaskSettings",
    "boxes_data",
    "bundled_data",
    "file_data",
    "load_supervised_task",
    "load_task",
    "load_tasks",
    "metric_named",
    "require_alike",
    "retrieval_task",
    "saliency_task",
    "supervised_task",
    "tfds_data",
    "with_imbalance",
    "with_label_noise",
    "with_outliers",
]
