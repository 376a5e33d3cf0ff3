"""Finds tasks by the short text and the settings that a person gives."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import jax

from jaxloss.errors import InvalidInputError, nearest_first, require, unknown_name
from jaxloss.tasks.boxes import BOXES_NAME, boxes_data
from jaxloss.tasks.bundled import BUNDLED_NAMES, bundled_data
from jaxloss.tasks.files import SUFFIXES, file_data
from jaxloss.tasks.imbalance import with_imbalance
from jaxloss.tasks.metrics import Direction, Kind
from jaxloss.tasks.noise import with_label_noise, with_outliers
from jaxloss.tasks.raw import RawData
from jaxloss.tasks.splitting import SplitSettings
from jaxloss.tasks.supervised import SupervisedTask, supervised_task
from jaxloss.tasks.task import ReusableTask, Task, require_same_view
from jaxloss.tasks.tfds import PREFIX, tfds_data

NoiseKind = Literal["symmetric", "pair_flip"]
SpoiltSplits = Literal["train", "train,valid"]


@dataclass(frozen=True)
class TaskSettings:
    """What a loss is judged on, besides the data themselves.

    Raises:
        InvalidInputError: a fraction, rate, ratio, scale or seed is out of range, or a kind or
            choice of splits is unknown.
    """

    target: str | None = None
    """Column (or array) to predict, for files."""

    model: str = "mlp:50-50"
    """Network to train: linear, mlp:WIDTH-WIDTH-..., lenet5, a larger one for images (alexnet, vgg,
    allcnn_c, resnet, preresnet, wide_resnet, squeezenet, pyramidnet), fcn (for saliency), detector
    (for detection), or module:factory for your own; several joined by commas where several tasks
    are taken. The default stands for each family's own network, even if it is written out: fcn for
    saliency, detector for detection."""

    metric: str | None = None
    """What should get better; a name such as macro_f1, or module:function for your own. Without
    one, the task's own (error_rate for classes, mse for values, iou_error for boxes, ...)."""

    metric_direction: Direction | None = None
    """Whether lower or higher values of your own metric are better; lower if not said."""

    task_loss: str | None = None
    """The usual loss, which a learned one is to beat and which drives meta-gradients: a name of the
    zoo, perhaps with parameters, huber:delta=0.5. Without one, the task's own (cross_entropy for
    classes, mse for values, giou for boxes, ...)."""

    kind: Kind | None = None
    """Whether to predict classes, values or boxes; if not said, as the data suggest."""

    train_fraction: float = 0.6
    """Fraction of rows that trains the network."""

    valid_fraction: float = 0.2
    """Fraction of rows that steers the search."""

    test_fraction: float = 0.2
    """Fraction of rows that only the final comparison sees."""

    split_seed: int = 0
    """Seed of the division into splits, of the imbalance and of the noise."""

    data_dir: str | None = None
    """Folder of prepared tensorflow-datasets, if not ~/tensorflow_datasets."""

    outliers: float = 0.0
    """Fraction of targets to spoil with outliers (regression)."""

    outlier_scale: float = 10.0
    """Size of outliers, in standard deviations of the training targets; of an equation's known
    values, all kinds together."""

    outlier_splits: SpoiltSplits = "train,valid"
    """Where outliers are: train, or train,valid; test always stays clean."""

    imbalance: float = 1.0
    """Size of the largest to the smallest class of train and valid, where classes are of one size
    to begin with; 1 leaves them as they are (classification)."""

    label_noise: float = 0.0
    """Probability that a label is changed to another class (classification)."""

    label_noise_kind: NoiseKind = "symmetric"
    """Whether a changed label becomes any other class, or always the next one."""

    noise_splits: SpoiltSplits = "train,valid"
    """Where labels are changed: train, or train,valid; test always stays clean."""

    def __post_init__(self) -> None:
        self.split_settings()
        require(
            0 <= self.outliers < 1, f"outliers must be at least 0 and below 1, got {self.outliers}"
        )
        require(
            0 <= self.label_noise <= 1,
            f"label_noise must be at least 0 and at most 1, got {self.label_noise}",
        )
        require(self.outlier_scale > 0, f"outlier_scale must be above 0, got {self.outlier_scale}")
        require(
            math.isfinite(self.imbalance) and self.imbalance >= 1,
            f"imbalance must be 1 or more, got {self.imbalance}",
        )
        for name, choices in (
            ("outlier_splits", get_args(SpoiltSplits)),
            ("noise_splits", get_args(SpoiltSplits)),
            ("label_noise_kind", get_args(NoiseKind)),
        ):
            if getattr(self, name) not in choices:
                raise unknown_name(name, getattr(self, name), choices)

    def split_settings(self) -> SplitSettings:
        """How the rows are divided."""
        return SplitSettings(
            self.train_fraction, self.valid_fraction, self.test_fraction, self.split_seed
        )

    def network(self, own: str) -> str:
        """Names the network of a task that has one of its own, for which the default stands."""
        return own if self.model == type(self).model else self.model


def _pde(name: str, settings: TaskSettings) -> ReusableTask:
    # Equations know these settings and so import this module; few runs need them.
    from jaxloss.tasks.pde import load_pde

    return load_pde(name, settings)


def _rl(name: str, settings: TaskSettings) -> ReusableTask:
    # The family knows these settings and so imports this module; few runs need it.
    from jaxloss.tasks.rl.registry import load_rl

    return load_rl(name, settings)


def _retrieval(name: str, settings: TaskSettings) -> ReusableTask:
    from jaxloss.tasks.retrieval import load_retrieval_task

    return load_retrieval_task(name, settings)


def _detection(name: str, settings: TaskSettings) -> ReusableTask:
    from jaxloss.tasks.detection import load_detection

    return load_detection(name, settings)


def _saliency(name: str, settings: TaskSettings) -> ReusableTask:
    from jaxloss.tasks.saliency_registry import load_saliency_task

    return load_saliency_task(name, settings)


FAMILIES: dict[str, Callable[[str, TaskSettings], ReusableTask]] = {
    "detection": _detection,
    "pde": _pde,
    "retrieval": _retrieval,
    "rl": _rl,
    "saliency": _saliency,
}
"""Tasks that are more than rows with a target: ``"FAMILY:NAME"`` is made of the name and the
settings by the function of its family."""

OWN_NETWORKS = {"detection": "detector", "saliency": "fcn"}
"""Networks of families that cannot use the default of `TaskSettings.model`: it stands for these."""


def of_family(spec: str) -> bool:
    """Says whether a task is of a family, and so no rows whose targets were standardised."""
    family, colon, _ = spec.partition(":")
    return bool(colon) and family in FAMILIES


def load_task(spec: str, settings: TaskSettings | None = None) -> ReusableTask:
    """Loads the data that ``spec`` names and makes a task of them.

    Args:
        spec: a name from `BUNDLED_NAMES`; ``"boxes"``, a set that is made from a fixed seed and
            holds no real data (`jaxloss.tasks.boxes_data`); a path without commas that ends in
            ``.csv``, ``.parquet`` or ``.npz``; ``"tfds:NAME"``, a set prepared by
            tensorflow-datasets; or ``"FAMILY:NAME"`` with a family of `FAMILIES`.
        settings: target, network, metric, splits, imbalance and noise.

    Returns:
        The task; if the settings ask for it, with classes made rare in train and valid, and after
        that with noise added to the targets of train (and valid).

    Raises:
        InvalidInputError: there are no such data, the settings do not fit them, or the spec or the
            model names several.
    """
    settings = settings or TaskSettings()
    for what, text in (("task", spec), ("model", settings.model)):
        require(
            "," not in text,
            f"{what} {text!r} has a comma; load_task takes one task and one model: load several "
            "with load_tasks (paths must not have commas)",
        )
    family, _, name = spec.partition(":")
    if of_family(spec):
        return FAMILIES[family](name, settings)
    return load_supervised_task(spec, settings)


def load_supervised_task(spec: str, settings: TaskSettings | None = None) -> SupervisedTask:
    """Is `load_task` for rows with a target each."""
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
        task_loss=settings.task_loss,
        split=settings.split_settings(),
        test=raw.test,
        class_names=raw.class_names,
    )
    key = jax.random.key(settings.split_seed)
    outlier_key, label_key, imbalance_key = (jax.random.fold_in(key, part) for part in range(3))
    if settings.outliers > 0:
        splits = settings.outlier_splits.split(",")
        task = with_outliers(outlier_key, task, settings.outliers, settings.outlier_scale, splits)
    if settings.imbalance > 1:
        task = with_imbalance(imbalance_key, task, settings.imbalance)
    if settings.label_noise > 0:
        splits, flip = settings.noise_splits.split(","), settings.label_noise_kind == "pair_flip"
        task = with_label_noise(label_key, task, settings.label_noise, splits, flip)
    return task


def load_tasks(spec: str, settings: TaskSettings | None = None) -> tuple[Task, ...]:
    """Loads every named task with every named model, to be judged on together.

    Args:
        spec: what `load_task` takes, or several of these joined by commas, ``"wine,digits"``.
            Paths must not have commas.
        settings: as for `load_task`, and the same for all; ``settings.model`` may name several
            models joined by commas, ``"mlp:50-50,linear"``.

    Returns:
        The first task with each model, then the second with each, and so on.

    Raises:
        InvalidInputError: a task cannot be loaded, a name is empty, or the tasks do not show their
            losses the same view.
    """
    settings = settings or TaskSettings()
    first, *others = (replace(settings, model=one) for one in _separate(settings.model, "model"))
    tasks: list[Task] = []
    for name in _separate(spec, "task"):
        # Further networks share the data, which are read and stored once.
        task = load_task(name, first)
        own = OWN_NETWORKS.get(name.partition(":")[0]) if of_family(name) else None
        tasks.append(task)
        tasks += [task.with_model(one.network(own or one.model)) for one in others]
    require_same_view(tasks)
    return tuple(tasks)


def _separate(text: str, what: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    require(all(names), f"{what} {text!r}: expected names joined by single commas, one is empty")
    return names


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
    if spec == BOXES_NAME:
        return boxes_data()
    raise InvalidInputError(
        f"unknown task {spec!r}; valid, nearest first: "
        f"{', '.join(nearest_first(spec, (*BUNDLED_NAMES, BOXES_NAME)))}; or a path that ends in "
        f"{', '.join(SUFFIXES)}; or {PREFIX}NAME"
        + "".join(f"; or {family}:NAME" for family in FAMILIES)
    )
