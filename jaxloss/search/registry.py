"""The methods by name, and the settings that each preset gives them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from jaxloss.errors import unknown_name
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.search.adalfl import AdaLFLSettings, adalfl
from jaxloss.search.arl import ARLSettings, arl
from jaxloss.search.cse_autoloss import cse_autoloss
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.search.evomal import EvoMALSettings, evomal
from jaxloss.search.glo import GLOSettings, glo
from jaxloss.search.gp_lfl import GPLFLSettings, gp_lfl
from jaxloss.search.meta_pinn import MetaPINNSettings, meta_pinn
from jaxloss.search.ml3 import ML3Settings, ml3
from jaxloss.search.search import Search
from jaxloss.search.settings import MethodSettings
from jaxloss.search.taylorglo import TaylorGLOSettings, taylorglo

Preset = Literal["quick", "default", "paper"]


class Method(NamedTuple):
    """A method that learns losses.

    Attributes:
        make: ``(tasks, settings) -> search``.
        settings: the class of its settings; its defaults are the paper's unless *assumed*.
        presets: settings by preset; "paper" leaves out the strategies' rejection test.
    """

    make: Callable[[Any, Any], Search]
    settings: type[MethodSettings]
    presets: dict[Preset, MethodSettings]


_QUICK_COMMON: dict[str, Any] = {
    "fitness": FitnessSettings(steps=300, seeds=2),
    "trial": TrialSettings(steps=1000, finalists=3, finalist_seeds=5, seeds=5),
}
_DEFAULT_COMMON: dict[str, Any] = {
    "fitness": FitnessSettings(seeds=5),
    "trial": TrialSettings(steps=2000, finalist_seeds=10),
}
_QUICK: dict[str, Any] = {
    **_QUICK_COMMON,
    "population": 16,
    "generations": 6,
    "rejection": RejectionSettings(steps=200),
}
_DEFAULT: dict[str, Any] = {**_DEFAULT_COMMON, "generations": 20}
_QUICK_STRATEGY: dict[str, Any] = {
    **_QUICK,
    "rejection": RejectionSettings(when="before", steps=200),
}


def _normalized(settings: dict[str, Any]) -> dict[str, Any]:
    return {**settings, "fitness": replace(settings["fitness"], normalize=True)}


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
    "ml3": Method(
        ml3,
        ML3Settings,
        {
            "quick": ML3Settings(
                population=4, tuning=LocalSearchSettings(meta_steps=100), **_QUICK_COMMON
            ),
            "default": ML3Settings(population=8, **_DEFAULT_COMMON),
            "paper": ML3Settings(),
        },
    ),
    "taylorglo": Method(
        taylorglo,
        TaylorGLOSettings,
        {
            "quick": TaylorGLOSettings(**_QUICK_STRATEGY),
            "default": TaylorGLOSettings(**_DEFAULT),
            "paper": TaylorGLOSettings(rejection=RejectionSettings(when="never")),
        },
    ),
    "glo": Method(
        glo,
        GLOSettings,
        {
            "quick": GLOSettings(**{**_QUICK, "generations": 4}, coefficient_generations=2),
            "default": GLOSettings(**{**_DEFAULT, "generations": 12}, coefficient_generations=8),
            "paper": GLOSettings(),
        },
    ),
    "arl": Method(
        arl,
        ARLSettings,
        {
            "quick": ARLSettings(**_normalized(_QUICK_STRATEGY)),
            "default": ARLSettings(**_normalized(_DEFAULT)),
            "paper": ARLSettings(rejection=RejectionSettings(when="never")),
        },
    ),
    "cse_autoloss": Method(
        cse_autoloss,
        CSEAutoLossSettings,
        {
            "quick": CSEAutoLossSettings(
                population=16, generations=6, proposals=400, **_QUICK_COMMON
            ),
            "default": CSEAutoLossSettings(generations=20, **_DEFAULT_COMMON),
            "paper": CSEAutoLossSettings(),
        },
    ),
    "adalfl": Method(
        adalfl,
        AdaLFLSettings,
        {
            "quick": AdaLFLSettings(
                population=2, tuning=LocalSearchSettings(meta_steps=500), **_QUICK_COMMON
            ),
            "default": AdaLFLSettings(population=2, **_DEFAULT_COMMON),
            "paper": AdaLFLSettings(),
        },
    ),
    "meta_pinn": Method(
        meta_pinn,
        MetaPINNSettings,
        {
            "quick": MetaPINNSettings(
                population=4,
                generations=5,
                spread=0.5,
                tuning=LocalSearchSettings(
                    meta_steps=200, inner_steps=10, learning_rate=1e-2, clip_norm=1.0
                ),
                **_QUICK_COMMON,
            ),
            "default": MetaPINNSettings(
                population=4,
                spread=0.5,
                tuning=LocalSearchSettings(
                    meta_steps=2000, inner_steps=20, learning_rate=1e-2, clip_norm=1.0
                ),
                **_DEFAULT_COMMON,
            ),
            "paper": MetaPINNSettings(),
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
