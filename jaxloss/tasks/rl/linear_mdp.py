"""A linear Markov decision process, as in Jin et al. 2020 (https://arxiv.org/abs/1907.05388).

Mean rewards and the chances of next states are linear in given features of state and action:
``r = <features, w>`` and ``P(s' | s, a) = <features, mu(s')>``, so every policy's Q is linear too.
Sizes are *assumed*.
"""

import numpy as np

from jaxloss.tasks.rl.finite import FiniteMDP, finite_mdp

STATES, ACTIONS, FEATURES = 20, 5, 6
HORIZON = 6
"""Stages of an episode."""
ASTRAY = 0.2
"""Chance that the recorded policy takes any action in the place of the best one."""


def linear_mdp(generator: np.random.Generator) -> FiniteMDP:
    """Draws a problem: features are mixtures, each part with its own reward and next states."""
    features = generator.dirichlet(np.full(FEATURES, 0.3), (STATES, ACTIONS))
    parts = generator.dirichlet(np.full(STATES, 0.3), FEATURES)
    rewards = features @ generator.uniform(0.0, 0.8, FEATURES)
    return finite_mdp(features @ parts, rewards, features)
