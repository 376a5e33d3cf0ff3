"""Recorded episodes of any length, as environments and files give them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxloss.tasks.rl.episodes import Episodes


class Steps(NamedTuple):
    """One recorded episode.

    Attributes:
        states: the last one, in which nothing was done any more, included.
        actions: numbers from 0.
        rewards: what each brought.
        ended: whether the last action ended the episode, not only the recording.
    """

    states: Float[np.ndarray, "steps_and_one size"]
    actions: Int[np.ndarray, " steps"]
    rewards: Float[np.ndarray, " steps"]
    ended: bool


def joined(episodes: Sequence[Steps]) -> Episodes:
    """Strings the transitions of all episodes together, without an axis of stages."""

    def on(episode: Steps) -> np.ndarray:
        return np.arange(len(episode.actions)) < len(episode.actions) - episode.ended

    return Episodes(
        np.concatenate([one.states[:-1] for one in episodes]).astype(np.float32),
        np.concatenate([one.actions for one in episodes]).astype(np.int32),
        np.concatenate([one.rewards for one in episodes]).astype(np.float32),
        np.concatenate([one.states[1:] for one in episodes]).astype(np.float32),
        np.concatenate([on(one) for one in episodes]),
    )
