import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxloss.errors import InvalidInputError
from jaxloss.learning.inner import BaseOptimizerSettings, train
from jaxloss.learning.trained import train_model
from jaxloss.losses import LearnedLoss, OnlineForm, ZooForm
from jaxloss.losses.network import ml3_network
from jaxloss.tasks import supervised_task

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
TASK = supervised_task("toy", INPUTS, INPUTS @ np.ones(3), "regression", model="linear")
MSE, MAE = (LearnedLoss(ZooForm(name, "identity"), (), "identity") for name in ("mse", "mae"))
OPTIMIZER = BaseOptimizerSettings(learning_rate=0.05, batch_size=16)
KEY = jax.random.key(4)


def test_a_kept_network_is_that_of_the_training_and_all_start_alike():
    model = train_model(KEY, TASK, MSE, OPTIMIZER, 30)
    expected, _ = jax.jit(lambda: train(KEY, TASK.model, OPTIMIZER, MSE, TASK.train, 30))()
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-4),
        model.variables,
        expected,
    )
    other = train_model(KEY, TASK, MAE, OPTIMIZER, 30)
    jax.tree.map(np.testing.assert_array_equal, model.start, other.start)
    ends = [ravel_pytree(one.variables)[0] for one in (model, other)]
    assert float(jnp.max(jnp.abs(ends[0] - ends[1]))) > 1e-3
    assert (model.loss, other.loss) == (MSE, MAE)


def test_a_loss_that_goes_on_learning_is_kept_as_it_ended():
    base = ml3_network(("f", "y"))
    parameters = tuple(np.asarray(base.family().init(jax.random.key(8))).tolist())
    adapting = LearnedLoss(OnlineForm(base, 1e-2), parameters, "identity")
    model = train_model(KEY, TASK, adapting, OPTIMIZER, 20)
    assert isinstance(model.loss, LearnedLoss)
    assert model.loss.form == base
    assert np.max(np.abs(np.subtract(model.loss.parameters, parameters))) > 1e-3
    frozen = train_model(KEY, TASK, LearnedLoss(base, parameters, "identity"), OPTIMIZER, 20)
    assert isinstance(frozen.loss, LearnedLoss)
    assert frozen.loss.parameters == parameters


def test_no_step_is_refused():
    with pytest.raises(InvalidInputError, match="steps must be 1 or more, got 0"):
        train_model(KEY, TASK, MSE, OPTIMIZER, 0)
