"""Where policies are played: finite problems against brute force, the pole against gymnasium."""

import itertools
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.tasks import load_task
from jaxloss.tasks.rl import finite_data, load_minari, optimal_values
from jaxloss.tasks.rl.cartpole import cartpole_environment, push, record_cartpole, staged
from jaxloss.tasks.rl.finite import draw_episodes, finite_environment, finite_mdp, mostly_best


def small_problem():
    generator = np.random.default_rng(0)
    transitions = generator.dirichlet(np.ones(2), (2, 2))
    return finite_mdp(transitions, generator.uniform(size=(2, 2)), np.eye(4).reshape(2, 2, 4))


def test_optimal_values_are_the_best_of_all_policies():
    """All 64 deterministic policies of three stages, each valued by its chain of matrices."""
    mdp, horizon = small_problem(), 3
    transitions, rewards = np.asarray(mdp.transitions, float), np.asarray(mdp.rewards, float)
    best = np.zeros(2)
    for policy in itertools.product((0, 1), repeat=2 * horizon):
        actions = np.reshape(policy, (horizon, 2))
        value, reach = np.zeros(2), np.eye(2)
        for of_stage in actions:
            value += reach @ rewards[[0, 1], of_stage]
            reach = reach @ transitions[[0, 1], of_stage]
        best = np.maximum(best, value)
    values, actions = optimal_values(mdp, horizon)
    np.testing.assert_allclose(values[0], best, rtol=1e-5)
    environment = finite_environment("small", mdp, horizon)

    def act(stage: jax.Array, state: jax.Array) -> jax.Array:
        return actions[stage, state[0].astype(int)]

    np.testing.assert_allclose(environment.values(act, jnp.array([[1.0], [0.0]])), best[::-1], 1e-5)


def test_recorded_episodes_follow_problem_and_policy():
    mdp = small_problem()
    policy = mostly_best(mdp, 3, 0.5)
    episodes = draw_episodes(np.random.default_rng(1), mdp, policy, 20_000)
    states, actions = np.asarray(episodes.states)[..., 0].astype(int), np.asarray(episodes.actions)
    following = np.asarray(episodes.next_states)[..., 0].astype(int)
    assert np.array_equal(following[:, :-1], states[:, 1:])
    for state, action in itertools.product((0, 1), (0, 1)):
        there = (states == state) & (actions == action)
        rewards = np.asarray(episodes.rewards)[there]
        assert rewards.mean() == pytest.approx(float(mdp.rewards[state, action]), abs=0.03)
        chance = float(mdp.transitions[state, action, 1])
        assert following[there].mean() == pytest.approx(chance, abs=0.03)
        taken = actions[:, 0][states[:, 0] == state] == action
        assert taken.mean() == pytest.approx(float(policy[0, state, action]), abs=0.03)


def test_a_linear_problem_is_linear_in_its_features():
    mdp, _, _ = finite_data("linear_mdp", 5, 10)
    features = np.asarray(mdp.features).reshape(-1, 6)
    known = np.concatenate(
        [np.asarray(mdp.transitions).reshape(100, -1), np.asarray(mdp.rewards).reshape(100, 1)], 1
    )
    assert np.linalg.matrix_rank(features, tol=1e-3) == 6
    explained = features @ np.linalg.lstsq(features, known, rcond=None)[0]
    np.testing.assert_allclose(explained, known, atol=1e-5)


def test_the_pole_moves_as_in_gymnasium():
    environment = gymnasium.make("CartPole-v1").unwrapped
    state, _ = environment.reset(seed=3)
    generator, moved = np.random.default_rng(0), jax.jit(push)
    stood = 0
    ended = False
    while not ended:
        action = int(generator.integers(2))
        ours, stands = moved(jnp.asarray(state), jnp.int32(action))
        state, _, ended, _, _ = environment.step(action)
        np.testing.assert_allclose(ours, state, atol=1e-5)
        assert bool(stands) != ended
        stood += 1
    assert stood >= 9
    environment.close()


def test_a_policy_of_the_pole_is_worth_the_steps_that_it_stands():
    environment = cartpole_environment(20)
    starts = jnp.zeros((1, 4))
    # Pushed to one side from rest, the pole falls with the tenth step (gymnasium: 10 or 9).
    one_sided = environment.values(lambda _, state: jnp.int32(state[0] < 9.0), starts)
    reference: Any = gymnasium.make("CartPole-v1").unwrapped
    reference.reset(seed=0)
    reference.state = np.zeros(4)
    steps, ended = 0, False
    while not ended:
        ended, steps = reference.step(1)[2], steps + 1
    assert float(one_sided[0]) == steps < 20
    steered = environment.values(lambda _, state: jnp.int32(state[2] + 0.5 * state[3] > 0), starts)
    assert float(steered[0]) == 20


def test_the_controller_stands_longer_than_chance():
    lengths = {
        behaviour: np.mean([len(one.actions) for one in record_cartpole(behaviour, 10, 60, 0)])
        for behaviour in ("random", "controller")
    }
    assert lengths["random"] < 40 < lengths["controller"]


def test_stages_are_drawn_from_what_was_recorded():
    recorded = record_cartpole("random", 6, 60, 1)
    episodes = staged(np.random.default_rng(0), recorded, 12, 5)
    assert episodes.states.shape == (12, 5, 4)
    firsts = {tuple(one.states[0].tolist()) for one in recorded}
    assert {tuple(state) for state in np.asarray(episodes.states[:, 0]).tolist()} == firsts
    falls = np.abs(np.asarray(episodes.next_states)[..., 2]) > 12 * np.pi / 180
    assert np.array_equal(np.asarray(episodes.goes_on), ~falls)


def written(path: Path, change: dict[str, Any] | None = None) -> Path:
    """Writes two episodes as Minari does, of three and one steps."""
    (path / "data").mkdir(parents=True)
    with h5py.File(path / "data" / "main_data.hdf5", "w") as file:
        for number, steps in enumerate((3, 1)):
            group = file.create_group(f"episode_{number}")
            arrays = {
                "observations": np.arange(4.0 * (steps + 1)).reshape(-1, 4) + 100 * number,
                "actions": np.arange(steps) % 2,
                "rewards": np.ones(steps),
                "terminations": np.arange(steps) == steps - 1,
                "truncations": np.zeros(steps, bool),
                **(change or {}),
            }
            for name, array in arrays.items():
                if array is not None:
                    group[name] = array
    return path


def test_a_data_set_of_minari_is_read(tmp_path: Path):
    episodes = load_minari(written(tmp_path / "set"))
    assert [len(one.actions) for one in episodes] == [3, 1]
    assert [one.ended for one in episodes] == [True, True]
    np.testing.assert_array_equal(episodes[1].states, [[100, 101, 102, 103], [104, 105, 106, 107]])
    alone = load_minari(tmp_path / "set" / "data" / "main_data.hdf5")
    np.testing.assert_array_equal(alone[0].actions, [0, 1, 0])
    drawn = staged(np.random.default_rng(0), episodes, 30, 2)
    ends = np.asarray(drawn.next_states)[..., 0] == np.array(12.0)
    assert ends.any()
    assert not np.asarray(drawn.goes_on)[ends].any()


def test_a_data_set_of_too_few_episodes_to_share_out_is_refused(tmp_path: Path):
    path = written(tmp_path / "set")
    with pytest.raises(InvalidInputError, match="2 recorded episodes are too few to share out"):
        load_task(f"rl:cartpole:data={path}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rewards": None}, "episode_0 lacks the array 'rewards'"),
        ({"actions": np.ones((3, 2))}, "numbers of discrete actions"),
        ({"observations": np.zeros((3, 4))}, r"3 steps need observations of shape \[4, size\]"),
        ({"terminations": np.zeros(7, bool)}, "expected 3 terminations"),
    ],
)
def test_broken_data_sets_are_refused(tmp_path: Path, change: dict[str, Any], words: str):
    with pytest.raises(InvalidInputError, match=words):
        load_minari(written(tmp_path / "set", change))


def test_what_is_no_data_set_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInputError, match="is no file"):
        load_minari(tmp_path / "nowhere")
    (tmp_path / "text.hdf5").write_text("no HDF5")
    with pytest.raises(InvalidInputError, match="is no HDF5 file"):
        load_minari(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "empty.hdf5", "w"):
        pass
    with pytest.raises(InvalidInputError, match="is empty"):
        load_minari(tmp_path / "empty.hdf5")
