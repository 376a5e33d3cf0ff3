from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning import trials
from jaxloss.learning.fitness import network_score
from jaxloss.learning.inner import BaseOptimizerSettings, train
from jaxloss.learning.population import PopulationProgram
from jaxloss.learning.trials import OBSERVATIONS, TrialRunner, TrialSettings, trial_runner
from jaxloss.losses import LearnedLoss, TreeForm, ZooForm
from jaxloss.losses.network import ml3_network
from jaxloss.losses.online import OnlineForm
from jaxloss.losses.taylor import TaylorForm
from jaxloss.symbols import parse
from jaxloss.tasks import supervised_task

GENERATOR = np.random.default_rng(0)
KEY = jax.random.key(9)
INPUTS = GENERATOR.normal(size=(60, 3))
SCORES = INPUTS @ np.array([1.0, -1.0, 2.0])
USUAL = LearnedLoss(ZooForm("mse", "identity"), (), "identity")


def loss_named(text: str) -> LearnedLoss:
    tree = parse(text)
    return LearnedLoss(TreeForm(tree), (1.0,) * (tree.size - 1), "identity")


TASK = supervised_task("toy", INPUTS, SCORES, "regression", model="linear", metric="mse")


@pytest.fixture(scope="module")
def run() -> TrialRunner:
    return trial_runner(TASK, BaseOptimizerSettings(learning_rate=0.05), 80)


def test_trials_are_paired_by_their_key(run: TrialRunner):
    by_name, by_task = (run(loss, jax.random.key(1), 3) for loss in (USUAL, TASK.task_loss))
    for own, other in zip(by_name, by_task, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-3, atol=1e-6)
    assert len(set(by_name.valid.tolist())) == 3
    assert by_name.test.shape == (3,)
    assert by_name.curve.shape == (3, OBSERVATIONS)
    np.testing.assert_allclose(by_name.curve[:, -1], by_name.valid, rtol=1e-5)
    assert np.all(by_name.curve[:, -1] < by_name.curve[:, 0])
    other_networks = run(USUAL, jax.random.key(2), 3)
    assert np.all(other_networks.curve[:, 0] != by_name.curve[:, 0])


def test_all_steps_are_trained_whatever_their_number():
    optimizer, keys = BaseOptimizerSettings(learning_rate=0.05), jax.random.split(KEY, 2)
    found = trial_runner(TASK, optimizer, 70)(USUAL, KEY, 2)
    assert found.curve.shape == (2, 35)

    @jax.jit
    def trained(key: Any) -> Any:
        variables, _ = train(key, TASK.model, optimizer, TASK.task_loss, TASK.train, 70)
        return network_score(TASK, variables, TASK.valid)

    # Two programs: an accelerator sums in another order in each.
    bound = 1e-5 if jax.default_backend() == "cpu" else 1e-4
    np.testing.assert_allclose(found.valid, [trained(key) for key in keys], rtol=bound)


def test_both_ways_of_running_trees_train_alike(run: TrialRunner):
    own = trial_runner(TASK, BaseOptimizerSettings(learning_rate=0.05), 80, "specialised")
    weights = (1.25, 0.5, 2.0)
    loss = LearnedLoss(TreeForm(parse("square(sub(f, y))")), weights, "identity")
    for interpreted, specialised in zip(
        run(loss, jax.random.key(4), 3), own(loss, jax.random.key(4), 3), strict=True
    ):
        np.testing.assert_allclose(interpreted, specialised, rtol=1e-4)


def test_trees_that_a_genome_cannot_hold_are_trained_too(run: TrialRunner):
    halved = loss_named("0.5 * (f - y)**2")  # 0.5 is no terminal of a search.
    scaled = LearnedLoss(TreeForm(parse("(f - y)**2")), (0.5**0.5, 1.0, 1.0), "identity")
    seeds = jax.random.key(5), 2
    np.testing.assert_allclose(run(halved, *seeds).valid, run(scaled, *seeds).valid, rtol=1e-4)


def test_a_polynomial_is_trained_as_the_tree_of_its_slope(run: TrialRunner):
    form = TaylorForm(order=2)
    assert form.exponents == ((1, 0), (2, 0), (1, 1))
    # Around 0: f**2 - 2*f*y, the square without the term that has no gradient.
    polynomial = LearnedLoss(form, (0.0, 0.0, 0.0, 1.0, -2.0), "identity")
    seeds = jax.random.key(6), 2
    expected = run(loss_named("(f - y)**2"), *seeds)
    for own, other in zip(run(polynomial, *seeds), expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-3)


def test_only_an_adapting_loss_adapts(run: TrialRunner):
    base, seeds = ml3_network(("f", "y")), (jax.random.key(7), 2)
    parameters = tuple(np.asarray(base.family().init(jax.random.key(8))).tolist())

    def trained(form: Any) -> np.ndarray:
        return run(LearnedLoss(form, parameters, "identity"), *seeds).curve

    still = trained(base)
    np.testing.assert_allclose(trained(OnlineForm(base, 1e-12)), still, rtol=1e-4)
    adapted = trained(OnlineForm(base, 1e-2))
    assert np.all(np.abs(adapted[:, -1] / still[:, -1] - 1) > 1e-2)


def test_a_comparison_of_many_losses_compiles_each_once(monkeypatch: pytest.MonkeyPatch):
    # Forty losses of the zoo fit classification; a comparison goes through them seed by seed.
    made: list[Any] = []

    def counted(*arguments: Any) -> PopulationProgram:
        made.append(arguments)
        nothing = np.zeros(1)
        return PopulationProgram(lambda *_: (nothing, nothing, nothing), lambda *_: None)

    monkeypatch.setattr(trials, "over_population", counted)
    trained = trial_runner(TASK, BaseOptimizerSettings(learning_rate=0.07), 80)
    losses = [partial(scaled_error, factor) for factor in range(40)]
    for seed in range(2):
        for loss in losses:
            trained(loss, jax.random.key(seed), 1)
    assert len(made) == len(losses)


def scaled_error(factor: float, outputs: Any, targets: Any) -> Any:
    return factor * jnp.square(outputs[:, 0] - targets)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "trial steps must be 1 or more, got 0"),
        ({"finalists": 0}, "finalists must be 1 or more, got 0"),
        ({"finalist_seeds": 0}, "finalist_seeds must be >= 1, got 0"),
        ({"seeds": 1}, "a comparison needs 2 seeds or more, got 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        TrialSettings(**settings)


def test_finalists_of_shape_seeds_have_finite_means_only_when_all_seeds_are(run: TrialRunner):
    def broken(outputs: Any, targets: Any) -> Any:
        return jnp.square(outputs[:, 0] - targets) * jnp.nan

    values = run(broken, jax.random.key(0), 2).valid
    assert np.all(np.isnan(values))
