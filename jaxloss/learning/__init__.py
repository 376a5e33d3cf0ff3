"""How a loss is judged and improved: inner training, meta-gradients, filters, fitness."""

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import TrialSettings, trial_runner
from jaxloss.learning.unroll import LocalSearchSettings, local_search, meta_loss

__all__ = [
    "BaseOptimizerSettings",
    "FitnessSettings",
    "LocalSearchSettings",
    "RejectionSettings",
    "TrialSettings",
    "local_search",
    "meta_loss",
    "trial_runner",
]
