"""Finds problems of offline reinforcement learning by the short text that a person writes."""

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.tasks.options import require_usual
from jaxloss.tasks.rl import cartpole, linear_mdp, tabular
from jaxloss.tasks.rl.cartpole import Behaviour, cartpole_environment, record_cartpole, staged
from jaxloss.tasks.rl.episodes import Environment, Episodes, require_horizon
from jaxloss.tasks.rl.finite import FiniteMDP, draw_episodes, finite_environment, mostly_best
from jaxloss.tasks.rl.minari import load_minari
from jaxloss.tasks.rl.task import OfflineRLTask, shared_out, task_of_parts
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.splitting import MINIMUM_ROWS, SplitSettings, split_rows


class FiniteProblem(NamedTuple):
    """A distribution of finite problems and of data from them.

    Attributes:
        make: ``(generator) -> problem``.
        horizon: stages of an episode.
        astray: chance that the recorded policy takes any action in the place of the best one.
    """

    make: Callable[[np.random.Generator], FiniteMDP]
    horizon: int
    astray: float


FINITE = {
    "tabular": FiniteProblem(tabular.tabular_mdp, tabular.HORIZON, tabular.ASTRAY),
    "linear_mdp": FiniteProblem(linear_mdp.linear_mdp, linear_mdp.HORIZON, linear_mdp.ASTRAY),
}
"""Problems whose policies are valued exactly."""

RL_NAMES = (*FINITE, "cartpole")
"""Every problem of the family."""

EPISODES = {"tabular": 100, "linear_mdp": 100, "cartpole": 80}
"""Recorded episodes; of the pole, transitions for each stage (*assumed*)."""

_OTHERS = (
    "target",
    "metric",
    "metric_direction",
    "kind",
    "data_dir",
    "outliers",
    "imbalance",
    "label_noise",
)
"""Settings of tasks that are rows with a target."""


def load_rl(text: str, settings: TaskSettings) -> OfflineRLTask:
    """Makes the task of a problem with recorded data.

    Args:
        text: a name of `RL_NAMES`, perhaps with values: ``"tabular:horizon=8:episodes=60"``;
            ``astray=0.1`` for the chance that the finite problems' recorded policy takes any
            action; ``"cartpole:behaviour=random"``, ``controller`` or ``mixed``, or
            ``"cartpole:data=PATH"`` for a data set of Minari, of ten episodes or more.
        settings: its ``model`` is the network of each stage; the fractions share out the episodes;
            ``split_seed`` draws problem, data and shares.

    Raises:
        InvalidInputError: there is no such problem or value, a value is out of range, the data
            cannot be read or learned from, or a setting does not fit.
    """
    name, *words = text.split(":")
    if name not in RL_NAMES:
        raise unknown_name("problem of offline reinforcement learning", name, RL_NAMES)
    task = f"rl:{name} learns from recorded rewards"
    require_usual(settings, _OTHERS, task, "rows with a target")
    own = ("astray",) if name in FINITE else ("behaviour", "data")
    values = _values(name, words, ("horizon", "episodes", *own))
    make = _finite if name in FINITE else _cartpole
    environment, parts = make(name, values, settings.split_settings())
    usual = settings.task_loss or "mse"
    return task_of_parts(f"rl:{text}", environment, parts, settings.model, usual)


def finite_data(
    name: str, seed: int, episodes: int, horizon: int | None = None, astray: float | None = None
) -> tuple[FiniteMDP, Environment, Episodes]:
    """Draws a finite problem and what a policy recorded in it.

    Args:
        name: one of `FINITE`.
        seed: draws problem and data.
        episodes: how many are recorded.
        horizon: stages of an episode; the problem's own by default.
        astray: chance that the recorded policy takes any action; the problem's own by default.

    Raises:
        InvalidInputError: a number is out of range.
    """
    usual = FINITE[name]
    horizon = require_horizon(usual.horizon if horizon is None else horizon, f"rl:{name}")
    astray = usual.astray if astray is None else astray
    require(0 <= astray <= 1, f"rl:{name}: astray must be from 0 to 1, got {astray:g}")
    require(episodes >= 1, f"rl:{name}: the data set is empty; episodes must be 1 or more")

    generator = np.random.default_rng(seed)
    mdp = usual.make(generator)
    recorded = draw_episodes(generator, mdp, mostly_best(mdp, horizon, astray), episodes)
    return mdp, finite_environment(name, mdp, horizon), recorded


_Parts = tuple[Episodes, Episodes, Episodes]
"""What is recorded for training, validation and test."""


def _finite(name: str, values: dict[str, str], split: SplitSettings) -> tuple[Environment, _Parts]:
    horizon = _whole(name, values, "horizon", FINITE[name].horizon)
    astray = _number(name, values, "astray", FINITE[name].astray)
    count = _whole(name, values, "episodes", EPISODES[name])
    _, environment, episodes = finite_data(name, split.seed, count, horizon, astray)
    return environment, shared_out(episodes, split)


def _cartpole(
    name: str, values: dict[str, str], split: SplitSettings
) -> tuple[Environment, _Parts]:
    horizon = require_horizon(_whole(name, values, "horizon", cartpole.HORIZON), f"rl:{name}")
    count = _whole(name, values, "episodes", EPISODES[name])
    require(count >= 1, f"rl:{name}: the data set is empty; episodes must be 1 or more")
    if "data" in values:
        require("behaviour" not in values, f"rl:{name}: give data or a behaviour, not both")
        recorded = load_minari(values["data"])
    else:
        behaviour = cast("Behaviour", values.get("behaviour", "mixed"))
        recorded = record_cartpole(behaviour, count, horizon, split.seed)
    require(
        len(recorded) >= MINIMUM_ROWS,
        f"rl:{name}: {len(recorded)} recorded episodes are too few to share out among train, valid "
        f"and test; at least {MINIMUM_ROWS} are needed",
    )
    # The episodes are shared out before anything is drawn from them: a transition that is drawn
    # twice stays on one side.
    shares = split_rows(None, len(recorded), split)
    sizes = split_rows(None, count, split)
    generator = np.random.default_rng(split.seed)
    train, valid, test = (
        staged(generator, [recorded[number] for number in share], len(size), horizon)
        for share, size in zip(shares, sizes, strict=True)
    )
    return cartpole_environment(horizon), (train, valid, test)


def _values(name: str, words: list[str], known: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if key not in known:
            raise unknown_name(f"value of rl:{name}", key, known)
        require(key not in values, f"rl:{name}: {key} is given twice")
        require(bool(equals and value), f"rl:{name}: expected {key}=VALUE, got {word!r}")
        values[key] = value
    return values


def _number(name: str, values: dict[str, str], key: str, usual: float) -> float:
    text = values.get(key)
    try:
        return usual if text is None else float(text)
    except ValueError as error:
        raise InvalidInputError(f"rl:{name}: expected {key}=NUMBER, got {text!r}") from error


def _whole(name: str, values: dict[str, str], key: str, usual: int) -> int:
    number = _number(name, values, key, usual)
    require(number == number // 1, f"rl:{name}: {key} must be a whole number, got {number:g}")
    return int(number)
