"""Tasks that are more than rows with a target: ``"FAMILY:NAME"``."""

import importlib

from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.task import ReusableTask

FAMILIES = {
    "detection": "jaxloss.tasks.detection.registry:load_detection",
    "pde": "jaxloss.tasks.pde.registry:load_pde",
    "retrieval": "jaxloss.tasks.retrieval:load_retrieval_task",
    "rl": "jaxloss.tasks.rl.registry:load_rl",
    "saliency": "jaxloss.tasks.saliency_registry:load_saliency_task",
}
"""The function of each family, by module and name: ``(name, settings) -> task``. Few runs need one,
which is then imported."""

OWN_NETWORKS = {"detection": "detector", "saliency": "fcn"}
"""Networks of families that cannot use the default of `TaskSettings.model`: it stands for these."""


def of_family(spec: str) -> bool:
    """Says whether a task is of a family, and so no rows whose targets were standardised."""
    family, colon, _ = spec.partition(":")
    return bool(colon) and family in FAMILIES


def load_family_task(spec: str, settings: TaskSettings) -> ReusableTask:
    """Makes the task of a family.

    Args:
        spec: ``"FAMILY:NAME"``, with a key of `FAMILIES`.
        settings: what the family takes of them.

    Raises:
        InvalidInputError: the family has no such task, or the settings do not fit it.
    """
    family, _, name = spec.partition(":")
    module, function = FAMILIES[family].split(":")
    return getattr(importlib.import_module(module), function)(name, settings)
