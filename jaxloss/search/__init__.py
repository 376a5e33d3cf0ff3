"""The methods that learn losses, each a `Search` of one shape."""

from jaxloss.search.adalfl import AdaLFLSettings, adalfl
from jaxloss.search.arl import ARLSettings, arl
from jaxloss.search.cse_autoloss import cse_autoloss
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.search.evomal import EvoMALSettings, evomal
from jaxloss.search.glo import GLOSettings, glo
from jaxloss.search.gp_lfl import GPLFLSettings, gp_lfl
from jaxloss.search.meta_pinn import MetaPINNSettings, meta_pinn
from jaxloss.search.ml3 import ML3Settings, ml3
from jaxloss.search.registry import METHODS, Method, Preset, method_named
from jaxloss.search.search import FrontEntry, Info, Search
from jaxloss.search.taylorglo import TaylorGLOSettings, taylorglo
from jaxloss.search.whole import WholeResult, best_losses, whole_search

__all__ = [
    "METHODS",
    "ARLSettings",
    "AdaLFLSettings",
    "CSEAutoLossSettings",
    "EvoMALSettings",
    "FrontEntry",
    "GLOSettings",
    "GPLFLSettings",
    "Info",
    "ML3Settings",
    "MetaPINNSettings",
    "Method",
    "Preset",
    "Search",
    "TaylorGLOSettings",
    "WholeResult",
    "adalfl",
    "arl",
    "best_losses",
    "cse_autoloss",
    "evomal",
    "glo",
    "gp_lfl",
    "meta_pinn",
    "method_named",
    "ml3",
    "taylorglo",
    "whole_search",
]
