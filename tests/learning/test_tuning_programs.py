"""Learned losses in tuned trainings: as in plain ones, and compiled once for each form."""

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.keys import named_key
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import trial_runner
from jaxloss.learning.tuning import TunedTraining, trained_with, tune_training
from jaxloss.learning.tuning_programs import runs_at_once
from jaxloss.learning.tuning_settings import TuningSettings
from jaxloss.losses import LearnedLoss
from jaxloss.losses.form import Form
from jaxloss.losses.network import NetworkForm
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.tunable import fixed
from jaxloss.tasks import supervised_task
from jaxloss.tasks.metrics import Metric

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
SCORES = INPUTS @ np.array([1.0, -1.0, 2.0]) + 0.1 * GENERATOR.normal(size=60)
KEY = jax.random.key(0)
SGD = BaseOptimizerSettings(learning_rate=0.05, batch_size=16)
STEPS = 12
TRACES: Counter[str] = Counter()


def traced_error(predictions: Any, targets: Any) -> Any:
    """The mean squared error; counts how often a program is made of it."""
    TRACES["metric"] += 1
    return jnp.mean(jnp.square(predictions - targets))


TRACED = Metric("traced", traced_error, False)
TASK = supervised_task("toy", INPUTS, SCORES, "regression", model="linear", metric=TRACED)
NETWORK = NetworkForm(widths=(4,))
# Large, so that a loss that adapts soon differs from one that does not.
ONLINE = OnlineForm(NETWORK, 0.05)


def learned(form: Form, seed: int = 0) -> LearnedLoss:
    values = np.random.default_rng(seed).normal(size=form.parameter_count)
    return LearnedLoss(form, tuple(values.tolist()), "identity")


def training(steps: int = STEPS) -> TunedTraining:
    return TunedTraining(SGD.learning_rate, SGD.weight_decay, steps, {}, 0.0, 0.0, 1, 0, 0)


def plain(form: Form) -> Any:
    return trial_runner(TASK, SGD, STEPS)(learned(form), KEY, 3)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_the_last_call_is_filled_up_with_few_copies(backend: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    for runs in range(1, 2100):
        at_once = runs_at_once(runs)
        calls = -(-runs // at_once)
        assert at_once <= (4 if backend == "cpu" else 1024)
        assert calls * at_once - runs < calls


@pytest.mark.parametrize("form", [NETWORK, ONLINE])
def test_the_default_training_is_the_plain_one(form: Form) -> None:
    found = trained_with(TASK, SGD, training(), fixed(learned(form)), STEPS, KEY, 3)
    np.testing.assert_allclose(found.test, plain(form).test, rtol=1e-5)
    np.testing.assert_allclose(found.valid, plain(form).valid, rtol=1e-5)


def test_a_loss_that_adapts_trains_otherwise_than_at_rest() -> None:
    assert np.max(np.abs(plain(ONLINE).test / plain(NETWORK).test - 1)) > 1e-3


@pytest.mark.parametrize("form", [NETWORK, ONLINE])
def test_tuning_scores_what_the_training_reaches(form: Form) -> None:
    settings = TuningSettings(budget=1, seeds=3, steps=STEPS, observations=4)
    found = tune_training(TASK, SGD, settings, KEY, fixed(learned(form)))
    same_networks = trial_runner(TASK, SGD, STEPS)(learned(form), named_key(KEY, "networks"), 3)
    np.testing.assert_allclose(found.untuned, same_networks.valid.mean(), rtol=1e-5)


@pytest.mark.parametrize("form", [NETWORK, ONLINE])
def test_other_parameters_of_a_form_compile_nothing(form: Form) -> None:
    settings = TuningSettings(budget=1, seeds=3, steps=STEPS, observations=4)
    values = [_both(learned(form, seed), settings, count=seed > 0) for seed in range(3)]
    assert len(set(values)) == 3


def _both(loss: LearnedLoss, settings: TuningSettings, count: bool) -> float:
    before = TRACES["metric"]
    found = tune_training(TASK, SGD, settings, KEY, fixed(loss))
    trials = trained_with(TASK, SGD, training(8), fixed(loss), STEPS, KEY, 3)
    assert not count or TRACES["metric"] == before
    return found.valid + float(trials.test.mean())
