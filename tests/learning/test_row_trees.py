"""Trees of primitives that are not elementwise: trained with as data, one program for all."""

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.learning.as_genome import row_tree_of
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import trial_runner
from jaxloss.learning.tuning import TunedTraining, trained_with
from jaxloss.losses import LearnedLoss, TreeForm
from jaxloss.losses.tunable import fixed
from jaxloss.symbols import parse
from jaxloss.symbols.detection_primitives import CLASS_PRIMITIVES
from jaxloss.tasks import supervised_task
from jaxloss.tasks.metrics import Metric

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(60, 3))
CLASSES = np.argmax(INPUTS, axis=1)
SGD = BaseOptimizerSettings(learning_rate=0.05, batch_size=16)
STEPS = 20
TRACES: Counter[str] = Counter()


def traced_loss(predictions: Any, targets: Any) -> Any:
    """The mean log loss, smooth in the outputs; counts how often a program is made of it."""
    TRACES["metric"] += 1
    right = jnp.take_along_axis(predictions, targets[:, None], axis=1)
    return -jnp.mean(jnp.log(right + 1e-6))


METRIC = Metric("traced", traced_loss, False)
TASK = supervised_task("toy", INPUTS, CLASSES, "classification", model="linear", metric=METRIC)


def learned(formula: str) -> LearnedLoss:
    tree = parse(formula, CLASS_PRIMITIVES)
    return LearnedLoss(TreeForm(tree, ("x", "y")), (1.0,) * (tree.size - 1), "logits")


CROSS_ENTROPY = learned("neg(dot(y, log(softmax(x))))")
SQUARED = learned("dot(sub(softmax(x), y), sub(softmax(x), y))")


def test_as_data_and_as_code_they_train_alike():
    ways = (trial_runner(TASK, SGD, STEPS, way) for way in ("interpreted", "specialised"))
    interpreted, specialised = (run(CROSS_ENTROPY, jax.random.key(0), 2) for run in ways)
    for one, other in zip(interpreted, specialised, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_another_tree_compiles_nothing():
    plain = trial_runner(TASK, SGD, STEPS, "interpreted")
    tuned = TunedTraining(SGD.learning_rate, SGD.weight_decay, STEPS, {}, 0.0, 0.0, 1, 0, 0)

    def trained(loss: LearnedLoss) -> list[np.ndarray]:
        whole = trained_with(TASK, SGD, tuned, fixed(loss), STEPS, jax.random.key(1), 2)
        return [plain(loss, jax.random.key(1), 2).test, whole.test]

    first = trained(CROSS_ENTROPY)
    np.testing.assert_allclose(*first, rtol=1e-4)
    before = TRACES["metric"]
    second = trained(SQUARED)
    assert TRACES["metric"] == before
    np.testing.assert_allclose(*second, rtol=1e-4)
    assert np.all(second[0] != first[0])


@pytest.mark.parametrize(
    "loss",
    [
        LearnedLoss(TreeForm(parse("sub(f, y)")), (1.0, 1.0), "softmax"),
        LearnedLoss(CROSS_ENTROPY.form, (2.0,) * len(CROSS_ENTROPY.parameters), "logits"),
        TASK.task_loss,
    ],
)
def test_what_is_no_such_tree_goes_another_way(loss: Any):
    assert row_tree_of(loss) is None
    assert row_tree_of(CROSS_ENTROPY) is not None
