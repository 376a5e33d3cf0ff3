import shlex

import pytest

from jaxloss import InvalidInputError
from jaxloss.commands.search import search_settings
from jaxloss.runs.settings import RunSettings, command, default_folder
from jaxloss.search import EvoMALSettings, GPLFLSettings


@pytest.mark.parametrize(
    "line",
    [
        "jaxloss search diabetes",
        "jaxloss search wine --preset quick",
        "jaxloss search digits --preset paper --seed 3 --model lenet5",
        "jaxloss search 'my data.csv' --method gp_lfl --target 'a b' --population 7",
        "jaxloss search wine --seed-from 'add(f, y)' 'y * log(f)' --rejection.when never "
        "--variation.initial-height 1 3 --local-search.meta-steps 0",
    ],
)
def test_the_command_of_a_run_repeats_it(line: str) -> None:
    settings, _ = search_settings(shlex.split(line)[2:])
    words = shlex.split(command(settings))
    assert search_settings(words[2:])[0] == settings
    assert len(words) <= len(shlex.split(line))


def test_folders_tell_equations_of_one_family_apart() -> None:
    thin, thick = (default_folder(f"pde:burgers:viscosity=0.0{n}", "ml3", 0) for n in (1, 2))
    assert thin.name == "pde-burgers-viscosity-0.01-ml3-seed0"
    assert thin != thick
    assert default_folder("a/my.data.csv", "ml3", 0).name == "my.data-ml3-seed0"


def test_settings_must_be_the_methods_own() -> None:
    with pytest.raises(InvalidInputError, match="GPLFLSettings"):
        RunSettings(method="gp_lfl", search=EvoMALSettings())
    assert RunSettings(method="gp_lfl", search=GPLFLSettings()).search == GPLFLSettings()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_jax_would_fold_are_refused(seed: int) -> None:
    with pytest.raises(InvalidInputError, match="seed"):
        RunSettings(seed=seed)
