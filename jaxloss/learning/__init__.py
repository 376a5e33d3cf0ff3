"""How a loss is judged and improved: inner training, meta-gradients, filters, fitness."""

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.local_search import LocalSearchSettings, local_search
from jaxloss.learning.trials import TrialSettings, trial_runner
from jaxloss.learning.tuning import (
    TunedTraining,
    TuningSettings,
    trained_with,
    tune_training,
)
from jaxloss.learning.unroll import meta_loss

__all__ = [
    "BaseOptimizerSettings",
    "FitnessSettings",
    "LocalSearchSettings",
    "RejectionSettings",
    "TrialSettings",
    "TunedTraining",
    "TuningSettings",
    "local_search",
    "meta_loss",
    "trained_with",
    "trial_runner",
    "tune_training",
]
