"""Finds rows with a target each by the short text and the settings that a person gives."""

from pathlib import Path

import jax

from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.tasks.boxes import BOXES_NAME, boxes_data
from jaxloss.tasks.bundled import BUNDLED_NAMES, bundled_data
from jaxloss.tasks.families import FAMILIES
from jaxloss.tasks.files import SUFFIXES, file_data
from jaxloss.tasks.imbalance import with_imbalance
from jaxloss.tasks.noise import with_label_noise, with_outliers
from jaxloss.tasks.raw import RawData
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.supervised import SupervisedTask, supervised_task
from jaxloss.tasks.tfds import PREFIX, tfds_data


def load_supervised_task(spec: str, settings: TaskSettings | None = None) -> SupervisedTask:
    """Is `jaxloss.tasks.registry.load_task` for rows with a target each."""
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
