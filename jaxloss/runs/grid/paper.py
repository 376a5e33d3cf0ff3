"""The problems that the papers compare losses on; most of their data have to be prepared first.

Data sets and networks are those of EvoMAL, https://arxiv.org/abs/2209.08907; which networks go with
which data set is *assumed* where the list alone is known.
"""

from jaxloss.runs.grid.problems import ProblemSpec
from jaxloss.tasks.settings import TaskSettings

_MLP = "mlp:1000-1000"

_DEEP = (
    *("alexnet", "vgg:16", "allcnn_c", "resnet:18", "preresnet:18", "wide_resnet:28-10"),
    *("squeezenet", "pyramidnet"),
)

_NETWORKS: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("diabetes", None, (_MLP,)),
    ("california_housing.csv", "MedHouseVal", (_MLP,)),
    ("communities_crime.csv", "ViolentCrimesPerPop", (_MLP,)),
    ("tfds:mnist", None, ("linear", _MLP, "lenet5")),
    ("tfds:cifar10", None, _DEEP),
    ("tfds:cifar100", None, ("wide_resnet:28-10", "pyramidnet")),
    ("tfds:svhn_cropped", None, ("wide_resnet:16-8", "allcnn_c")),
)
"""Data, the column to predict where they are a file, and networks."""

PAPER_PROBLEMS = tuple(
    ProblemSpec(task, TaskSettings(target=target, model=model), f"{name}, {model}")
    for task, target, models in _NETWORKS
    for name in (task.removeprefix("tfds:").removesuffix(".csv"),)
    for model in models
)
"""Each data set with each of its networks."""
