"""Offline reinforcement learning: problems, recorded data, and fitted Q as an inner training."""

from jaxloss.tasks.rl.episodes import Environment, Episodes, Stages, as_stages, require_usable
from jaxloss.tasks.rl.finite import (
    FiniteMDP,
    draw_episodes,
    finite_environment,
    optimal_values,
    policy_values,
)
from jaxloss.tasks.rl.minari import load_minari
from jaxloss.tasks.rl.registry import RL_NAMES, finite_data, load_rl
from jaxloss.tasks.rl.task import OfflineRLTask, offline_rl_task, task_of_parts

__all__ = [
    "RL_NAMES",
    "Environment",
    "Episodes",
    "FiniteMDP",
    "OfflineRLTask",
    "Stages",
    "as_stages",
    "draw_episodes",
    "finite_data",
    "finite_environment",
    "load_minari",
    "load_rl",
    "offline_rl_task",
    "optimal_values",
    "policy_values",
    "require_usable",
    "task_of_parts",
]
