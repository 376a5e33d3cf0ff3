"""The methods that learn losses, each a `Search` of one shape."""

from jaxloss.search.evomal import EvoMALSettings, evomal
from jaxloss.search.gp_lfl import GPLFLSettings, gp_lfl
from jaxloss.search.registry import METHODS, Method, Preset, method_named
from jaxloss.search.search import FrontEntry, Info, Search
from jaxloss.search.whole import WholeResult, best_losses, whole_search

__all__ = [
    "METHODS",
    "EvoMALSettings",
    "FrontEntry",
    "GPLFLSettings",
    "Info",
    "Method",
    "Preset",
    "Search",
    "WholeResult",
    "best_losses",
    "evomal",
    "gp_lfl",
    "method_named",
    "whole_search",
]
