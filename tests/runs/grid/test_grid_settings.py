import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from jaxloss import InvalidInputError
from jaxloss.models.registry import create_model
from jaxloss.runs.grid.budget import BUDGETS, PAPER_TUNING_STEPS, GridBudget, widened
from jaxloss.runs.grid.file import read_grid_file
from jaxloss.runs.grid.names import RIVALS
from jaxloss.runs.grid.paper import PAPER_PROBLEMS
from jaxloss.runs.grid.problems import ProblemSpec, problem_spec
from jaxloss.runs.grid.reading import converted, with_values
from jaxloss.runs.grid.repeating import settings_text
from jaxloss.runs.grid.settings import GridSettings, grid_settings
from jaxloss.search.evomal import EvoMALSettings
from jaxloss.search.glo import GLOSettings
from jaxloss.search.registry import METHODS
from jaxloss.search.settings import PopulationSettings
from jaxloss.tasks.settings import TaskSettings

YAML = """\
methods: [evomal, gp_lfl]
losses: [cross_entropy, MSE]
tasks: [diabetes, {task: digits, label_noise: 0.4, name: noisy digits}, wine+train_fraction=0.5]
models: [mlp:50-50, linear]
seeds: 3
preset: quick
budget: {trainings: 4}
settings:
  evomal: {population: 8, fitness.steps: 100, local_search: {learning_rate: 1e-4}}
"""

TOML = """\
methods = ["evomal", "gp_lfl"]
losses = ["cross_entropy", "MSE"]
tasks = ["diabetes", {task = "digits", label_noise = 0.4, name = "noisy digits"},
    "wine+train_fraction=0.5"]
models = ["mlp:50-50", "linear"]
seeds = 3
preset = "quick"
budget.trainings = 4
[settings.evomal]
population = 8
fitness.steps = 100
local_search = {learning_rate = 1e-4}
"""

SMALL = {"methods": ["evomal"], "tasks": ["wine"]}


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(("suffix", "text"), [("yaml", YAML), ("yml", YAML), ("toml", TOML)])
def test_one_file_says_it_all(tmp_path: Path, suffix: str, text: str) -> None:
    found = grid_settings(read_grid_file(written(tmp_path / f"grid.{suffix}", text)))
    quick = METHODS["evomal"].presets["quick"]
    assert isinstance(quick, EvoMALSettings)
    search = found.search("evomal")
    assert (search.population, search.generations) == (8, quick.generations)
    assert search.fitness == replace(quick.fitness, steps=100)
    assert math.isclose(search.local_search.learning_rate, 1e-4)
    assert found.search("gp_lfl") == METHODS["gp_lfl"].presets["quick"]
    assert found.losses == ("cross_entropy", "mse")
    assert found.tasks == (
        ProblemSpec("diabetes"),
        ProblemSpec("digits", TaskSettings(label_noise=0.4), "noisy digits"),
        ProblemSpec("wine", TaskSettings(train_fraction=0.5)),
    )
    assert found.budget == replace(BUDGETS["quick"], trainings=4)
    assert (found.seeds, found.preset) == (3, "quick")


def test_cells_are_every_row_on_every_problem_and_there_seed_by_seed() -> None:
    data = SMALL | {"losses": ["focal"], "models": ["mlp:8", "linear"], "seeds": 2, "seed": 5}
    found = [
        (cell.row, cell.problem.name, cell.problem.settings.model, cell.seed)
        for cell in grid_settings(data).cells()
    ]
    expected = [
        ((name, learned), f"wine, {model}", model, seed)
        for model in ("mlp:8", "linear")
        for seed in (5, 6)
        for name, learned in (("evomal", True), ("focal", False))
    ]
    assert found == expected


def test_flags_stand_over_the_file(tmp_path: Path) -> None:
    file = read_grid_file(written(tmp_path / "grid.yaml", YAML))
    found = grid_settings({**file, "seeds": "7", "tasks": ("digits",)})
    assert (found.seeds, [task.name for task in found.tasks]) == (7, ["digits"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": ["evomal"]}, "unknown key of a comparison 'method'.*first: methods"),
        ({"methods": ["evomel"]}, "unknown method 'evomel'.*first: evomal"),
        ({"losses": ["cros_entropy"]}, "unknown loss 'cros_entropy'.*first: cross_entropy"),
        ({"methods": "evomal"}, r"methods must be a list, got 'evomal'; write \[evomal\]"),
        ({"methods": [3]}, "each of methods must be text, got 3"),
        ({"methods": ["evomal", "evomal"]}, "row 'evomal' is named twice"),
        ({"losses": ["mse", "squared_error"]}, "row 'mse' is named twice"),
        (
            {"losses": ["huber:delta=0.5", "Huber:delta=.50"]},
            "row 'huber:delta=0.5' is named twice",
        ),
        ({"losses": ["huber", "huber:delta=1"]}, "row 'huber' is named twice"),
        ({"losses": ["hubr:delta=1"]}, "unknown loss 'hubr:delta=1'.*first: huber"),
        ({"losses": ["huber:dleta=1"]}, "unknown parameter of huber 'dleta'.*first: delta"),
        ({"losses": ["huber:delta=-1"]}, "delta of huber must be a number from 0.001"),
        ({"losses": ["huber:delta"]}, "parameters are written NAME=NUMBER, as in huber:delta=1"),
        ({"methods": [], "losses": []}, "at least one method or loss"),
        ({"tasks": []}, "at least one task"),
        ({"tasks": ["wine", "wine"]}, "task 'wine' is named twice"),
        ({"tasks": ["wine", {"task": "wine", "name": "vin"}]}, "'wine' and 'vin' are the same"),
        ({"models": ["mpl"]}, "unknown model 'mpl'"),
        ({"models": ["mlp:0"]}, "widths must be positive"),
        ({"models": ["linear", "linear"]}, "model 'linear' is named twice"),
        ({"seeds": 0}, "seeds must be 1 or more, got 0"),
        ({"seeds": "many"}, "seeds must be a whole number, got 'many'"),
        ({"seeds": True}, "seeds must be a whole number, got True"),
        ({"seeds": 2.5}, "seeds must be a whole number, got 2.5"),
        ({"seed": 2**32 - 2, "seeds": 3}, "seed must be within"),
        ({"preset": "quik"}, "unknown preset 'quik'.*first: quick"),
        ({"budget": {"training": 1}}, "unknown setting of budget 'training'.*first: trainings"),
        ({"budget": {"steps": 0}}, "budget: steps must be 1 or more"),
        ({"budget": 3}, "budget must be a mapping"),
        ({"budget": {"search_steps": 0}}, "budget: search_steps must be 1 or more, got 0"),
        ({"budget": {"tuning_steps": -1}}, "tuning_steps must be 0 or more, or none, got -1"),
        ({"optimizer": {"momentum": 1}}, "optimizer: momentum must be in"),
        ({"transfer": "perhaps"}, "transfer must be true or false, got 'perhaps'"),
        ({"settings": {"gp_lfl": {}}}, "'gp_lfl', which is not compared"),
        ({"settings": {"evomall": {}}}, "unknown method under settings 'evomall'"),
        ({"settings": {"evomal": {"populaton": 1}}}, "of evomal 'populaton'.*first: population"),
        ({"settings": {"evomal": {"fitness.step": 1}}}, "of evomal.fitness 'step'.*first: steps"),
        ({"settings": {"evomal": {"fitness": 3}}}, "evomal.fitness must be a mapping of settings"),
        ({"settings": {"evomal": {"population": 0}}}, "evomal: population must be 1 or more"),
        ({"settings": {"evomal": {"way": "fast"}}}, "unknown evomal.way 'fast'"),
        ({"out": ""}, "out must name a folder"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        grid_settings(SMALL | change)


def test_only_the_given_names_count() -> None:
    with pytest.raises(InvalidInputError, match=r"unknown method 'evomal'.*first: gp_lfl"):
        grid_settings(SMALL, methods={"gp_lfl": METHODS["gp_lfl"]})
    with pytest.raises(InvalidInputError, match=r"unknown loss 'huber'.*first: focal"):
        grid_settings(SMALL | {"losses": ["huber"]}, losses=("focal",))
    with pytest.raises(InvalidInputError, match=r"unknown loss 'huber:delta=2'.*first: focal"):
        grid_settings(SMALL | {"losses": ["huber:delta=2"]}, losses=("focal",))


def test_defaults_make_a_comparison() -> None:
    settings = GridSettings()
    assert settings == grid_settings({})
    assert settings.methods == tuple(METHODS)
    assert settings.losses == RIVALS
    assert [task.task for task in settings.tasks] == ["diabetes", "breast_cancer", "wine", "digits"]
    assert {cell.seed for cell in settings.cells()} == set(range(10))
    assert settings.search("evomal") == METHODS["evomal"].presets["default"]


def test_shortcuts_stand_for_names() -> None:
    found = grid_settings({"methods": "all", "losses": ["poly1", "rivals"], "tasks": ["wine"]})
    assert found.methods == tuple(METHODS)
    assert found.losses == ("poly1", *RIVALS)
    every = grid_settings({"losses": ["all", "mse"], "tasks": ["wine"]}).losses
    assert every.count("mse") == 1
    assert "cross_entropy" in every
    # It compares embeddings, and no network's outputs with targets.
    assert "wgan_critic" not in every


def test_losses_may_have_parameters() -> None:
    given = ["huber:delta=0.5", "huber", "SCE:beta=2:alpha=1", "mse"]
    expected = ("huber:delta=0.5", "huber", "symmetric_cross_entropy:alpha=1:beta=2", "mse")
    assert grid_settings(SMALL | {"losses": given}).losses == expected


def test_one_optimizer_trains_everything() -> None:
    found = grid_settings(
        SMALL | {"optimizer": {"learning_rate": 0.1}, "settings": {"evomal": {"population": 4}}}
    )
    assert math.isclose(found.optimizer.learning_rate, 0.1)
    assert found.search("evomal").optimizer == found.optimizer
    own = SMALL | {"settings": {"evomal": {"optimizer.learning_rate": 0.5}}}
    assert math.isclose(grid_settings(own).search("evomal").optimizer.learning_rate, 0.5)


def test_the_papers_grid_names_its_own_networks() -> None:
    paper = grid_settings({"preset": "paper"})
    assert paper.problems == PAPER_PROBLEMS
    assert ("tfds:cifar10", "resnet:18") in {
        (problem.task, problem.settings.model) for problem in paper.problems
    }
    assert len({problem.name for problem in paper.problems}) == len(paper.problems)
    assert grid_settings({"preset": "paper", "tasks": ["wine"]}).problems == (ProblemSpec("wine"),)
    for problem in paper.problems:
        create_model(problem.settings.model, outputs=10)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"preset": "paper", "transfer": True},
        SMALL
        | {
            "losses": ["huber:delta=0.5", "mae"],
            "tasks": ["wine", {"task": "digits", "label_noise": 0.4, "name": "noisy"}],
            "models": ["linear", "mlp:8"],
            "budget": {"search_steps": None, "tuning_steps": 0},
            "optimizer": {"momentum": 0},
            "settings": {"evomal": {"fitness.steps": 7, "seed_from": ["square(sub(f, y))"]}},
            "out": "elsewhere",
        },
    ],
)
def test_settings_are_written_as_a_file_that_repeats_them(
    tmp_path: Path, data: dict[str, Any]
) -> None:
    settings = grid_settings(data)
    again = grid_settings(read_grid_file(written(tmp_path / "a.yaml", settings_text(settings))))
    assert again == settings


@pytest.mark.parametrize(
    ("budget", "tuning"),
    [
        (GridBudget(), 300_000),
        (GridBudget(tuning_steps=0), 0),
        (GridBudget(search_steps=70, tuning_steps=80), 80),
        (GridBudget(search_steps=None), 625_000),
    ],
)
def test_tuning_takes_as_much_as_a_search(budget: GridBudget, tuning: int) -> None:
    assert budget.tuning == tuning


def test_the_paper_tunes_with_what_its_partial_trainings_take() -> None:
    paper = EvoMALSettings()
    of_one = paper.fitness.seeds * paper.fitness.steps
    assert paper.population * paper.generations * of_one == PAPER_TUNING_STEPS


@pytest.mark.parametrize(
    ("method", "factor"),
    [("evomal", 10), ("gp_lfl", 10), ("taylorglo", 10), ("arl", 10), ("cse_autoloss", 10)],
)
def test_a_budget_widens_what_has_no_end_of_its_own(method: str, factor: int) -> None:
    settings = METHODS[method].presets["quick"]
    assert isinstance(settings, PopulationSettings)
    assert widened(settings, settings, GridBudget()) == replace(
        settings, generations=factor * settings.generations
    )
    assert widened(settings, settings, GridBudget(search_steps=None)) == settings
    asked = replace(settings, generations=settings.generations + 1)
    assert widened(asked, settings, GridBudget()) == asked


def test_a_budget_leaves_half_of_it_to_glos_coefficients() -> None:
    settings = METHODS["glo"].presets["quick"]
    assert isinstance(settings, GLOSettings)
    few, many = GridBudget(search_steps=1001), GridBudget(search_steps=10**9)
    assert widened(settings, settings, few) == replace(settings, tree_steps=500)
    assert widened(settings, settings, GridBudget(search_steps=None)) == settings
    asked = replace(settings, tree_steps=7)
    assert widened(asked, settings, few) == asked
    # Its own generations could not take so many steps.
    wide = replace(settings, tree_steps=500_000_000, generations=10 * settings.generations)
    assert widened(settings, settings, many) == wide


@pytest.mark.parametrize("method", ["ml3", "adalfl"])
def test_a_budget_leaves_procedures_as_they_are(method: str) -> None:
    settings = METHODS[method].presets["quick"]
    assert widened(settings, settings, GridBudget()) == settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("digits", ProblemSpec("digits")),
        (
            "digits+label_noise=0.4+split_seed=3",
            ProblemSpec("digits", TaskSettings(label_noise=0.4, split_seed=3)),
        ),
        (
            "diabetes+task_loss=huber:delta=0.5",
            ProblemSpec("diabetes", TaskSettings(task_loss="huber:delta=0.5")),
        ),
        ("a+b.csv+target=1", ProblemSpec("a+b.csv", TaskSettings(target="1"), "a+b")),
        ({"task": "wine", "kind": None}, ProblemSpec("wine")),
        ({"task": "wine", "outliers": "1e-1"}, ProblemSpec("wine", TaskSettings(outliers=0.1))),
    ],
)
def test_a_task_is_text_or_a_mapping(given: Any, expected: ProblemSpec) -> None:
    assert problem_spec(given) == expected


def test_what_is_unusual_is_in_the_name() -> None:
    assert problem_spec("/data/My Table.csv+target=y").name == "My Table"
    assert problem_spec("pde:burgers:viscosity=0.01").name == "pde:burgers:viscosity=0.01"
    assert problem_spec({"task": "digits", "label_noise": 0.4}).name == "digits+label_noise=0.4"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("digits+label_nois=0.4", "key of the task 'digits' 'label_nois'.*first: label_noise"),
        ("digits+label_noise=much", "label_noise must be a finite number, got 'much'"),
        ("digits+label_noise=2", "task 'digits': label_noise must be at least 0"),
        ("digits+split_seed=1+split_seed=2", "gives 'split_seed' twice"),
        ("+split_seed=1", "names no data"),
        ("digits+model=linear", "networks under 'models'"),
        ({"task": "wine", "nam": "x"}, "key of the task 'wine' 'nam'.*first: name"),
        ({"name": "x"}, "lacks the key 'task'"),
        ({}, "key 'task' of a task must|the task of a task must be text"),
        ({"task": 3}, "the task of a task must be text, got 3"),
        ({"task": "wine", "name": 3}, "the name of a task must be text, got 3"),
        ({"task": "wine", "metric": 3}, "metric must be text or none, got 3"),
        ({"task": "wine", "outliers": math.nan}, "outliers must be a finite number, got nan"),
        (7, "must be text such as 'digits' or a mapping"),
    ],
)
def test_an_unusable_task_is_refused(given: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        problem_spec(given)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{}", r"must end in one of \.yaml, \.yml, \.toml"),
        ("a.yaml", "", "must hold names with values"),
        ("a.yaml", "[evomal]", "must hold names with values"),
        ("a.yaml", "methods: [evomal", "cannot be understood"),
        ("a.yaml", "seeds: 1\nmodels: []\nseeds: 2", "line 3 gives 'seeds' a second time"),
        ("a.yaml", "settings: {evomal: {chunk: 1, chunk: 2}}", "line 1 gives 'chunk' a second"),
        ("a.yaml", "out: !!python/object/apply:os.getcwd []", "cannot be understood"),
        ("a.yaml", "a: " + "[" * 1500, "cannot be understood|nested too deeply"),
        ("a.toml", "seeds = 1\nseeds = 2", "cannot be understood"),
    ],
)
def test_an_unusable_file_is_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        read_grid_file(written(tmp_path / name, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.yaml cannot be read: No such file"):
        read_grid_file(tmp_path / "none.yaml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InvalidInputError, match="not text in UTF-8"):
        read_grid_file(tmp_path / "binary.toml")


def test_a_yaml_file_that_holds_itself_ends(tmp_path: Path) -> None:
    data = read_grid_file(written(tmp_path / "a.yaml", "settings: &a {evomal: *a}"))
    with pytest.raises(InvalidInputError, match="setting of evomal 'evomal'"):
        grid_settings({**SMALL, **data})


@dataclass(frozen=True)
class Inner:
    steps: int = 1
    rate: float = 0.5


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    maybe: Inner | None = None
    flag: bool = False
    limit: int | None = 3
    sizes: tuple[int, int] = (1, 2)
    names: tuple[str, ...] = ()
    way: Literal["slow", "fast"] = "slow"


def test_values_take_the_types_of_their_fields() -> None:
    base = Outer(inner=Inner(rate=0.25))
    values = {
        "inner.steps": "7",
        "maybe": {"rate": 2},
        "flag": "true",
        "limit": "none",
        "sizes": [3, 1e1],
        "names": ["a"],
        "way": "fast",
    }
    found = with_values(base, values, "outer")
    assert found == Outer(Inner(7, 0.25), Inner(1, 2.0), True, None, (3, 10), ("a",), "fast")
    assert type(found.maybe and found.maybe.rate) is float
    assert [type(size) for size in found.sizes] == [int, int]
    assert base == Outer(inner=Inner(rate=0.25))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"inner.steps": 1, "inner": {"rate": 1}}, "outer.inner is given twice"),
        ({"inner": {"steps": 1}, "inner.steps": 2}, "outer.inner is given twice"),
        ({"sizes": [1]}, "must be a list of 2, got 1"),
        ({"sizes": [1, "x"]}, r"outer\.sizes\[1\] must be a whole number, got 'x'"),
        ({"flag": 1}, "outer.flag must be true or false, got 1"),
        ({"way": 1}, "must be one of 'slow', 'fast', got 1"),
        ({"inner": {"rate": math.inf}}, "outer.inner.rate must be a finite number"),
        ({3: 1}, "must be text, got 3"),
    ],
)
def test_values_of_other_types_are_refused(values: dict[Any, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        with_values(Outer(), values, "outer")


def test_large_whole_numbers_stay_what_they_are() -> None:
    assert converted(str(2**60 + 1), int, "seed") == 2**60 + 1
    assert converted(2**60 + 1, int, "seed") == 2**60 + 1
