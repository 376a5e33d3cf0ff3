"""The printed command of a run, for every method and preset."""

import shlex
from dataclasses import replace

import pytest

from jaxloss.commands.search import search_settings
from jaxloss.runs.settings import RunSettings, command, score_name
from jaxloss.search import METHODS, Preset
from jaxloss.search.settings import PopulationSettings

EVERY = [(method, preset) for method, found in METHODS.items() for preset in found.presets]


def _again(settings: RunSettings) -> RunSettings:
    return search_settings(shlex.split(command(settings))[2:])[0]


@pytest.mark.parametrize(("method", "preset"), EVERY)
def test_the_command_repeats_every_preset(method: str, preset: Preset) -> None:
    settings = RunSettings("wine,digits", method=method, search=METHODS[method].presets[preset])
    assert _again(settings) == settings
    assert len(shlex.split(command(settings))) <= 7


@pytest.mark.parametrize("method", METHODS)
def test_the_command_repeats_what_differs_from_a_preset(method: str) -> None:
    search = METHODS[method].presets["quick"]
    assert isinstance(search, PopulationSettings)
    fitness = replace(search.fitness, normalize=not search.fitness.normalize)
    changed = replace(search, fitness=fitness, population=search.population + 1)
    settings = RunSettings("boxes", method=method, search=changed, seed=3)
    assert _again(settings) == settings
    relative = score_name(changed, "mse") == "relative mse"
    assert relative is fitness.normalize
