"""Finds tasks by the short text and the settings that a person gives."""

from dataclasses import replace

from jaxloss.errors import require
from jaxloss.tasks.families import OWN_NETWORKS, load_family_task, of_family
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.supervised_registry import load_supervised_task
from jaxloss.tasks.task import ReusableTask, Task, require_alike


def load_task(spec: str, settings: TaskSettings | None = None) -> ReusableTask:
    """Loads the data that ``spec`` names and makes a task of them.

    Args:
        spec: a name from `BUNDLED_NAMES`; ``"boxes"``, a set that is made from a fixed seed and
            holds no real data (`jaxloss.tasks.boxes_data`); a path without commas that ends in
            ``.csv``, ``.parquet`` or ``.npz``; ``"tfds:NAME"``, a set prepared by
            tensorflow-datasets; or ``"FAMILY:NAME"`` with a family of
            `jaxloss.tasks.families.FAMILIES`.
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
    if of_family(spec):
        return load_family_task(spec, settings)
    return load_supervised_task(spec, settings)


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
            losses the same view or have different metrics.
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
    require_alike(tasks)
    return tuple(tasks)


def _separate(text: str, what: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    require(all(names), f"{what} {text!r}: expected names joined by single commas, one is empty")
    return names
