"""Losses: families of parametrised losses, the compiler of trees, and the frozen result."""

from jaxloss.losses.adaptive import AdaptiveForm
from jaxloss.losses.family import LossFamily
from jaxloss.losses.form import Form
from jaxloss.losses.forms import TreeForm
from jaxloss.losses.interpreter import assemble, interpret
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.network import NetworkForm, adalfl_network, ml3_network, pinn_network
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.taylor import TaylorForm
from jaxloss.losses.tree import compile_expression
from jaxloss.losses.zoo_form import ZooForm, zoo_form

__all__ = [
    "AdaptiveForm",
    "Form",
    "LearnedLoss",
    "LossFamily",
    "NetworkForm",
    "OnlineForm",
    "TaylorForm",
    "TreeForm",
    "ZooForm",
    "adalfl_network",
    "assemble",
    "compile_expression",
    "interpret",
    "ml3_network",
    "pinn_network",
    "zoo_form",
]
