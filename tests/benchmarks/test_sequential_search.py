"""The sequential EvoMAL grows, filters and remembers candidates as the paper says."""

import dataclasses
import importlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.symbols import parse
from jaxloss.tasks import TaskSettings, load_supervised_task

# Torch and deap are the extra "benchmark", not part of what every developer installs.
for library in ("torch", "deap"):
    pytest.importorskip(library, reason="torch and deap are needed for the rival of the benchmarks")

# By name and not by import statement: these modules need torch and deap.
primitives: Any = importlib.import_module("sequential.primitives")
problems: Any = importlib.import_module("sequential.problem")
variation: Any = importlib.import_module("sequential.variation")
search: Any = importlib.import_module("sequential.search")
settings: Any = importlib.import_module("sequential.settings")

SMALL = settings.SequentialSettings(meta_steps=2, rejection_steps=15, training_steps=5)


def test_formulas_survive_the_way_to_trees_and_back(random_formulas: Callable[..., list[str]]):
    for formula in random_formulas(5, 20):
        assert str(primitives.tree_of(formula)) == formula == str(parse(formula))
    with pytest.raises(InvalidInputError, match=r"holds 0\.5; the constants are 1 and -1"):
        primitives.tree_of("mul(f, add(y, 0.5))")


def test_trees_of_all_generations_hold_both_variables_and_keep_the_height():
    random.seed(0)
    trees = variation.first_population(30)
    assert {tree.height for tree in trees} >= {2, 3, 4}
    for _ in range(12):
        for tree in trees:
            tree.fitness.values = (-float(tree.height),)  # Taller is fitter.
        trees = variation.next_generation(settings.SequentialSettings(), trees)
        for tree in trees:
            assert {"f", "y"} <= set(primitives.terminal_names(tree))
            assert tree.height <= 10
            assert str(primitives.tree_of(str(tree))) == str(tree)
    assert max(tree.height for tree in trees) == 10


GOOD, HOPELESS = "square(sub(f, y))", "mul(square(sub(f, y)), -1)"


@pytest.mark.parametrize("early", [True, False])
def test_candidates_go_the_way_of_the_filters(early: bool):
    task = load_supervised_task("diabetes", TaskSettings(model="mlp:4"))
    first, hopeless, again = search.judge([GOOD, HOPELESS, GOOD], task, 0, early, 1, SMALL)
    rejected = "rejection before" if early else "rejection after"
    before = ["rejection before"] if early else []
    assert first.outcome == "trained"
    assert list(first.parts) == [*before, "local search", "rejection after", "partial training"]
    assert hopeless.outcome == rejected.replace("rejection", "rejected")
    assert list(hopeless.parts)[-1] == rejected
    assert np.isposinf(hopeless.fitness)
    assert (again.outcome, again.fitness) == ("archive", first.fitness)
    assert first.fitness > 0
    assert first.seconds == sum(first.parts.values())


def test_a_search_repeats_itself_and_keeps_to_its_budget():
    task = load_supervised_task("diabetes", TaskSettings(model="mlp:4"))
    one, other = (search.run(task, 3, 6, 0, True, 1, settings=SMALL) for _ in range(2))
    assert one.generations == 3
    assert len(one.seconds) == len(one.outcomes) == 18
    assert "trained" in one.outcomes
    for first, second in zip(one.judged, other.judged, strict=True):
        assert first.formula == second.formula
        assert first.fitness == second.fitness
    stopped = search.run(task, 3, 6, 0, True, 1, budget_s=0.0, settings=SMALL)
    assert (stopped.judged, stopped.generations) == ([], 0)


def test_tasks_beyond_the_rival_are_refused():
    task = load_supervised_task("diabetes", TaskSettings(metric="mae"))
    with pytest.raises(InvalidInputError, match="expected metric mse and view identity, got mae"):
        problems.problem_of(task)
    task = load_supervised_task("diabetes", TaskSettings(model="mlp:4"))
    other = dataclasses.replace(task, model=task.model._replace(name="lenet5"))
    with pytest.raises(InvalidInputError, match="expected a model linear or mlp, got 'lenet5'"):
        problems.problem_of(other)
