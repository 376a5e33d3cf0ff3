"""A problem whose data cover few of its actions: where estimates without caution go wrong.

Everywhere one action is taken nearly always, the others so rarely that one lucky reward makes them
look best. This is the setting in which pessimism has a guarantee and greedy fitted Q has none
(https://arxiv.org/abs/2012.15085); sizes and chances are *assumed*.
"""

import numpy as np

from jaxloss.tasks.rl.finite import FiniteMDP, finite_mdp

STATES, ACTIONS = 8, 4
HORIZON = 6
"""Stages of an episode."""
ASTRAY = 0.2
"""Chance that the recorded policy takes any action in the place of the best one."""


def tabular_mdp(generator: np.random.Generator) -> FiniteMDP:
    """Draws a problem: few likely next states, rewards of every size, one-hot features."""
    transitions = generator.dirichlet(np.full(STATES, 0.3), (STATES, ACTIONS))
    rewards = generator.uniform(0.0, 0.8, (STATES, ACTIONS))
    features = np.eye(STATES * ACTIONS).reshape(STATES, ACTIONS, -1)
    return finite_mdp(transitions, rewards, features)
