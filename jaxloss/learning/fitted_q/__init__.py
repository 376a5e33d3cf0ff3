"""Fitted Q with any differentiable value function and any loss, and pessimism: PFQL and VAFQL."""

from jaxloss.learning.fitted_q.backward import (
    FittedQ,
    action_values,
    estimated_and_true,
    fitted_q,
    greedy,
    pfql,
    vafql,
)
from jaxloss.learning.fitted_q.pevi import pevi
from jaxloss.learning.fitted_q.q_functions import QFunction, linear_q, network_q
from jaxloss.learning.fitted_q.regression import Regression, descent, ridge

__all__ = [
    "FittedQ",
    "QFunction",
    "Regression",
    "action_values",
    "descent",
    "estimated_and_true",
    "fitted_q",
    "greedy",
    "linear_q",
    "network_q",
    "pevi",
    "pfql",
    "ridge",
    "vafql",
]
