"""The methods by name, and the settings that each preset gives them."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from jaxloss.errors import unknown_name
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.learning.unroll import LocalSearchSettings
from jaxloss.search.evomal import EvoMALSettings, evomal
from jaxloss.search.gp_lfl import GPLFLSettings, gp_lfl
from jaxloss.search.search import Search
from jaxloss.search.settings import GeneticSettings

Preset = Literal["quick", "default", "paper"]


class Method(NamedTuple):
    """A method that learns losses.

    Attributes:
        make: ``(task, settings) -> search``.
        settings: the class of its settings; its defaults are the paper's.
        presets: settings by preset.
    """

    make: Callable[[Any, Any], Search]
    settings: type[GeneticSettings]
    presets: dict[Preset, GeneticSettings]


_QUICK: dict[str, Any] = {
    "population": 16,
    "generations": 6,
    "rejection": RejectionSettings(steps=200),
    "fitness": FitnessSettings(steps=300, seeds=2),
    "trial": TrialSettings(steps=1000, finalists=3, finalist_seeds=5, seeds=5),
}
_DEFAULT: dict[str, Any] = {
    "generations": 20,
    "fitness": FitnessSettings(seeds=5),
    "trial": TrialSettings(steps=2000, finalist_seeds=10),
}

METHODS: dict[str, Method] = {
    "evomal": Method(
        evomal,
        EvoMALSettings,
        {
            "quick": EvoMALSettings(local_search=LocalSearchSettings(meta_steps=100), **_QUICK),
            "default": EvoMALSettings(**_DEFAULT),
            "paper": EvoMALSettings(),
        },
    ),
    "gp_lfl": Method(
        gp_lfl,
        GPLFLSettings,
        {
            "quick": GPLFLSettings(**_QUICK),
            "default": GPLFLSettings(**_DEFAULT),
            "paper": GPLFLSettings(),
        },
    ),
}


def method_named(name: str) -> Method:
    """Finds a method.

    Raises:
        InvalidInputError: no method has that name.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]
