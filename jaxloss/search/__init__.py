"""The methods that learn losses, each a `Search` of one shape."""

from jaxloss.search.evomal import EvoMALSettings, evomal
from jaxloss.search.gp_lfl import GPLFLSettings, gp_lfl
from jaxloss.search.registry import METHODS, Method, Preset, method_named
from jaxloss.search.search import FrontEntry, Info, Search

__all__ = [
    "METHODS",
    "EvoMALSettings",
    "FrontEntry",
    "GPLFLSettings",
    "Info",
    "Method",
    "Preset",
    "Search",
    "evomal",
    "gp_lfl",
    "method_named",
]
