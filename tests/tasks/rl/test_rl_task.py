"""Offline RL as a task: fitted Q is its inner training, its score the value of the policy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.learning.fitness import network_score
from jaxloss.learning.inner import BaseOptimizerSettings, targets_of, train
from jaxloss.learning.unroll import meta_loss
from jaxloss.models.model import Variables
from jaxloss.tasks import Split, Task, TaskSettings, load_task
from jaxloss.tasks.rl import Episodes, finite_data, require_usable
from jaxloss.tasks.rl.task import OfflineRLTask, offline_rl_task
from jaxloss.tasks.task import PlayedTask

TINY = "rl:tabular:horizon=3:episodes=30"


def tiny(model: str = "linear") -> OfflineRLTask:
    task = load_task(TINY, TaskSettings(model=model))
    assert isinstance(task, OfflineRLTask)
    return task


def seen(task: OfflineRLTask, variables: Variables) -> tuple[np.ndarray, np.ndarray]:
    """What a loss is given on the training rows."""

    @jax.jit
    def run(variables: Variables) -> tuple[jax.Array, jax.Array]:
        outputs, _ = task.model.apply(variables, task.train.inputs, False, None)
        return outputs, targets_of(task.model, variables, task.train)

    outputs, targets = run(variables)
    return np.asarray(outputs), np.asarray(targets)


@pytest.mark.parametrize("name", ["tabular", "linear_mdp", "cartpole"])
def test_every_problem_is_a_played_task(name: str):
    task = load_task(f"rl:{name}:horizon=4:episodes=20", TaskSettings(model="mlp:3"))
    assert isinstance(task, Task)
    assert isinstance(task, PlayedTask)
    assert [len(split.targets) for split in (task.train, task.valid, task.test)] == [12, 4, 4]

    @jax.jit
    def untrained(key):
        variables = task.model.init(key, task.train.inputs[:1])
        outputs, _ = task.model.apply(variables, task.valid.inputs, False, None)
        targets = targets_of(task.model, variables, task.valid)
        slope = jax.grad(lambda outputs: task.task_loss(outputs, targets).sum())(outputs)
        return outputs, targets, slope, task.score(variables, task.test)

    outputs, targets, slope, score = untrained(jax.random.key(0))
    assert outputs.shape == targets.shape == task.valid.targets.shape == (4, 4)
    np.testing.assert_allclose(slope, 2 * (outputs - targets), rtol=1e-5)
    np.testing.assert_array_equal(targets[:, -1], task.valid.targets[:, -1])
    assert 0 <= float(score) <= 4


def test_no_transition_of_the_pole_is_in_two_splits():
    task = load_task("rl:cartpole:horizon=6:episodes=40", TaskSettings(model="linear"))
    train, valid, test = (
        {tuple(row) for row in np.asarray(split.inputs).reshape(-1, 10).tolist()}
        for split in (task.train, task.valid, task.test)
    )
    assert len(train) > 20
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_next_values_are_those_of_the_next_stage_clipped():
    """Every value set by hand: at stage h the value of action a in state s."""
    task = tiny()
    variables = jax.jit(task.model.init)(jax.random.key(0), task.train.inputs[:1])
    table = np.random.default_rng(0).normal(-1.0, 2.0, (3, 8, 4)).astype(np.float32)
    kernel = jnp.asarray(table.reshape(3, 32, 1))
    leaves, shape = jax.tree.flatten(variables)
    variables = jax.tree.unflatten(shape, [kernel if leaf.ndim == 3 else leaf for leaf in leaves])
    rows = np.asarray(task.train.inputs)
    states, actions, following = (rows[..., column].astype(int) for column in range(3))
    outputs, targets = seen(task, variables)
    stages = np.arange(3)
    np.testing.assert_allclose(outputs, table[stages, states, actions], rtol=1e-5)
    best = np.stack([table[1][following[:, 0]], table[2][following[:, 1]]], axis=1).max(axis=2)
    expected = np.asarray(task.train.targets).copy()
    expected[:, :2] += np.clip(best, 0.0, [[2.0, 1.0]])
    assert (best > [[2.0, 1.0]]).any()
    assert (best < 0).any()
    np.testing.assert_allclose(targets, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def trained() -> tuple[OfflineRLTask, Variables]:
    task = tiny()
    optimizer = BaseOptimizerSettings(learning_rate=0.5, weight_decay=0.0)

    @jax.jit
    def run(key):
        return train(key, task.model, optimizer, task.task_loss, task.train, 1500)[0]

    return task, run(jax.random.key(0))


def test_training_all_stages_at_once_ends_where_fitted_q_does(
    trained: tuple[OfflineRLTask, Variables],
):
    """With one-hot features, the mean of reward and next value of each action seen in a state."""
    task, variables = trained
    outputs, targets = seen(task, variables)
    rows = np.asarray(task.train.inputs)
    cells = (4 * rows[..., 0] + rows[..., 1]).astype(int)
    expected = np.empty_like(targets)
    for stage in range(3):
        for cell in np.unique(cells[:, stage]):
            there = cells[:, stage] == cell
            expected[there, stage] = targets[there, stage].mean()
    assert targets.max() > 1.5
    np.testing.assert_allclose(outputs, expected, atol=5e-3)


def test_the_score_is_the_exact_value_of_the_greedy_policy(
    trained: tuple[OfflineRLTask, Variables],
):
    """By hand: the greedy policy's chain of matrices, from the first states of the split."""
    task, variables = trained
    mdp, _, _ = finite_data("tabular", 0, 30, 3)
    everywhere = jnp.stack([jnp.arange(8.0), *jnp.zeros((3, 8))], axis=1)
    rows = jnp.broadcast_to(everywhere[:, None], (8, 3, 4))
    apply = jax.jit(lambda rows: task.model.apply(variables, rows, False, None)[0])
    values = [np.asarray(apply(rows.at[..., 1].set(action))) for action in range(4)]
    best = np.argmax(values, axis=0)
    transitions, rewards = np.asarray(mdp.transitions), np.asarray(mdp.rewards)
    worth, states = np.zeros(8), np.arange(8)
    for stage in reversed(range(3)):
        taken = best[:, stage]
        worth = rewards[states, taken] + transitions[states, taken] @ worth
    starts = np.asarray(task.test.inputs)[:, 0, 0].astype(int)
    score = jax.jit(task.score)(variables, task.test)
    assert float(score) == pytest.approx(worth[starts].mean(), rel=1e-5)


def test_a_score_is_never_that_of_broken_parameters(trained: tuple[OfflineRLTask, Variables]):
    task, variables = trained
    broken = jax.tree.map(lambda leaf: leaf.at[0].set(jnp.nan), variables)
    score = jax.jit(lambda variables: network_score(task, variables, task.valid))
    assert np.isfinite(score(variables))
    assert np.isnan(score(broken))


def test_the_metric_of_rows_improves_with_their_fit():
    task = tiny()
    targets = jnp.ones((5, 3))
    near, far = (task.metric.function(targets + shift, targets) for shift in (0.1, 1.0))
    assert task.metric.higher_is_better
    assert near > far
    assert np.isnan(task.metric.function(targets.at[0, 0].set(jnp.inf), targets))


@pytest.mark.usefixtures("float64")
def test_meta_gradients_are_those_of_finite_differences():
    task = tiny("mlp:2")
    batches = Split(*(jnp.stack([part[:8], part[8:16]]) for part in task.train))
    held_out = Split(*(part[:4] for part in task.valid))
    assert held_out.inputs.dtype == jnp.float64

    def bind(power):
        return lambda outputs, targets: jnp.sum(jnp.abs(outputs - targets) ** power, axis=1)

    def after(power):
        optimizer = BaseOptimizerSettings(learning_rate=0.05)
        return meta_loss(
            jax.random.key(1), task.model, optimizer, task.task_loss, bind, batches, held_out, power
        )

    value, slope = jax.jit(jax.value_and_grad(after))(1.8)
    nudged = jax.jit(jax.vmap(after))(jnp.array([1.8 - 1e-5, 1.8 + 1e-5]))
    assert float(slope) == pytest.approx(float(nudged[1] - nudged[0]) / 2e-5, rel=1e-4)
    assert abs(float(slope)) > 1e-4 * float(value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("rl:tabular:horizon=0", "horizon must be a whole number of stages, 1 or more, got 0"),
        ("rl:cartpole:horizon=0", "horizon must be a whole number of stages, 1 or more, got 0"),
        ("rl:tabular:horizon=2.5", "horizon must be a whole number, got 2.5"),
        ("rl:tabular:horizon=long", "expected horizon=NUMBER, got 'long'"),
        ("rl:tabular:episodes=0", "data set is empty"),
        ("rl:cartpole:episodes=0", "data set is empty"),
        ("rl:tabular:episodes=5", "too few rows to divide"),
        ("rl:tabular:astray=2", "astray must be from 0 to 1"),
        ("rl:tabular:horizn=3", "valid, nearest first: horizon"),
        ("rl:tabular:horizon=3:horizon=4", "horizon is given twice"),
        ("rl:tabulr", "valid, nearest first: tabular"),
        ("rl:cartpole:behaviour=expert", "unknown behaviour 'expert'"),
        ("rl:cartpole:behaviour=random:data=x", "give data or a behaviour, not both"),
        ("rl:cartpole:data=nowhere.hdf5", "nowhere.hdf5 is no file"),
    ],
)
def test_what_cannot_be_loaded_is_refused(spec: str, words: str):
    with pytest.raises(InvalidInputError, match=words):
        load_task(spec)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (TaskSettings(model="lenet5"), "a network that is linear or mlp"),
        (TaskSettings(label_noise=0.2), "label_noise is for rows with a target"),
        (TaskSettings(task_loss="cross_entropy"), "cannot train a task of view identity"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: TaskSettings, words: str):
    with pytest.raises(InvalidInputError, match=words):
        load_task(TINY, settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"actions": np.full((30, 3), 4)}, "actions must be from 0 to 3, the data have 4"),
        ({"actions": np.full((30, 3), -1)}, "actions must be from 0 to 3, the data have -1"),
        ({"states": np.full((30, 3, 1), 8.0)}, "states must be whole numbers from 0 to .* have 8"),
        ({"next_states": np.full((30, 3, 1), 2.5)}, "next_states must be whole .* have 2.5"),
        ({"rewards": np.full((30, 3), 2.0)}, "rewards must be from 0 to 1"),
        ({"rewards": np.full((30, 3), np.nan)}, "rewards are not all finite"),
        ({"states": np.zeros((30, 3, 2))}, r"expected states of shape \(30, 3, 1\)"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(change: dict, words: str):
    _, environment, episodes = finite_data("tabular", 0, 30, 3)
    require_usable(episodes, environment)
    with pytest.raises(InvalidInputError, match=words):
        offline_rl_task("mine", environment, episodes._replace(**change))


def test_data_without_episodes_or_stages_are_refused():
    _, environment, episodes = finite_data("tabular", 0, 30, 3)
    with pytest.raises(InvalidInputError, match="the data set is empty"):
        require_usable(Episodes(*(part[:0] for part in episodes)), environment)
    with pytest.raises(InvalidInputError, match="horizon must be a whole number of stages"):
        require_usable(Episodes(*(part[:, :0] for part in episodes)), environment)
    with pytest.raises(InvalidInputError, match="the data have 2 stages, the horizon is 3"):
        require_usable(Episodes(*(part[:, :2] for part in episodes)), environment)
