"""The search by evolution strategies, with the polynomials of TaylorGLO and ARL."""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PRNGKeyArray

from jaxloss.errors import InvalidInputError
from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.learning.inner import BaseOptimizerSettings
from jaxloss.learning.trials import TrialSettings
from jaxloss.losses.taylor import TaylorForm
from jaxloss.search import Info, Search
from jaxloss.search.arl import ARLSettings, arl
from jaxloss.search.flat_judging import HOPELESS, FlatJudge, FlatVerdicts, flat_judge
from jaxloss.search.strategy_search import StrategySettings
from jaxloss.search.taylorglo import TaylorGLOSettings, taylorglo
from jaxloss.tasks import SupervisedTask, supervised_task

SHARED: dict[str, Any] = {
    "chunk": 8,
    "rejection": RejectionSettings(when="before", steps=50, examples=40, learning_rate=0.05),
    "optimizer": BaseOptimizerSettings(learning_rate=0.02, batch_size=32),
    "trial": TrialSettings(steps=40, finalists=2, finalist_seeds=2),
}
METHODS = {
    "taylorglo": (
        taylorglo,
        TaylorGLOSettings(
            **SHARED, population=16, generations=40, fitness=FitnessSettings(steps=40)
        ),
    ),
    "arl": (
        arl,
        ARLSettings(
            **SHARED,
            population=24,
            generations=80,
            sigma=0.5,
            fitness=FitnessSettings(steps=60, normalize=True),
        ),
    ),
}


def line(rows: int = 90) -> SupervisedTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(rows, 2))
    targets = inputs @ np.array([1.0, -2.0]) + 0.3 * generator.normal(size=rows)
    return supervised_task("line", inputs, targets, "regression", model="linear")


def levels() -> SupervisedTask:
    """Each of five targets has an input of its own, so that a network can go wherever a loss is
    least for it: only a loss that is least at every target does well."""
    level = np.repeat([-2.0, -1.0, 0.0, 1.0, 2.0], [20, 120, 120, 120, 20])
    inputs = (level[:, None] == np.array([-2.0, -1.0, 0.0, 1.0, 2.0])).astype(np.float32)
    return supervised_task("levels", inputs, level, "regression", model="linear")


class Course(NamedTuple):
    """A whole search with what the strategy was told."""

    search: Search
    settings: StrategySettings
    states: list[Any]
    infos: list[Info]
    verdicts: list[FlatVerdicts]


@pytest.fixture(scope="module", params=METHODS)
def course(request: pytest.FixtureRequest) -> Course:
    make, settings = METHODS[request.param]
    verdicts: list[FlatVerdicts] = []

    def recording(*arguments: Any) -> FlatJudge:
        judge = flat_judge(*arguments)

        def recorded(key: PRNGKeyArray, parameters: np.ndarray) -> FlatVerdicts:
            verdicts.append(judge(key, parameters))
            return verdicts[-1]

        return recorded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxloss.search.strategy_search.flat_judge", recording)
        search = make(levels(), settings)
    states, infos = [search.init(jax.random.key(0))], []
    for _ in range(search.steps):
        state, info = search.step(states[-1])
        states.append(state)
        infos.append(info)
    return Course(search, settings, states, infos, verdicts)


def test_the_learned_polynomial_is_least_near_the_target(course: Course):
    loss = course.infos[-1].best
    assert loss is not None
    outputs = jnp.linspace(-2, 2, 401)[:, None]
    for target in (-1.0, 0.0, 1.0):
        values = loss(outputs, jnp.full((401, 1), target))
        least = float(outputs[int(jnp.argmin(values)), 0])
        assert least == pytest.approx(target, abs=0.2), f"for the target {target}"


def test_the_strategy_improves_on_its_start(course: Course):
    of_generation = [float(np.min(verdicts.fitness)) for verdicts in course.verdicts]
    first = next(fitness for fitness in of_generation if np.isfinite(fitness))
    assert of_generation[-1] < 0.6 * first
    # Most of a generation trains at the end, few at the start.
    trained = [int(np.sum(np.isfinite(verdicts.fitness))) for verdicts in course.verdicts]
    assert trained[-1] > trained[0]


def test_the_hall_holds_the_lowest_of_all_that_was_trained(course: Course):
    everyone = np.concatenate([verdicts.fitness for verdicts in course.verdicts])
    lowest = np.sort(everyone)[: course.settings.trial.finalists]
    np.testing.assert_array_equal(course.states[-1].hall.fitness, lowest)


def test_rejected_candidates_are_told_behind_the_trained_ones(course: Course):
    several = [
        verdicts
        for verdicts in course.verdicts
        if not np.all(verdicts.trained) and np.any(np.isfinite(verdicts.fitness))
    ]
    assert several
    for verdicts in several:
        sound = np.isfinite(verdicts.fitness)
        rejected = verdicts.ranking[~verdicts.trained]
        np.testing.assert_allclose(verdicts.ranking[sound], verdicts.fitness[sound])
        assert np.all(np.isfinite(rejected))
        assert rejected.min() > verdicts.fitness[sound].max()
        assert np.all(np.isinf(verdicts.fitness[~verdicts.trained]))
        assert verdicts.dropped["rejected before"] == np.sum(~verdicts.trained)
    for info, verdicts in zip(course.infos, course.verdicts, strict=True):
        steps = course.settings.fitness.steps * int(verdicts.trained.sum())
        assert info.training_steps == steps


@pytest.mark.parametrize(("strategy", "least"), [("cma_es", 0.0), ("pso", HOPELESS)])
def test_who_is_rejected_stays_so_for_strategies_that_remember(strategy: str, least: float):
    rejection = RejectionSettings(when="before", steps=5, examples=20, threshold=1e9)
    settings = replace(StrategySettings(**SHARED, population=4), rejection=rejection)
    form = TaylorForm()
    judge = flat_judge((line(),), settings, form, "identity", strategy)
    generator = np.random.default_rng(0)
    verdicts = judge(jax.random.key(0), generator.normal(size=(4, form.parameter_count)))
    assert not np.any(verdicts.trained)
    assert len(set(verdicts.ranking.tolist())) == 4
    assert np.all((verdicts.ranking > least) & (verdicts.ranking < max(10 * least, 10)))


TINY: dict[str, Any] = {
    **SHARED,
    "population": 6,
    "generations": 3,
    "chunk": 2,
    "rejection": RejectionSettings(when="never"),
    "fitness": FitnessSettings(steps=30),
}


@pytest.mark.parametrize("rate", [1e30, 0.1])
def test_trainings_that_explode_never_reach_the_strategy(rate: float):
    """At the first rate all explode, at the second some."""
    settings = {**TINY, "optimizer": BaseOptimizerSettings(learning_rate=rate, batch_size=16)}
    search = taylorglo(line(), TaylorGLOSettings(**settings))
    start = state = search.init(jax.random.key(0))
    infos = []
    for _ in range(search.steps):
        state, info = search.step(state)
        infos.append(info)
        for name in ("mean", "std", "C", "p_std", "p_c"):
            assert np.all(np.isfinite(getattr(state.strategy, name))), name
        assert not np.any(np.isnan(state.hall.fitness))
    exploded = [info.dropped["not finite"] for info in infos]
    if rate > 1:
        assert exploded == [TINY["population"]] * 3
        assert all(info.best is None and info.best_fitness == np.inf for info in infos)
        np.testing.assert_array_equal(state.strategy.mean, start.strategy.mean)
        assert search.front(state) == []
    else:
        assert 0 < sum(exploded) < 3 * TINY["population"]
        assert np.any(state.strategy.mean != start.strategy.mean)


def test_verdicts_depend_on_neither_chunk_nor_company():
    task, form = line(), TaylorForm()
    parameters = np.array(
        [[0, 0, 0, 1, 0, -2, 0, 0], [0.1, 0, 0, 1, 0, -1, 0, 0], [0, 0, 0, -1, 0, 1, 0, 0]],
        np.float32,
    )
    found = []
    for chunk in (1, 2):
        settings = TaylorGLOSettings(**{**TINY, "chunk": chunk, "rejection": SHARED["rejection"]})
        judge = flat_judge((task,), settings, form, "identity")
        found.append(judge(jax.random.key(0), parameters))
        alone = judge(jax.random.key(0), parameters[1:2])
        np.testing.assert_array_equal(alone.fitness, found[-1].fitness[1:2])
    # f² - 2fy is the squared error without the part that holds no prediction, and is kept.
    assert found[0].trained.tolist() == found[1].trained.tolist() == [True, True, False]
    np.testing.assert_allclose(found[0].fitness, found[1].fitness, rtol=1e-5)
    assert found[0].fitness[0] < found[0].fitness[1] < np.inf


def test_what_cannot_be_searched_is_refused():
    task = line()
    with pytest.raises(InvalidInputError, match=r"unknown strategy 'cmaes'"):
        taylorglo(task, TaylorGLOSettings(**{**TINY, "strategy": "cmaes"}))
    with pytest.raises(InvalidInputError, match="only trees race"):
        taylorglo(task, TaylorGLOSettings(**{**TINY, "fitness": FitnessSettings(rungs=2)}))
    with pytest.raises(InvalidInputError, match=r"sigma must be above 0, got -1"):
        TaylorGLOSettings(**{**TINY, "sigma": -1.0})
    with pytest.raises(InvalidInputError, match="order"):
        arl(task, ARLSettings(**{**TINY, "order": 9}))
