"""How a loss is judged and improved: inner training, meta-gradients, filters, fitness."""

from jaxloss.learning.curvature import loss_curvature, top_eigenvalues
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.landscape import (
    LandscapeSettings,
    filter_normalised,
    loss_landscape,
    loss_lines,
)
from jaxloss.learning.local_search import LocalSearchSettings, local_search
from jaxloss.learning.trained import TrainedModel, train_model
from jaxloss.learning.trials import TrialSettings, trial_runner
from jaxloss.learning.tuning import TunedTraining, trained_with, tune_training
from jaxloss.learning.tuning_settings import TuningSettings
from jaxloss.learning.unroll import meta_loss

__all__ = [
    "BaseOptimizerSettings",
    "FitnessSettings",
    "LandscapeSettings",
    "LocalSearchSettings",
    "RejectionSettings",
    "TrainedModel",
    "TrialSettings",
    "TunedTraining",
    "TuningSettings",
    "filter_normalised",
    "local_search",
    "loss_curvature",
    "loss_landscape",
    "loss_lines",
    "meta_loss",
    "top_eigenvalues",
    "train_model",
    "trained_with",
    "trial_runner",
    "tune_training",
]
